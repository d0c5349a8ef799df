//! Emissions as values for async code: the next value, and streams.

pub(crate) mod buffer;
pub(crate) mod next_value;
pub(crate) mod stream;
