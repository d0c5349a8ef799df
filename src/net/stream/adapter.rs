//! `AsyncRead` and `AsyncWrite` of a stream, for handshakes by other crates.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use smol::io::{AsyncRead, AsyncWrite};

use crate::net::stream::Stream;

/// The input of a library, which need not be that of the stream.
pub(crate) trait Readable: Unpin {
    /// Reads as [`AsyncRead::poll_read`] does, from the stream or elsewhere.
    fn poll_read(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>>;
}

/// Writes to a stream, and reads from a source.
pub(crate) struct Adapter<'a, S> {
    pub(crate) stream: &'a mut Stream,
    pub(crate) source: S,
}

impl<S: Readable> AsyncRead for Adapter<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, source } = &mut *self;
        source.poll_read(stream, cx, buffer)
    }
}

impl<S: Unpin> AsyncWrite for Adapter<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_write(cx, buffer)
    }

    /// Writes all buffers in one call.
    ///
    /// A library may not repeat a write, such as that of records with an alert behind them.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_write_vectored(cx, buffers)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.stream.shutdown_write().map(drop))
    }
}
