//! Connections through proxies, over a stream to the proxy.

use std::future::poll_fn;
use std::io;

use crate::net::stream::Stream;

mod http;
mod socks5;

pub(crate) use http::{HttpFailure, connect as connect_http};
pub(crate) use socks5::connect as connect_socks5;

/// The reason of a failed connection through a proxy.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The proxy refused, or broke its protocol; the text is for people.
    Refused(String),
    /// The connection to it failed.
    Broken(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// Reads exactly this many bytes: those behind are not the proxy's.
async fn read_exact<const N: usize>(stream: &mut Stream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut length = 0;
    while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match poll_fn(|cx| stream.poll_read(cx, rest)).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => length += count,
        }
    }
    Ok(bytes)
}
