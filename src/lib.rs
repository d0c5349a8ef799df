//! Signals, slots, an event loop and `WebSocket`s, as Qt programs know them.
//!
//! A [`WebSocketServer`] and its [`WebSocket`]s live on the [`EventLoop`] of a thread and emit
//! [`signals`]. Slots are closures or methods; they get the sender as an argument, need not be
//! `Send`, and keep nothing alive.
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
//! # Where to find what
//!
//! | | |
//! |---|---|
//! | signals, slots, receivers, threads: the rules on one page | [`guides::signals_slots_threads`] |
//! | connecting, kinds of connections, own signals, [`SignalSpy`](signals::SignalSpy) for tests | [`signals`] |
//! | a server and its clients | [`WebSocketServer`], [`WebSocket`] |
//! | rooms, price feeds: messages for groups of sockets | [`WebSocketServer::topic`], [`Topic`] |
//! | a client | [`WebSocket::new`], [`WebSocket::open`] |
//! | the loop, timers, deferred calls, tasks | [`EventLoop`], [`Timer`], [`EventLoop::defer_to`], [`EventLoop::spawn`] |
//! | worker threads | [`EventThread`], [`LoopHandle`] |
//! | a server on several threads | [`WebSocketServer::serve_on_threads`] |
//! | TLS | [`TlsConfig`], [`TlsIdentity`] |
//! | admission: origins of web pages, authentication | [`OriginPolicy`], [`WebSocketServer::set_verifier`] |
//! | slow clients, limits | [`OutputPolicy`], [`WebSocketServer::set_max_connections`], [`EventLoop::set_memory_budget`] |
//! | compression (permessage-deflate) | [`WebSocketServer::set_compression`], [`guides::compression`] |
//! | tests without ports and waits | `guides::testing`, [`SignalSpy`](signals::SignalSpy) |
//! | what goes wrong | [`Error`], [`CloseCode`], [`guides::promises`] |
//! | porting from Qt, and what else a Qt program uses | [`guides::porting`], [`guides::qt_map`] |
//!
//! # From Qt
//!
//! Names are Qt's in Rust's spelling, and each item can be found in the search by its Qt name:
//! `nextPendingConnection` is [`WebSocketServer::next_pending_connection`]. What Slotwork leaves to
//! other crates, such as `QSettings` and `qDebug`, leads to [`guides::porting`].
//!
//! # Features
//!
//! `compression` (default): permessage-deflate, with zlib-rs; see [`Compression`]. `tls` (default): `wss`,
//! with rustls and *ring*. `tls-aws-lc-rs`: the same with aws-lc-rs. `proxy-protocol`: the PROXY
//! protocol of load balancers, with proxy-header. `testing`: a virtual clock, and connections in
//! memory, for the tests of programs; see `guides::testing`.
//!
//! # Types of other packages
//!
//! Signatures name types of these packages, and no others: `rustls` 0.23
//! ([`TlsConfig::from_server_config`], [`TlsConfig::from_client_config`]), smol 2
//! ([`EventLoop::spawn`] returns its `Task`), and the traits of futures 0.3: `AsyncRead`,
//! `AsyncWrite`, `Stream` and `Sink`. An incompatible version of one of them comes with an
//! incompatible version of Slotwork. A program that configures rustls itself names it as
//! `slotwork::rustls`, which is always the version that fits.

// docs.rs marks the items that need a feature.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod event_loop;
pub mod guides;
mod net;
mod protocol;
mod runtime;
mod server;
mod session;
mod socket;
#[cfg(any(test, fuzzing, feature = "testing"))]
pub mod testing;
mod types;

