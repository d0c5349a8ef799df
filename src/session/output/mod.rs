//! Output of a connection: sending, the queue for the kernel, and the policy for a slow peer.

pub(crate) mod backlog;
pub(crate) mod level;
pub(crate) mod policy;
pub(crate) mod queue;
mod sending;
mod waiting;
