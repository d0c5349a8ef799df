//! The machinery of one thread.
//!
//! Readiness of sockets, deadlines, turns, caught panics, output of many, and the memory budget.

pub(crate) mod clock;
pub(crate) mod flush_list;
pub(crate) mod memory_budget;
pub(crate) mod panics;
pub(crate) mod reactor;
pub(crate) mod shared_frame;
pub(crate) mod sync;
pub(crate) mod timers;
pub(crate) mod turns;
