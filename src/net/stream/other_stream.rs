//! The streams that are neither TCP nor this library's TLS, in one kind.
//!
//! Connections over TCP do not pay for a further kind: each call of a stream looks which one it is.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::time::Duration;

use crate::net::stream::any_stream::AnyStream;
#[cfg(unix)]
use crate::net::stream::unix_stream::UnixStream;
use crate::runtime::reactor::Source;
use crate::types::peer_credentials::PeerCredentials;

/// A stream of another library, or a Unix socket.
pub(crate) enum OtherStream {
    Any(AnyStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// Calls the same method of each kind of stream.
macro_rules! for_each_other {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            OtherStream::Any($inner) => $call,
            #[cfg(unix)]
            OtherStream::Unix($inner) => $call,
        }
    };
}

/// The methods of all streams.
impl OtherStream {
    pub(super) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for_each_other!(self, stream => stream.try_read(buffer))
    }

    pub(super) fn try_write(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        for_each_other!(self, stream => stream.try_write(buffers))
    }

    pub(super) fn shutdown_write(&mut self) -> io::Result<bool> {
        for_each_other!(self, stream => stream.shutdown_write())
    }

    pub(super) fn set_unsent_limit(&self, limit: Option<usize>) {
        for_each_other!(self, stream => stream.set_unsent_limit(limit));
    }

    pub(super) fn set_send_buffer(&self, size: Option<usize>) {
        for_each_other!(self, stream => stream.set_send_buffer(size));
    }

    pub(super) fn set_user_timeout(&self, timeout: Option<Duration>) -> bool {
        for_each_other!(self, stream => stream.set_user_timeout(timeout))
    }

    pub(super) fn is_at_end(&self) -> bool {
        for_each_other!(self, stream => stream.is_at_end())
    }

    pub(super) fn end(&self) -> io::Error {
        for_each_other!(self, stream => stream.end())
    }

    pub(super) fn local_address(&self) -> io::Result<SocketAddr> {
        for_each_other!(self, stream => stream.local_address())
    }

    pub(super) fn source(&self) -> &Source {
        for_each_other!(self, stream => stream.source())
    }

    /// Returns the number of bytes that are written but not flushed.
    pub(super) fn unconfirmed(&self) -> usize {
        match self {
            Self::Any(stream) => stream.unconfirmed(),
            #[cfg(unix)]
            Self::Unix(_) => 0,
        }
    }

    /// Detects the end of a stream for which no event is reported.
    pub(super) fn probe(&self) {
        match self {
            Self::Any(stream) => stream.probe(),
            #[cfg(unix)]
            Self::Unix(_) => {}
        }
    }

    /// Returns the credentials of the peer of a Unix socket.
    pub(super) fn peer_credentials(&self) -> Option<PeerCredentials> {
        match self {
            Self::Any(_) => None,
            #[cfg(unix)]
            Self::Unix(stream) => stream.peer_credentials(),
        }
    }
}
