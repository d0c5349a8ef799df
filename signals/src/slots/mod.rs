//! Slots: their states, their calls, and the lists of a signal.

pub(crate) mod call;
pub(crate) mod direct;
pub(crate) mod emission_flags;
pub(crate) mod list;
pub(crate) mod list_handle;
pub(crate) mod part;
pub(crate) mod slot;
pub(crate) mod slot_state;
