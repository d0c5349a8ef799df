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

mod authenticator;
mod binary_frame;
mod budget;
mod client_request;
mod close_code;
mod connector;
mod error;
mod event_loop;
mod event_thread;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod host_address;
mod mask_generator;
mod message;
mod network_proxy;
mod output_policy;
mod panics;
mod pong;
mod prepared_message;
mod protocol;
mod random;
mod reactor;
mod send_status;
mod server;
mod session;
mod socket;
#[cfg(unix)]
mod socket_notifier;
mod socket_state;
mod ssl_mode;
mod stream;
mod sync;
#[cfg(any(test, fuzzing))]
mod testing;
mod text_frame;
mod timer;
mod timers;
#[cfg(feature = "tls")]
mod tls;
mod tls_certificate;
mod tls_error;
mod tunnel;
mod turn;
mod version;

// The search finds a type by the alias of its `pub use`, not by that of the type in its module.
#[doc(alias = "QAuthenticator")]
pub use authenticator::Authenticator;
pub use binary_frame::BinaryFrame;
#[doc(alias = "QWebSocketHandshakeOptions")]
#[doc(alias = "QNetworkRequest")]
pub use client_request::ClientRequest;
#[doc(alias = "QWebSocketProtocol::CloseCode")]
#[doc(alias = "QWebSocketProtocol")]
pub use close_code::CloseCode;
#[doc(alias = "QAbstractSocket::SocketError")]
#[doc(alias = "SocketError")]
#[doc(alias = "errorString")]
pub use error::Error;
pub use event_loop::CaughtPanic;
#[doc(alias = "QCoreApplication")]
pub use event_loop::EventLoop;
#[doc(alias = "QMetaObject")]
pub use event_loop::LoopHandle;
#[doc(alias = "QEventLoop")]
pub use event_loop::NestedLoop;
pub use event_loop::PanicPolicy;
#[doc(alias = "QThread")]
pub use event_thread::EventThread;
#[doc(alias = "QNetworkRequest")]
#[doc(alias = "QWebSocketHandshakeRequest")]
pub use handshake::request::HandshakeRequest;
pub use handshake::response::HandshakeResponse;
#[doc(alias = "QHostAddress")]
pub use host_address::HostAddress;
#[doc(alias = "QMaskGenerator")]
pub use mask_generator::MaskGenerator;
pub use message::Message;
#[doc(alias = "QNetworkProxy")]
pub use network_proxy::NetworkProxy;
pub use output_policy::OutputPolicy;
pub use pong::Pong;
pub use prepared_message::PreparedMessage;
pub use protocol::role::Role;
pub use send_status::SendStatus;
#[doc(alias = "QWebSocketCorsAuthenticator")]
pub use server::CorsAuthenticator;
pub use server::OpeningHandshake;
pub use server::OriginPolicy;
pub use server::Verdict;
#[doc(alias = "QPointer")]
pub use server::WeakWebSocketServer;
#[doc(alias = "QWebSocketServer")]
pub use server::WebSocketServer;
pub use socket::MessageStream;
#[doc(alias = "QPointer")]
pub use socket::WeakWebSocket;
#[doc(alias = "QWebSocket")]
#[doc(alias = "deleteLater")]
pub use socket::WebSocket;
#[cfg(unix)]
#[doc(alias = "QSocketNotifier")]
pub use socket_notifier::SocketNotifier;
#[cfg(unix)]
#[doc(alias = "QPointer")]
pub use socket_notifier::WeakSocketNotifier;
#[doc(alias = "QAbstractSocket::SocketState")]
#[doc(alias = "QAbstractSocket")]
pub use socket_state::SocketState;
#[doc(alias = "QWebSocketServer::SslMode")]
pub use ssl_mode::SslMode;
pub use text_frame::TextFrame;
#[doc(alias = "QTimer")]
pub use timer::Timer;
#[doc(alias = "QPointer")]
pub use timer::WeakTimer;
#[cfg(feature = "tls")]
#[doc(alias = "QSslSocket::PeerVerifyMode")]
pub use tls::PeerVerifyMode;
#[cfg(feature = "tls")]
#[doc(alias = "QSslConfiguration")]
pub use tls::TlsConfig;
#[cfg(feature = "tls")]
#[doc(alias = "QSslKey")]
pub use tls::TlsIdentity;
#[cfg(feature = "tls")]
#[doc(alias = "QSsl::SslProtocol")]
pub use tls::TlsProtocol;
#[cfg(feature = "tls")]
pub use tls::TlsSession;
#[doc(alias = "QSslCertificate")]
pub use tls_certificate::TlsCertificate;
#[doc(alias = "QSslError")]
pub use tls_error::TlsError;
#[doc(alias = "QWebSocketProtocol::Version")]
pub use version::Version;

/// Signals and slots: the package `slotwork-signals`, which can be used alone.
pub mod signals {
    #[doc(inline)]
    pub use slotwork_signals::*;
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../docs/porting.md")]
struct PortingGuide;
