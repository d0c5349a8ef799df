//! TCP connections on the reactor of a loop: accepted, adopted or connected.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream as StdTcpStream};
use std::task::{Context, Poll};
use std::time::Duration;

use mio::net;
#[cfg(any(target_os = "linux", target_os = "android"))]
use nix::libc;
use socket2::SockRef;

use crate::net::stream::options::{self, SEND_BUFFER};
use crate::net::stream::socket_stream::{self, SocketStream};
use crate::runtime::reactor::Reactor;

/// A TCP connection that is registered with a reactor.
pub(crate) type TcpStream = SocketStream<net::TcpStream>;

impl TcpStream {
    /// Registers a connection of one of our listeners with the reactor of this thread.
    pub(crate) fn accepted(io: net::TcpStream) -> io::Result<Self> {
        options::set_accepted_no_delay(&SockRef::from(&io));
        Self::register(io)
    }

    /// Starts connecting, on the reactor of this thread.
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let mut io = net::TcpStream::connect(address)?;
        options::set_no_delay(&SockRef::from(&io));
        // An event follows when the connection is established or has failed.
        let source = Reactor::current()?.register_connecting(&mut io)?;
        let stream = Self { io, source };
        stream.set_unsent_limit(Some(SEND_BUFFER));
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
        socket_stream::is_end(self.io.peek(&mut [0]))
    }

    /// Returns the error of an ended connection: a reset, or `UnexpectedEof`.
    pub(crate) fn end(&self) -> io::Error {
        socket_stream::end(self.io.take_error())
    }

    /// Writes the last output: where the system can, it waits for `shutdown_write`.
    ///
    /// One segment has both then.
    pub(crate) fn try_write_last(&mut self, buffer: &[u8]) -> io::Result<usize> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let written = self.write_here_with(buffer, |io| {
            SockRef::from(&*io).send_with_flags(buffer, libc::MSG_MORE | libc::MSG_NOSIGNAL)
        });
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let written = self.try_write_here(buffer);
        written
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
        let io = net::TcpStream::from_std(self.io);
        options::set_no_delay(&SockRef::from(&io));
        let stream = TcpStream::register(io)?;
        stream.set_unsent_limit(Some(SEND_BUFFER));
        Ok(stream)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_last_output_arrives_in_front_of_the_end() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut peer = StdTcpStream::connect(listener.local_addr()?)?;
        peer.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut stream = Adopted::new(listener.accept()?.0)?.watch()?;

        assert_eq!(stream.try_write_last(b"last")?, 4);
        assert!(stream.shutdown_write()?);

        let mut received = Vec::new();
        peer.read_to_end(&mut received)?;
        assert_eq!(received, b"last");
        Ok(())
    }
}
