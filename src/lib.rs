//! Signals and slots, an event loop and WebSocket servers, as Qt programs know them.
//!
//! A [`WebSocketServer`] and its [`WebSocket`]s live on the [`EventLoop`] of a thread and tell what
//! happens by [`signals`]. Slots are closures or methods; they get the sender as an argument, need
//! not be `Send`, and hold nothing alive.
//!
//! ```
//! use slotwork::{Error, EventLoop, HostAddress, SslMode, WebSocketServer};
//!
//! fn main() -> Result<(), Error> {
//!     let server = WebSocketServer::new("Echo Server", SslMode::NonSecure);
//!
//!     server.new_connection().connect(|server, ()| {
//!         while let Some(socket) = server.next_pending_connection() {
//!             socket.text_message_received().connect(|socket, text| {
//!                 socket.send_text_message(text);
//!             });
//!         }
//!     });
//!
//!     server.listen(HostAddress::LocalHost, 0)?;
//!     println!("listening on {}", server.server_url());
//! #   EventLoop::current().handle().quit();
//!     EventLoop::current().exec();
//!     Ok(())
//! }
//! ```
//!
//! # From Qt
//!
//! Names are Qt's in Rust's spelling, and each item can be found in the search by its Qt name:
//! `nextPendingConnection` is [`WebSocketServer::next_pending_connection`].

mod close_code;
mod error;
mod event_loop;
mod handshake;
mod host_address;
mod pong;
mod protocol;
mod reactor;
mod send_status;
mod server;
mod session;
mod socket;
mod socket_state;
mod ssl_mode;
mod stream;
#[cfg(test)]
mod testing;
mod timers;
mod turn;

pub use close_code::CloseCode;
pub use error::Error;
pub use event_loop::{EventLoop, LoopHandle};
pub use handshake::request::HandshakeRequest;
pub use host_address::HostAddress;
pub use pong::Pong;
pub use send_status::SendStatus;
pub use server::{WeakWebSocketServer, WebSocketServer};
pub use slotwork_signals as signals;
pub use socket::{WeakWebSocket, WebSocket};
pub use socket_state::SocketState;
pub use ssl_mode::SslMode;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