// The search finds a type by the alias of its `pub use`, not by that of the type in its module.
pub use event_loop::CaughtPanic;
#[doc(alias = "QCoreApplication")]
#[doc(alias = "qApp")]
pub use event_loop::EventLoop;
#[doc(alias = "QMetaObject")]
pub use event_loop::LoopHandle;
#[doc(alias = "QEventLoop")]
pub use event_loop::NestedLoop;
pub use event_loop::PanicPolicy;
#[doc(alias = "QThread")]
pub use event_loop::event_thread::EventThread;
#[doc(alias = "QPointer")]
pub use event_loop::event_thread::WeakEventThread;
#[doc(alias = "QThread")]
pub use event_loop::event_thread::builder::EventThreadBuilder;
#[cfg(unix)]
#[doc(alias = "QSocketNotifier")]
pub use event_loop::socket_notifier::SocketNotifier;
#[cfg(unix)]
#[doc(alias = "QPointer")]
pub use event_loop::socket_notifier::WeakSocketNotifier;
#[doc(alias = "QTimer")]
#[doc(alias = "QChronoTimer")]
#[doc(alias = "QBasicTimer")]
#[doc(alias = "QElapsedTimer")]
#[doc(alias = "QDeadlineTimer")]
pub use event_loop::timer::Timer;
#[doc(alias = "QPointer")]
pub use event_loop::timer::WeakTimer;
#[cfg(feature = "tls")]
#[doc(alias = "QSslSocket::PeerVerifyMode")]
pub use net::tls::PeerVerifyMode;
#[cfg(feature = "tls")]
#[doc(alias = "QSslConfiguration")]
pub use net::tls::TlsConfig;
#[cfg(feature = "tls")]
#[doc(alias = "QSslKey")]
pub use net::tls::TlsIdentity;
#[cfg(feature = "tls")]
#[doc(alias = "QSsl::SslProtocol")]
pub use net::tls::TlsProtocol;
#[cfg(feature = "tls")]
pub use net::tls::TlsSession;
pub use protocol::frames::opcode::MessageKind;
#[doc(alias = "QNetworkRequest")]
#[doc(alias = "QWebSocketHandshakeRequest")]
pub use protocol::handshake::request::HandshakeRequest;
pub use protocol::handshake::response::HandshakeResponse;
pub use protocol::handshake::upgraded_elsewhere::accept_key;
pub use protocol::prepared_message::PreparedMessage;
#[doc(alias = "QWebSocketCorsAuthenticator")]
pub use server::CorsAuthenticator;
#[doc(alias = "QHttpServerResponse")]
pub use server::HttpAnswer;
#[doc(alias = "QHttpServerRequest")]
pub use server::HttpRequest;
pub use server::OpeningHandshake;
pub use server::OriginPolicy;
pub use server::ServerThreads;
pub use server::Topic;
pub use server::TopicRelay;
pub use server::Verdict;
#[doc(alias = "QPointer")]
pub use server::WeakTopic;
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
#[doc(alias = "QWebSocketHandshakeOptions")]
#[doc(alias = "QNetworkRequest")]
pub use socket::client::client_request::ClientRequest;
#[doc(alias = "QAuthenticator")]
pub use types::authenticator::Authenticator;
#[doc(alias = "QWebSocketProtocol::CloseCode")]
#[doc(alias = "QWebSocketProtocol")]
pub use types::close_code::CloseCode;
#[cfg(feature = "compression")]
pub use types::compression::{AgreedCompression, Compression, CompressionLevel};
pub use types::connect_timings::ConnectTimings;
#[doc(alias = "QAbstractSocket::SocketError")]
#[doc(alias = "SocketError")]
#[doc(alias = "errorString")]
pub use types::error::Error;
#[doc(alias = "QHostAddress")]
pub use types::host_address::HostAddress;
#[doc(alias = "parseSubnet")]
pub use types::ip_network::IpNetwork;
pub use types::limit::{Limit, LimitReached};
#[doc(alias = "QMaskGenerator")]
pub use types::mask_generator::MaskGenerator;
pub use types::message::BinaryFrame;
pub use types::message::Message;
pub use types::message::Pong;
pub use types::message::TextFrame;
#[doc(alias = "QNetworkProxy")]
pub use types::network_proxy::NetworkProxy;
pub use types::output::OutputPolicy;
pub use types::output::SendStatus;
pub use types::peer_credentials::PeerCredentials;
#[cfg(feature = "proxy-protocol")]
pub use types::proxy_protocol::ProxyProtocol;
pub use types::reconnect::Attempt;
pub use types::reconnect::Reconnect;
pub use types::reconnect::ReconnectCause;
pub use types::role::Role;
#[doc(alias = "QAbstractSocket::SocketState")]
#[doc(alias = "QAbstractSocket")]
pub use types::socket_state::SocketState;
#[doc(alias = "QWebSocketServer::SslMode")]
pub use types::ssl_mode::SslMode;
pub use types::stats::{LoopStats, RefusalReason, RefusedClients, ServerStats, SocketStats};
#[doc(alias = "QSslCertificate")]
pub use types::tls::TlsCertificate;
#[doc(alias = "QSslError")]
#[doc(alias = "SslError")]
pub use types::tls::TlsError;
#[doc(alias = "QWebSocketProtocol::Version")]
pub use types::version::Version;

/// Signals and slots: the package `slotwork-signals`, which can be used alone.
///
/// The examples name that package: with `slotwork` alone, `use slotwork_signals::Signal` is
/// `use slotwork::signals::Signal`.
pub mod signals {
    #[doc(inline)]
    pub use slotwork_signals::*;
}

/// The TLS library of [`TlsConfig`], in the version that its methods take.
#[cfg(feature = "tls")]
#[doc(no_inline)]
pub use rustls;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
