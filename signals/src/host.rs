//! What an event loop needs of its thread's queue, and no other program.

use crate::home;

pub use crate::dispatch::BATCH;
pub use crate::nesting::RunningLoop;
pub use crate::slow::{Origin, watched_call};

/// Runs all that is in this thread's queue now.
pub fn run_queue() {
    home::run_posts(u64::MAX);
}

/// Runs what is in this thread's queue now, up to the first call that is not a slot's.
pub fn run_slots() {
    home::run_slots();
}

/// Drops what is in this thread's queue now.
pub fn drop_queue() {
    home::drop_posts();
}
