//! Signals and slots, an event loop and WebSocket servers, as Qt programs know them.

mod close_code;
mod event_loop;
#[allow(dead_code, unreachable_pub, reason = "the server, which uses and re-exports it, follows")]
mod handshake;
#[allow(dead_code, reason = "the session that stands on it comes next")]
mod protocol;

#[allow(dead_code, reason = "the streams that stand on it come next")]
mod reactor;
#[allow(dead_code, reason = "the streams that stand on it come next")]
mod timers;

pub use close_code::CloseCode;
pub use event_loop::{EventLoop, LoopHandle};
pub use slotwork_signals as signals;
