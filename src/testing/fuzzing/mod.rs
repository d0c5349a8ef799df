//! The checks of the fuzz targets in `fuzz/`; not a part of any release.
//!
//! Each takes the bytes of a fuzzer and panics when a promise is broken. The unit tests run them
//! over the committed corpora and over seeded inputs.

#[cfg(feature = "compression")]
mod compressed_target;
mod connection_script;
mod connection_target;
#[cfg(feature = "compression")]
mod extensions_target;
mod frame_model;
mod frames_target;
mod head_target;
mod httparse_target;
#[cfg(feature = "proxy-protocol")]
mod proxy_header_target;
#[cfg(test)]
mod tests;
mod tungstenite_target;

#[cfg(feature = "compression")]
pub use compressed_target::compressed;
pub use connection_target::connection;
#[cfg(feature = "compression")]
pub use extensions_target::extensions;
pub use frames_target::{frames_client, frames_server};
pub use head_target::head;
pub use httparse_target::httparse;
#[cfg(feature = "proxy-protocol")]
pub use proxy_header_target::proxy_header;
pub use tungstenite_target::tungstenite;
