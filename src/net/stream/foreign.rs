//! Streams that other code has made, before they belong to a loop.

use std::any::Any;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use smol::Async;
use smol::io::{AsyncRead, AsyncWrite};

use crate::net::stream::Stream;
use crate::net::stream::any_stream::{AnyStream, DynIo};
use crate::net::stream::listener::{AcceptedStream, UNKNOWN_PEER};
#[cfg(any(test, fuzzing, feature = "testing"))]
use crate::net::stream::memory::MemoryEnd;
use crate::net::stream::other_stream::OtherStream;
use crate::net::stream::tcp_stream::Adopted;

/// A stream that other code has made, without a loop.
pub(crate) struct ForeignStream(Kind);

enum Kind {
    Tcp(Adopted),
    /// It has the options of its listener.
    Accepted(AcceptedStream),
    Any(Box<DynIo>),
    #[cfg(any(test, fuzzing, feature = "testing"))]
    Memory(MemoryEnd),
}

impl ForeignStream {
    /// Takes a stream over; an error means that a TCP connection has ended.
    ///
    /// A `TcpStream` of smol, or an `Async` of one, becomes TCP on the reactor of the loop: no other thread is needed, and
    /// the options of TCP are available.
    pub(crate) fn new(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> io::Result<Self> {
        let mut stream = Some(stream);
        let any: &mut dyn Any = &mut stream;
        if let Some(tcp) = any.downcast_mut::<Option<Async<TcpStream>>>().and_then(Option::take) {
            return Self::of_tcp(tcp.into_inner()?);
        }
        if let Some(tcp) = any.downcast_mut::<Option<smol::net::TcpStream>>().and_then(Option::take)
        {
            return Self::of_tcp(descriptor_of(tcp)?);
        }
        let io = stream.map(|io| -> Box<DynIo> { Box::new(io) });
        // It was taken only in the branch that has returned.
        io.map(|io| Self(Kind::Any(io))).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Takes a TCP connection over, unless it has ended.
    pub(crate) fn of_tcp(stream: TcpStream) -> io::Result<Self> {
        Ok(Self(Kind::Tcp(Adopted::new(stream)?)))
    }

    /// Takes a connection over that a server has accepted for another loop.
    pub(crate) const fn accepted(stream: AcceptedStream) -> Self {
        Self(Kind::Accepted(stream))
    }

    /// Takes over an end of a connection in memory.
    #[cfg(any(test, fuzzing, feature = "testing"))]
    pub(crate) const fn memory(end: MemoryEnd) -> Self {
        Self(Kind::Memory(end))
    }

    /// Returns the `given` address of the peer, or that of TCP, or [`UNKNOWN_PEER`].
    pub(crate) fn peer_address(&self, given: Option<SocketAddr>) -> SocketAddr {
        match (given, &self.0) {
            (Some(given), _) => SocketAddr::new(given.ip().to_canonical(), given.port()),
            (None, Kind::Tcp(adopted)) => adopted.peer_address(),
            (None, _) => UNKNOWN_PEER,
        }
    }

    /// Takes the stream to the loop of this thread.
    pub(crate) fn watch(self) -> io::Result<Stream> {
        Ok(match self.0 {
            Kind::Tcp(adopted) => Stream::Tcp(adopted.watch()?),
            Kind::Accepted(stream) => stream.watch()?,
            Kind::Any(io) => Stream::Other(Box::new(OtherStream::Any(AnyStream::new(io)?))),
            #[cfg(any(test, fuzzing, feature = "testing"))]
            Kind::Memory(end) => Stream::Memory(Box::new(end.watch()?)),
        })
    }
}

/// Returns the TCP connection of a stream of smol.
fn descriptor_of(stream: smol::net::TcpStream) -> io::Result<TcpStream> {
    let shared: Arc<Async<TcpStream>> = stream.into();
    match Arc::try_unwrap(shared) {
        Ok(only) => only.into_inner(),
        // The program has another handle, which does not use the connection any more.
        Err(shared) => shared.get_ref().try_clone(),
    }
}
