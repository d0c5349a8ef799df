//! Topics and signals of slotwork on more than one machine, through NATS.
//!
//! **Between nodes a message is delivered at most once**: while NATS is away, or a node cannot keep
//! up, messages are lost. Known losses are reported by [`lost`](NatsBridge::lost), and gaps of
//! unknown size by [`resync_needed`](NatsBridge::resync_needed). Within a node nothing changes.
//!
//! A [`NatsBridge`] joins the [topics](slotwork::WebSocketServer::topic) of servers in several
//! processes: what one of them publishes reaches the subscribers of all. [`RemoteSignal`] is a
//! signal whose slots run on all nodes.
//!
//! ```no_run
//! use slotwork::{EventLoop, HostAddress, SslMode, WebSocketServer};
//! use slotwork_nats::{NatsBridge, NatsOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = WebSocketServer::new("Chat", SslMode::NonSecure);
//! server.new_connection().connect(|server, ()| {
//!     while let Some(socket) = server.next_pending_connection() {
//!         let Ok(lobby) = server.topic("rooms/lobby") else { return };
//!         socket.text_message_received().connect_to(&lobby, |lobby, _socket, text| {
//!             lobby.publish_text(text);
//!         });
//!         // Fails when the client has left already.
//!         _ = lobby.subscribe(&socket);
//!     }
//! });
//!
//! let options = NatsOptions::new("nats://10.0.0.1:4222").user_and_password("chat", "secret");
//! let bridge = NatsBridge::connect(options)?;
//! bridge.bridge_topics(&server, "chat")?;
//! bridge.resync_needed().connect(|_bridge, ()| println!("messages may be missing"));
//!
//! server.listen(HostAddress::Any, 8080)?;
//! EventLoop::current().exec();
//! # Ok(())
//! # }
//! ```
//!
//! # Permissions
//!
//! Each client of NATS that may publish to the prefix reaches all sockets. So the nodes have a user
//! that alone may use it; a configuration of `nats-server`:
//!
//! ```text
//! authorization {
//!   users = [
//!     { user: chat, password: "secret",
//!       permissions: { publish: ["chat.>", "_slotwork.*.chat.>"],
//!                      subscribe: ["chat.>", "_slotwork.*.chat.>"] } }
//!   ]
//! }
//! ```
//!
//! `_slotwork.*.chat.>` carries the questions for kept messages, and the answers. Each prefix has
//! its own, so several applications may share an account, with a user and a prefix each.
//!
//! # What travels
//!
//! Messages of topics and values of signals, and no state: the number of subscribers, the list of
//! clients and settings are those of each node. There is no presence across nodes yet. A topic's
//! messages of one thread arrive in their order; two publishers may be seen in two orders.
//!
//! Texts travel as they are, binary messages with the header `Slotwork-Kind: binary`: programs in
//! other languages publish to a topic with any client of NATS. `/` in the name of a topic is `.` in
//! the subject, and what NATS does not allow there is percent-encoded.
//!
//! # Threads
//!
//! The client of NATS, async-nats, runs in a thread of its own, on tokio;
//! [`NatsBridge::connect_on`] uses a runtime that the program has. No slot runs there, and no slot
//! waits for it: messages go through queues with bounds. The signals of the bridge are emitted by
//! the loop of the thread that connected it.

mod bridge;
mod connection;
mod delivery;
mod error;
mod inbox;
mod options;
mod outbox;
mod remote_signal;
mod shared;
mod stats;
mod subjects;
mod subscriptions;
mod topics;

pub use bridge::NatsBridge;
pub use bridge::WeakNatsBridge;
pub use error::Error;
pub use options::NatsOptions;
pub use remote_signal::RemoteSignal;
pub use remote_signal::WeakRemoteSignal;
pub use stats::BridgeStats;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

// The published package does not have this page.
#[cfg(all(doctest, in_repository))]
#[doc = include_str!("../../docs/more-than-one-machine.md")]
struct MoreThanOneMachine;
