//! Emissions as values that async code awaits.

pub(crate) mod buffer;
pub(crate) mod next_value;
pub(crate) mod stream;
