//! RFC 6455 from outside: messages, frames, violations, and the opening handshake.

mod frames;
mod handshake;
mod messages;
mod violations;
