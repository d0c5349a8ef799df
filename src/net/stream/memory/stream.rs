//! One end of a connection in memory, as the stream of a socket.

use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::net::stream::memory::channel::{Channel, End};
use crate::net::stream::memory::wire::{Side, Wire};
use crate::runtime::reactor::{Reactor, Source};

/// One end of a connection in memory, which is closed when it is dropped.
pub(crate) struct MemoryEnd {
    pub(crate) wire: Arc<Wire>,
    pub(crate) side: Side,
    pub(crate) address: SocketAddr,
}

/// An end on the loop of a thread.
pub(crate) struct MemoryStream {
    end: MemoryEnd,
    source: Source,
}

impl MemoryEnd {
    /// Takes the end to the loop of this thread.
    pub(crate) fn watch(self) -> io::Result<MemoryStream> {
        // Events come from the other end, not from the poll.
        let reactor = Reactor::current()?;
        let source = reactor.reserve()?;
        self.wire.set_source(self.side, &source, &reactor);
        Ok(MemoryStream { end: self, source })
    }
}

impl Drop for MemoryEnd {
    fn drop(&mut self) {
        self.wire.close(self.side);
    }
}

impl MemoryStream {
    pub(crate) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || !self.source.is_readable() {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.end.wire.read(self.end.side, buffer, &self.source)
    }

    pub(crate) fn try_write(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.source.is_writable() {
            return Ok(0);
        }
        self.end.wire.write(self.end.side, buffers, &self.source)
    }

    #[expect(clippy::unnecessary_wraps, reason = "the method is that of `TcpStream`")]
    pub(crate) fn shutdown_write(&mut self) -> io::Result<bool> {
        self.end.wire.shut_down(self.end.side);
        Ok(true)
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.end.wire.look(self.end.side, Channel::is_at_end)
    }

    pub(crate) fn end(&self) -> io::Error {
        match self.end.wire.look(self.end.side, Channel::arrived_end) {
            Some(End::Reset | End::Reported) => ErrorKind::ConnectionReset.into(),
            _ => ErrorKind::UnexpectedEof.into(),
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "the method is that of `TcpStream`")]
    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        Ok(self.end.address)
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }
}

/// The options of TCP, which memory does not have.
#[expect(clippy::unused_self, reason = "the methods are those of `TcpStream`")]
impl MemoryStream {
    pub(crate) fn set_unsent_limit(&self, _: Option<usize>) {}

    pub(crate) fn set_send_buffer(&self, _: Option<usize>) {}

    pub(crate) fn set_user_timeout(&self, _: Option<Duration>) -> bool {
        false
    }
}
