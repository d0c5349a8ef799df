//! Signals and slots, an event loop and WebSocket servers, as Qt programs know them.

mod close_code;

pub use close_code::CloseCode;
pub use slotwork_signals as signals;
