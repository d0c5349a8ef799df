//! TCP connections on the reactor of a loop: accepted, adopted or connected.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream as StdTcpStream};
use std::task::{Context, Poll};
use std::time::Duration;

use mio::net;
use socket2::SockRef;

use crate::net::stream::options::{self, SEND_BUFFER};
use crate::runtime::reactor::{Reactor, Source};

/// A TCP connection that is registered with a reactor.
///
/// In tests, `I` is a script instead of a socket.
pub(crate) struct TcpStream<I = net::TcpStream> {
    pub(crate) io: I,
    pub(crate) source: Source,
}

impl TcpStream {
    /// Registers a connection of one of our listeners with the reactor of this thread.
    pub(crate) fn accepted(io: net::TcpStream) -> io::Result<Self> {
        options::set_accepted_no_delay(&SockRef::from(&io));
        Self::register(io)
    }

    /// Registers a connection with the reactor of this thread.
    fn new(io: net::TcpStream) -> io::Result<Self> {
        options::set_no_delay(&SockRef::from(&io));
        Self::register(io)
    }

    fn register(mut io: net::TcpStream) -> io::Result<Self> {
        let source = Reactor::current()?.register(&mut io)?;
        Ok(Self { io, source })
    }

    /// Starts connecting, on the reactor of this thread.
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = Self::new(net::TcpStream::connect(address)?)?;
        stream.set_unsent_limit(Some(SEND_BUFFER));
        // An event follows when the connection is established or has failed.
        stream.source().clear_writable();
        Ok(stream)
    }

    /// Waits until the connection is established.
    pub(crate) fn poll_connected(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.source().set_waker(cx.waker());
        if !self.source().is_writable() {
            return Poll::Pending;
        }
        if let Some(error) = self.io.take_error()? {
            return Poll::Ready(Err(error));
        }
        // After a spurious event mio has to see `WouldBlock`, or no other event may follow.
        let would_block = |error: io::Error| match error.kind() {
            io::ErrorKind::NotConnected => io::ErrorKind::WouldBlock.into(),
            _ => error,
        };
        match self.io.try_io(|| self.io.peer_addr().map_err(would_block)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.source().clear_writable();
                Poll::Pending
            }
            result => Poll::Ready(result.map(drop)),
        }
    }

    pub(crate) fn peer_address(&self) -> io::Result<SocketAddr> {
        let address = self.io.peer_addr()?;
        Ok(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }

    pub(crate) fn set_unsent_limit(&self, limit: Option<usize>) {
        options::set_unsent_limit(&SockRef::from(&self.io), limit);
    }

    pub(crate) fn set_send_buffer(&self, size: Option<usize>) {
        options::set_send_buffer(&SockRef::from(&self.io), size);
    }

    pub(crate) fn set_user_timeout(&self, timeout: Option<Duration>) -> bool {
        options::set_user_timeout(&SockRef::from(&self.io), timeout)
    }

    /// Returns whether the connection has ended or failed, with no input left.
    pub(crate) fn is_at_end(&self) -> bool {
        match self.io.peek(&mut [0]) {
            Ok(count) => count == 0,
            Err(error) => {
                !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
            }
        }
    }

    /// Returns the error of an ended connection: a reset, or `UnexpectedEof`.
    pub(crate) fn end(&self) -> io::Error {
        let failure = self.io.take_error().ok().flatten();
        failure.unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Ends the sending direction, which is always done at once.
    pub(crate) fn shutdown_write(&mut self) -> io::Result<bool> {
        self.io.shutdown(Shutdown::Write).map(|()| true)
    }

    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        let address = self.io.local_addr()?;
        Ok(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }
}

impl<I: Read + Write> TcpStream<I> {
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
        let written = self.write_once(buffers)?;
        if written == 0 || readiness.reports_after_short() {
            return Ok(written);
        }
        Ok(self.write_rest(buffers, written))
    }

    /// Writes what the kernel accepts of one buffer, and updates the readiness.
    #[inline]
    pub(crate) fn try_write_here(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if !self.source.readiness().is_writable() {
            return Ok(0);
        }
        let written = retry_interrupted(|| self.io.write(buffer));
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
        }
        Ok(written)
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

/// A TCP connection that other code has accepted, without a reactor.
pub(crate) struct Adopted {
    io: StdTcpStream,
    peer_address: SocketAddr,
}

impl Adopted {
    /// Takes a connection over, unless it has already ended.
    pub(crate) fn new(io: StdTcpStream) -> io::Result<Self> {
        io.set_nonblocking(true)?;
        let peer = io.peer_addr()?;
        Ok(Self { io, peer_address: SocketAddr::new(peer.ip().to_canonical(), peer.port()) })
    }

    pub(crate) const fn peer_address(&self) -> SocketAddr {
        self.peer_address
    }

    /// Registers the connection with the reactor of this thread.
    pub(crate) fn watch(self) -> io::Result<TcpStream> {
        let stream = TcpStream::new(net::TcpStream::from_std(self.io))?;
        stream.set_unsent_limit(Some(SEND_BUFFER));
        Ok(stream)
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
