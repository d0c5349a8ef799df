//! Connections in memory, for tests: streams, and the hosts that accept them.

pub(crate) mod channel;
pub(crate) mod hosts;
mod stream;
pub(crate) mod wire;

pub(crate) use stream::{MemoryEnd, MemoryStream};
