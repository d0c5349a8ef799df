//! Tests of programs: time, networks and rude peers, without ports and waits.
//!
//! A test of a server or a client runs the real code, from the opening handshake to the close frame,
//! on the event loop of the test's own thread. Three things make such tests slow and unreliable: the
//! time, the ports, and a network that never fails when it should. [`testing`](crate::testing) replaces
//! them:
//!
//! ```toml
//! [dev-dependencies]
//! slotwork = { version = "0.1", features = ["testing"] }
//! ```
//!
//! # Signals
//!
//! [`SignalSpy`](crate::signals::SignalSpy) records emissions and waits for them, and runs the loop
//! meanwhile, as `QSignalSpy` does. It needs no feature.
//!
//! # Sockets in memory
//!
//! [`pair`](crate::testing::pair) returns a client and the server's socket, connected by a real
//! handshake. Tests of one program run side by side, because there is no port.
//!
//! ```
//! use slotwork::signals::SignalSpy;
//! use slotwork::{testing, SslMode, WebSocketServer};
//!
//! /// The program: a chat that sends each message to all.
//! fn chat() -> WebSocketServer {
//!     let server = WebSocketServer::new("Chat", SslMode::NonSecure);
//!     server.new_connection().connect(|server, ()| {
//!         while let Some(socket) = server.next_pending_connection() {
//!             socket.text_message_received().connect_to(server, |server, _socket, text| {
//!                 server.broadcast_text(text);
//!             });
//!         }
//!     });
//!     server
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = chat();
//! let (alice, ..) = testing::pair(&server)?;
//! let (bob, ..) = testing::pair(&server)?;
//! let heard = SignalSpy::new(&bob.text_message_received());
//!
//! alice.send_text_message("hello");
//!
//! heard.wait_for(1)?;
//! assert_eq!(heard.values(), ["hello"]);
//! # Ok(())
//! # }
//! ```
//!
//! # Time
//!
//! With a [`VirtualClock`](crate::testing::VirtualClock) the time of the loop is the test's. Timers,
//! the timeouts of connections, keepalive and the limits of spies expire in their order, at their
//! instant and without a wait: a deadline of a minute can be tested to the millisecond. A test that
//! waits for something that does not happen fails at once, as its time-out is virtual too.
//!
//! ```
//! use std::time::Duration;
//!
//! use slotwork::signals::SignalSpy;
//! use slotwork::testing::{self, VirtualClock};
//! use slotwork::{SslMode, Timer, WebSocket, WebSocketServer};
//!
//! /// The program: disconnects a client that has said nothing for a minute.
//! fn watch(socket: &WebSocket) {
//!     let idle = Timer::new();
//!     idle.set_single_shot(true);
//!     idle.timeout().connect_to(socket, |socket, _timer, ()| {
//!         socket.close(4000, "idle");
//!     });
//!     idle.start(Duration::from_secs(60));
//!     socket.text_message_received().connect(move |_socket, _text| idle.restart());
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = VirtualClock::install();
//! let server = WebSocketServer::new("Server", SslMode::NonSecure);
//! let (client, socket, _link) = testing::pair(&server)?;
//! watch(&socket);
//! let disconnected = SignalSpy::new(&client.disconnected());
//!
//! clock.advance(Duration::from_secs(59));
//! client.send_text_message("still here");
//! clock.advance(Duration::from_secs(59));
//! assert_eq!(disconnected.count(), 0);
//!
//! clock.advance(Duration::from_secs(1));
//! assert_eq!(disconnected.count(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! The clock is that of its thread. Real sockets, other threads and `smol::Timer` keep the time of the
//! system, and the loop does not wait for them when it jumps: a test has either a virtual clock, or
//! real sockets.
//!
//! # Networks
//!
//! The [`Link`](crate::testing::Link) of a pair is its network. It can delay and fragment what is sent,
//! limit the bandwidth, stall without an error, or cut the connection, also at an exact byte.
//!
//! ```
//! use std::time::Duration;
//!
//! use slotwork::signals::SignalSpy;
//! use slotwork::testing::{self, VirtualClock};
//! use slotwork::{Error, SslMode, WebSocketServer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = VirtualClock::install();
//! let server = WebSocketServer::new("Server", SslMode::NonSecure);
//! let (client, socket, link) = testing::pair(&server)?;
//! let received = SignalSpy::new(&client.text_message_received());
//! let errors = SignalSpy::new(&client.error_occurred());
//!
//! // The first message arrives byte by byte, the second one is lost in its middle.
//! link.to_client().fragment(1);
//! socket.send_text_message("one");
//! clock.advance(Duration::ZERO);
//! link.to_client().cut_after(4);
//! socket.send_text_message("two");
//! clock.advance(Duration::ZERO);
//!
//! assert_eq!(received.values(), ["one"]);
//! assert!(matches!(*errors.values(), [Error::RemoteHostClosed]));
//! # Ok(())
//! # }
//! ```
//!
//! # Clients that open URLs
//!
//! A [`Host`](crate::testing::Host) is a name in memory. The client under test opens its URL as it
//! always does, and reconnects: to a server of the test, or to a peer that it scripts.
//!
//! ```
//! use std::time::Duration;
//!
//! use slotwork::signals::SignalSpy;
//! use slotwork::testing::{Host, VirtualClock};
//! use slotwork::{Error, Reconnect, SslMode, WebSocket, WebSocketServer};
//!
//! /// The program: a feed that reconnects a second after the connection was lost.
//! fn feed() -> Result<WebSocket, Error> {
//!     let second = Duration::from_secs(1);
//!     let socket = WebSocket::new();
//!     socket.set_reconnect(Some(Reconnect::new().delay(second..=second).jitter(0.0)));
//!     socket.open("ws://feed.example.com/prices")?;
//!     Ok(socket)
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = VirtualClock::install();
//! let server = WebSocketServer::new("Feed", SslMode::NonSecure);
//! let host = Host::new("feed.example.com", &server);
//! let socket = feed()?;
//! let connected = SignalSpy::new(&socket.connected());
//! connected.wait_for(1)?;
//!
//! host.links()[0].cut();
//! connected.wait_for(2)?;
//!
//! assert_eq!(clock.elapsed(), Duration::from_secs(1));
//! # Ok(())
//! # }
//! ```
//!
//! # Peers that break rules
//!
//! A [`Peer`](crate::testing::Peer) is one end of a connection as bytes. It sends what no client of
//! ours would, ends in the middle, or reads nothing. It is a client of a server, or the server behind
//! a scripted [`Host`](crate::testing::Host::scripted).
//!
//! ```
//! use std::time::Duration;
//!
//! use slotwork::signals::SignalSpy;
//! use slotwork::testing::{Peer, VirtualClock};
//! use slotwork::{Error, SslMode, WebSocketServer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = VirtualClock::install();
//! let server = WebSocketServer::new("Server", SslMode::NonSecure);
//! let errors = SignalSpy::new(&server.server_error());
//!
//! // A slowloris: a byte of the request in each second.
//! let peer = Peer::connect(&server)?;
//! for byte in "GET / HTTP/1.1".bytes() {
//!     peer.send([byte]);
//!     clock.advance(Duration::from_secs(1));
//! }
//!
//! assert!(matches!(*errors.values(), [Error::HandshakeTimeout { .. }]));
//! assert!(peer.received().starts_with(b"HTTP/1.1 408 "));
//! # Ok(())
//! # }
//! ```
