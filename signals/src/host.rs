//! What an event loop needs of its thread's queue, and no other program.

use crate::thread::thread_state;

pub use crate::queue::dispatch::BATCH;
pub use crate::thread::nesting::RunningLoop;
pub use crate::thread::slow_slots::{Origin, watched_call};

/// Runs all that is in this thread's queue now.
pub fn run_queue() {
    thread_state::run_posts(u64::MAX);
}

/// Runs what is in this thread's queue now, up to the first call that is not a slot's.
pub fn run_slots() {
    thread_state::run_slots();
}

/// Drops what is in this thread's queue now.
pub fn drop_queue() {
    thread_state::drop_posts();
}
