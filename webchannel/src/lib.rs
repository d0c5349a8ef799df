//! The server side of `QtWebChannel`: web pages use Rust objects over a WebSocket.
//!
//! A page has the JavaScript client of Qt, `qwebchannel.js`, unmodified: it calls methods, reads and
//! writes properties, and connects signals of the objects that a [`WebChannel`] has registered. A
//! type lists what pages can use, with [`Publish`].
//!
//! ```
//! use std::rc::Rc;
//!
//! use slotwork::{EventLoop, HostAddress, OriginPolicy, SslMode, Verdict, WebSocketServer};
//! use slotwork_webchannel::{Publish, Publisher, WebChannel};
//!
//! struct Calculator;
//!
//! impl Publish for Calculator {
//!     fn publish(with: &mut Publisher<Self>) {
//!         with.method("add", Self::add).try_method("divide", Self::divide);
//!     }
//! }
//!
//! impl Calculator {
//!     fn add(self: &Rc<Self>, a: f64, b: f64) -> f64 {
//!         a + b
//!     }
//!
//!     fn divide(self: &Rc<Self>, a: f64, b: f64) -> Result<f64, &'static str> {
//!         if b == 0.0 { Err("division by zero") } else { Ok(a / b) }
//!     }
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (calculator, channel) = (Rc::new(Calculator), WebChannel::new());
//!     channel.register("calculator", &calculator)?;
//!
//!     let server = WebSocketServer::new("Calculator", SslMode::NonSecure);
//!     // Each page that may connect can call everything that is registered.
//!     server.set_origin_policy(OriginPolicy::Loopback)?;
//!     server.set_verifier(async |_server, handshake| {
//!         let cookie = handshake.request().header("Cookie");
//!         let is_known = cookie.is_some_and(|cookie| cookie == "token=secret");
//!         if is_known { Verdict::accept() } else { Verdict::refuse(401, "unknown token\n") }
//!     });
//!     server.new_connection().connect_to(&channel, |channel, server, ()| {
//!         while let Some(socket) = server.next_pending_connection() {
//!             channel.connect_to(&socket);
//!         }
//!     });
//!     server.listen(HostAddress::LocalHost, 0)?;
//! #   EventLoop::current().handle().quit();
//!     EventLoop::current().exec();
//!     Ok(())
//! }
//! ```
//!
//! The page, with the client from a Qt installation or from npm's `qwebchannel`:
//!
//! ```html
//! <script src="qwebchannel.js"></script>
//! <script>
//!   const socket = new WebSocket("ws://localhost:1234");
//!   socket.onopen = () => new QWebChannel(socket, async (channel) => {
//!     const { calculator } = channel.objects;
//!     console.log(await calculator.add(2, 3));
//!     await calculator.divide(1, 0).catch(() => console.log("no"));
//!   });
//! </script>
//! ```
//!
//! # Where to find what
//!
//! | | |
//! |---|---|
//! | methods, signals, properties, enumerations | [`Publisher`], [`Publish`] |
//! | objects as results, arguments and properties | [`Object`] |
//! | objects and their names, clients, updates, limits | [`WebChannel`] |
//! | the client that calls | [`WebChannel::caller`] |
//! | what goes wrong | [`WebChannel::call_failed`], [`CallError`], [`Error`] |
//!
//! # Threads
//!
//! A channel lives in one thread, with its objects; they need not be `Send`. The sockets of its
//! clients may belong to loops of other threads: their messages come through the thread's queue.
//! Signals that other threads emit come the same way ([`Publisher::signal`]).

mod channel;
mod class;
mod class_info;
mod client;
mod error;
mod instance;
mod json;
mod knowledge;
mod message;
mod method;
mod object;
mod publish;
mod publisher;
mod registry;
mod scope;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod testing;
mod updates;
mod values;

// The search finds a type by the alias of its `pub use`, not by that of the type in its module.
#[doc(alias = "QPointer")]
pub use channel::WeakWebChannel;
#[doc(alias = "QWebChannel")]
pub use channel::WebChannel;
pub use error::{CallError, CallFailure, Error};
#[doc(hidden)]
pub use method::Arguments;
pub use method::{AsyncMethod, Method};
#[doc(alias = "QObject")]
pub use object::Object;
#[doc(alias = "Q_OBJECT")]
pub use publish::Publish;
#[doc(alias = "QMetaObject")]
pub use publisher::Publisher;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
