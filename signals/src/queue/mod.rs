//! The queue of a thread: posting to it, running it, waiting for it.

pub(crate) mod async_slots;
pub(crate) mod delivery_guard;
pub(crate) mod dispatch;
pub(crate) mod thread_queue;
pub(crate) mod wait;
