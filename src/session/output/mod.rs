//! Output of a connection: the queue for the kernel, and back-pressure.

pub(crate) mod backlog;
mod chunk;
mod conflation;
mod conflation_keys;
pub(crate) mod cork_buffer;
mod corking;
pub(crate) mod level;
pub(crate) mod policy;
pub(crate) mod queue;
mod sending;
mod waiting;
pub(crate) mod writing;
