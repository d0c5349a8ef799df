//! Running a thread's queue of calls.

pub(crate) mod async_slots;
pub(crate) mod delivery_guard;
pub(crate) mod dispatch;
pub(crate) mod thread_queue;
pub(crate) mod wait;
