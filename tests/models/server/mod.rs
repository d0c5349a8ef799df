//! Stands for the floor of that name.

pub(crate) mod topics;
