//! What each thread keeps: its slots, its queue, its limits.

pub(crate) mod inbox;
pub(crate) mod mailbox;
pub(crate) mod nesting;
pub(crate) mod slot_table;
pub(crate) mod slow_slots;
pub(crate) mod thread_state;
pub(crate) mod wake_up;
