//! A TCP connection that somebody else has accepted.

use std::io;
use std::net::{self, SocketAddr};

use mio::net::TcpStream as MioStream;

use crate::net::stream::TcpStream;
use crate::net::stream::options::SEND_BUFFER;

/// A connection that is not watched by a reactor yet.
pub(crate) struct Adopted {
    io: net::TcpStream,
    peer_address: SocketAddr,
}

impl Adopted {
    /// Takes a connection, unless it has ended already.
    pub(crate) fn new(io: net::TcpStream) -> io::Result<Self> {
        io.set_nonblocking(true)?;
        let peer = io.peer_addr()?;
        Ok(Self { io, peer_address: SocketAddr::new(peer.ip().to_canonical(), peer.port()) })
    }

    pub(crate) const fn peer_address(&self) -> SocketAddr {
        self.peer_address
    }

    /// Watches the connection with the reactor of this thread.
    pub(crate) fn watch(self) -> io::Result<TcpStream> {
        let stream = TcpStream::new(MioStream::from_std(self.io))?;
        stream.set_unsent_limit(Some(SEND_BUFFER));
        Ok(stream)
    }
}
