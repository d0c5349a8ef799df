//! What the fuzz targets of `fuzz/` check; not a part of any release.
//!
//! Each takes bytes that a fuzzer made up and panics when a promise is broken. The unit tests run
//! them over the committed corpora and over seeded inputs.

mod connection;
mod frames;
mod head;
mod model;
mod script;
#[cfg(test)]
mod tests;

pub use connection::connection;
pub use frames::{frames_client, frames_server};
pub use head::head;
