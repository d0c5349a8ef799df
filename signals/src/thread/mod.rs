//! The state of each thread: slots, queue, nesting limit, warnings.

pub(crate) mod inbox;
pub(crate) mod mailbox;
pub(crate) mod nesting;
pub(crate) mod slot_table;
pub(crate) mod slow_slots;
pub(crate) mod thread_state;
pub(crate) mod wake_up;
