//! What the fuzz targets of `fuzz/` check; not a part of any release.
//!
//! Each takes bytes that a fuzzer made up and panics when a promise is broken. The unit tests run
//! them over the committed corpora and over seeded inputs.

mod connection_script;
mod connection_target;
mod frame_model;
mod frames_target;
mod head_target;
#[cfg(test)]
mod tests;

pub use connection_target::connection;
pub use frames_target::{frames_client, frames_server};
pub use head_target::head;
