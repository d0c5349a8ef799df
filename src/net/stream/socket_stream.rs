//! Connections over sockets of the system, on the reactor of a loop.

use std::io::{self, IoSlice, Read, Write};

use mio::event;

use crate::runtime::reactor::{Reactor, Source};

/// A connection over a socket that is registered with a reactor.
///
/// In tests, `I` is a script instead of a socket.
pub(crate) struct SocketStream<I> {
    pub(crate) io: I,
    pub(crate) source: Source,
}

impl<I: event::Source> SocketStream<I> {
    /// Registers a connected socket with the reactor of this thread.
    pub(crate) fn register(mut io: I) -> io::Result<Self> {
        let source = Reactor::current()?.register(&mut io)?;
        Ok(Self { io, source })
    }
}

impl<I: event::Source + Read + Write> SocketStream<I> {
    #[inline]
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    #[inline]
    pub(crate) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Events add to it on this thread alone: it stays valid beyond the read.
        let readiness = self.source.readiness();
        if !readiness.is_readable() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let result = retry_interrupted(|| self.io.read(buffer));
        let is_drained = match &result {
            Ok(0) => false,
            Ok(length) if *length == buffer.len() => false,
            // A short read means that no more has arrived, unless the end is known to follow.
            Ok(_) => readiness.reports_after_short() && !readiness.is_read_closed(),
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        };
        if is_drained {
            self.source.clear_readable();
        }
        result
    }

    #[inline]
    pub(crate) fn try_write(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let readiness = self.source.readiness();
        if !readiness.is_writable() {
            return Ok(0);
        }
        let mut written = self.write_once(buffers)?;
        if written > 0 && !readiness.reports_after_short() {
            written = self.write_rest(buffers, written);
        }
        if written < buffers.iter().map(|buffer| buffer.len()).sum() {
            self.watch_room(written)?;
        }
        Ok(written)
    }

    /// Writes what the kernel accepts of one buffer, and updates the readiness.
    #[inline]
    pub(crate) fn try_write_here(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.write_here_with(buffer, |io| io.write(buffer))
    }

    /// Writes one buffer with `write`, and updates the readiness.
    #[inline]
    pub(super) fn write_here_with(
        &mut self,
        buffer: &[u8],
        mut write: impl FnMut(&mut I) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if !self.source.readiness().is_writable() {
            return Ok(0);
        }
        let written = retry_interrupted(|| write(&mut self.io));
        match written {
            Ok(count) if count == buffer.len() => written,
            _ => self.end_short_write(buffer, written),
        }
    }

    /// Updates the readiness after a write that has not taken all of the buffer.
    #[cold]
    fn end_short_write(&mut self, buffer: &[u8], written: io::Result<usize>) -> io::Result<usize> {
        let written = match written {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            written => written?,
        };
        let is_rest_tried = written > 0 && !self.source.readiness().reports_after_short();
        let written =
            if is_rest_tried { self.write_rest(&[IoSlice::new(buffer)], written) } else { written };
        if written < buffer.len() {
            self.source.clear_writable();
            self.watch_room(written)?;
        }
        Ok(written)
    }

    /// Watches for room after a write of so many bytes, which was not taken whole.
    ///
    /// A failure with nothing taken is the write's own. Otherwise the bytes count, and the next call
    /// meets it again.
    #[cold]
    fn watch_room(&mut self, written: usize) -> io::Result<()> {
        let is_watched = self.source.watch_room(&mut self.io);
        if is_watched.is_err() {
            self.source.assume_writable();
        }
        if written > 0 { Ok(()) } else { is_watched }
    }

    /// Writes the rest behind the first `written` bytes, until the kernel would block.
    ///
    /// Only then does an event follow. The next call meets a failure again.
    #[cold]
    fn write_rest(&mut self, buffers: &[IoSlice<'_>], mut written: usize) -> usize {
        let mut end = 0;
        for buffer in buffers {
            end += buffer.len();
            while written < end {
                let rest = buffer.get(buffer.len() - (end - written)..).unwrap_or_default();
                match self.write_once(&[IoSlice::new(rest)]) {
                    Ok(count @ 1..) => written += count,
                    _ => return written,
                }
            }
        }
        written
    }

    /// Writes what the kernel accepts; 0 bytes when it would block.
    #[inline]
    fn write_once(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let write = || match buffers {
            [buffer] => self.io.write(buffer),
            buffers => self.io.write_vectored(buffers),
        };
        match retry_interrupted(write) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
    }
}

fn retry_interrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Returns whether peeking has found the end of a connection, or its failure.
pub(super) fn is_end(peeked: io::Result<usize>) -> bool {
    match peeked {
        Ok(count) => count == 0,
        Err(error) => {
            !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
        }
    }
}

/// Returns the error of an ended connection: its socket's, or `UnexpectedEof`.
pub(super) fn end(socket_error: io::Result<Option<io::Error>>) -> io::Error {
    let failure = socket_error.ok().flatten();
    failure.unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
