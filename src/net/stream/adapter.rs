//! A stream in the terms of futures, for libraries that shake hands over one.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use smol::io::{AsyncRead, AsyncWrite};

use crate::net::stream::Stream;

/// What a library reads instead of what the stream has.
pub(crate) trait Readable: Unpin {
    /// Reads as [`AsyncRead::poll_read`] does; what is missing may be taken from the stream.
    fn poll_read(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>>;
}

/// Lets a library write to a stream, and read what the source gives it.
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

    /// A library's last words are written at once, or never: an alert behind other records.
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

/// Bytes that are there already, and nothing behind them.
impl Readable for &[u8] {
    fn poll_read(
        &mut self,
        _: &mut Stream,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(io::Read::read(self, buffer))
    }
}
