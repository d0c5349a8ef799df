//! Signals and slots, an event loop and WebSocket servers, as Qt programs know them.

mod close_code;
#[allow(dead_code, unreachable_pub, reason = "the server, which uses and re-exports it, follows")]
mod handshake;
#[allow(dead_code, reason = "the session that stands on it comes next")]
mod protocol;

pub use close_code::CloseCode;
pub use slotwork_signals as signals;
