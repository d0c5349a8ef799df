//! Compressed messages (permessage-deflate, RFC 7692 §7), without I/O.
//!
//! A thread has one compressor and one inflater for all its connections. A connection holds no state
//! of zlib: its history, if it has one, is the plain text of the last messages, which is loaded before
//! each message. On the wire that is the context takeover of RFC 7692 §7.1.1.

pub(crate) mod compressor;
pub(crate) mod history_budget;
pub(crate) mod inflater;
pub(crate) mod short_compressor;
pub(crate) mod terms;
pub(crate) mod window;

#[cfg(test)]
mod tests;
