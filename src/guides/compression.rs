//! Compression: when it pays, how to set it, and secrets.
//!
//! Messages are compressed by permessage-deflate (RFC 7692), which browsers and most libraries
//! support. One line turns it on, for clients that offer it:
//!
//! ```
//! use slotwork::{Compression, SslMode, WebSocketServer};
//!
//! let server = WebSocketServer::new("Chat", SslMode::NonSecure);
//! server.set_compression(Compression::new());
//! ```
//!
//! Slots and senders do not change. [`WebSocket::compression`](crate::WebSocket::compression)
//! returns what a connection has agreed on; a peer that offers nothing gets plain messages.
//!
//! Compression trades processor time for bytes. A core echoes about a tenth as many texts of 1 KiB
//! with it, at half of their size or a third. It pays where the network is slow, charged or shared:
//! mobile clients, many subscribers, long texts. It does not on a local network, and not for data
//! that is compressed already, such as images, audio and video.
//!
//! # Tuning
//!
//! | setting | default | effect |
//! |---|---|---|
//! | [`history`](crate::Compression::history) | none | Messages refer to the last bytes of earlier ones. The shorter and the more alike they are, the more they gain: chat messages of 100 bytes shrink to 59 % with a history, and to 92 % without one. 4 KiB have most of the gain; a larger one takes time for each message |
//! | [`history_budget`](crate::Compression::history_budget) | 64 MiB | The memory of all histories of a server, two for each connection: 8,192 connections of 4 KiB. Over it new connections have no history |
//! | [`threshold`](crate::Compression::threshold) | 256 bytes; 64 with a history | Shorter messages are sent plain |
//! | [`level`](crate::Compression::level) | [`Balanced`](crate::CompressionLevel::Balanced) | [`Fast`](crate::CompressionLevel::Fast) takes half the time for a third more bytes. [`Small`](crate::CompressionLevel::Small) pays for long messages alone |
//! | [`WebSocket::set_compressing`](crate::WebSocket::set_compressing) | on | Messages of a socket that are compressed already are sent plain |
//!
//! Without a history a connection has no memory for compression: the compressor and the inflater
//! belong to the thread, and are freed when its loop is idle. A thread without a loop that sends has a
//! compressor for each message anew. A message that would not become shorter is sent plain.
//!
//! A broadcast, or another [`PreparedMessage`](crate::PreparedMessage), is compressed once for all
//! clients, with a history or without, at the balanced level. Clients that agreed on a window of less
//! than 4 KiB have it compressed for themselves: those of a server with a smaller history, and those
//! that ask for one.
//!
//! The output policies that drop messages end the history of a socket with the first message that
//! they put off, because a dropped message would be missing in the peer's. A conflated topic
//! ([`Topic::set_conflated`](crate::Topic::set_conflated)) does so with the first message that waits.
//!
//! ```
//! use slotwork::{Compression, CompressionLevel, SslMode, WebSocketServer};
//!
//! # fn main() -> Result<(), slotwork::Error> {
//! # let server = WebSocketServer::new("Prices", SslMode::NonSecure);
//! // Short messages that are alike: a history, for at most 256 MiB.
//! let prices = Compression::new().history(4 * 1024)?.history_budget(256 << 20);
//! // Long texts, of which a core is to send many.
//! let logs = Compression::new().level(CompressionLevel::Fast).threshold(1024);
//! # server.set_compression(logs);
//! server.set_compression(prices);
//! # Ok(())
//! # }
//! ```
//!
//! # Limits
//!
//! The maximum size of a message
//! ([`set_max_allowed_incoming_message_size`](crate::WebSocket::set_max_allowed_incoming_message_size))
//! is that of its plain text, which is never exceeded in memory: a message that inflates to more
//! closes its connection with 1009. Until its last byte has arrived, a message takes the memory of
//! its compressed bytes. [`bytes_written`](crate::WebSocket::bytes_written) and
//! [`bytes_to_write`](crate::WebSocket::bytes_to_write) count compressed bytes. Whether a message has
//! room in the output is decided before it is compressed, by its plain length; that of a prepared
//! message by its compressed length.
//!
//! # Secrets
//!
//! The length of a compressed message depends on its contents, and encryption does not hide
//! lengths. An attacker who sees them, and who can have text of his choice sent in the same message
//! as a secret, learns the secret by guessing: the right guess is shorter. This is known from HTTPS
//! as CRIME and BREACH. With a history the two need not even be in one message, only near each other
//! on one connection.
//!
//! So messages that mix a secret, such as a token or a password, with text of others are to be sent
//! plain:
//!
//! ```
//! use slotwork::{PreparedMessage, WebSocket};
//!
//! fn send_token(socket: &WebSocket, token: &str) {
//!     // In no history, and not compressed.
//!     socket.send_prepared(&PreparedMessage::text(token).uncompressed());
//! }
//!
//! fn send_account(socket: &WebSocket, account: &str) {
//!     socket.set_compressing(false);
//!     socket.send_text_message(account);
//!     socket.set_compressing(true);
//! }
//! ```
//!
//! No history is the safer choice where that cannot be known for each message. Messages of public
//! data are safe with one. Without a history a message reveals nothing about others.
//!
//! # Peers
//!
//! Tested with Chromium, Python's `websockets` and Node's `ws`, in both directions. Firefox and
//! Safari do not let a server limit the memory for what they send, so a server with a history
//! smaller than 32 KiB keeps none for their messages, and keeps it for those that it sends to them.
//!
//! Safari 15.0 to 15.3 sends broken compressed data: its connections end with 1007. A server with
//! such clients can refuse them by their header `User-Agent`
//! ([`set_verifier`](crate::WebSocketServer::set_verifier)), or leave compression off. Qt's clients
//! offer no compression and work as before.
