//! The test kit: the virtual clock, and connections in memory.

mod clock;
mod links;
mod peers;
