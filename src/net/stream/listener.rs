//! A listening socket, TCP or Unix, on the reactor of a loop.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, RawFd};
#[cfg(unix)]
use std::os::unix::net as unix;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use mio::net;
#[cfg(unix)]
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, Protocol, SockAddr, SockRef, Type};

use crate::net::stream::Stream;
use crate::net::stream::options::{self, BACKLOG, SEND_BUFFER};
use crate::net::stream::tcp_stream::TcpStream;
#[cfg(unix)]
use crate::net::stream::unix_listener::UnixListener;
#[cfg(unix)]
use crate::net::stream::unix_stream::UnixStream;
use crate::runtime::reactor::{Reactor, Source, SourceHandle};
use crate::runtime::sync::Mutex;
use crate::types::host_address::HostAddress;
#[cfg(unix)]
use crate::types::unix_address::UnixAddress;

/// A listening socket, which any thread can close.
pub(crate) struct Listener {
    io: Mutex<Option<Socket>>,
    local: LocalAddress,
    source: OnceLock<SourceHandle>,
}

/// The address of a listening socket.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum LocalAddress {
    Tcp(SocketAddr),
    /// `None` for a socket without a name.
    #[cfg(unix)]
    Unix(Option<UnixAddress>),
}

enum Socket {
    Tcp(net::TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Listener {
    /// Binds and listens; connections are accepted once it is watched.
    ///
    /// With `reuse_port` other processes may have listeners of the same address and port.
    pub(crate) fn bind(address: HostAddress, port: u16, reuse_port: bool) -> io::Result<Self> {
        let bind =
            |address: HostAddress| bind(address, SocketAddr::new(address.ip(), port), reuse_port);
        let listener = match bind(address) {
            Err(_) if address == HostAddress::Any && !has_ipv6() => bind(HostAddress::AnyIPv4)?,
            result => result?,
        };
        let local_address = listener.local_addr()?;
        Ok(Self::new(listener, local_address))
    }

    /// Takes a listening socket over; returns its address too.
    pub(crate) fn adopt(listener: TcpListener) -> io::Result<(Self, HostAddress)> {
        let local_address = listener.local_addr()?;
        check_listening(&SockRef::from(&listener))?;
        listener.set_nonblocking(true)?;
        let address = match local_address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => HostAddress::AnyIPv4,
            IpAddr::V6(ip) if ip.is_unspecified() => {
                let is_dual = !SockRef::from(&listener).only_v6()?;
                if is_dual { HostAddress::Any } else { HostAddress::AnyIPv6 }
            }
            ip => HostAddress::Ip(ip),
        };
        Ok((Self::new(listener, local_address), address))
    }

    /// Binds a Unix socket, and listens.
    #[cfg(unix)]
    pub(crate) fn bind_unix(address: UnixAddress, mode: u32) -> io::Result<Self> {
        let listener = UnixListener::bind(&address, mode)?;
        Ok(Self::with(Socket::Unix(listener), LocalAddress::Unix(Some(address))))
    }

    /// Takes a listening Unix socket over.
    #[cfg(unix)]
    pub(crate) fn adopt_unix(listener: unix::UnixListener) -> io::Result<Self> {
        check_listening(&SockRef::from(&listener))?;
        let address = UnixAddress::of(&listener.local_addr()?);
        let listener = UnixListener::adopt(listener)?;
        Ok(Self::with(Socket::Unix(listener), LocalAddress::Unix(address)))
    }

    fn new(listener: TcpListener, local_address: SocketAddr) -> Self {
        // Accepted connections inherit both.
        options::set_unsent_limit(&SockRef::from(&listener), Some(SEND_BUFFER));
        options::set_inherited_no_delay(&SockRef::from(&listener));
        let socket = Socket::Tcp(net::TcpListener::from_std(listener));
        Self::with(socket, LocalAddress::Tcp(local_address))
    }

    const fn with(socket: Socket, local: LocalAddress) -> Self {
        Self { io: Mutex::new(Some(socket)), local, source: OnceLock::new() }
    }

    pub(crate) const fn local(&self) -> &LocalAddress {
        &self.local
    }

    /// Returns the descriptor; `None` when it is closed.
    #[cfg(unix)]
    pub(crate) fn descriptor(&self) -> Option<RawFd> {
        let io = self.io.lock();
        io.as_ref().map(|socket| match socket {
            Socket::Tcp(listener) => listener.as_raw_fd(),
            Socket::Unix(listener) => listener.io.as_raw_fd(),
        })
    }

    /// Closes the socket, which frees the port at once, and wakes the accepting task.
    pub(crate) fn close(&self) {
        let listener = self.io.lock().take();
        drop(listener);
        self.wake();
    }

    /// Wakes the accepting task.
    pub(crate) fn wake(&self) {
        if let Some(source) = self.source.get() {
            source.wake();
        }
    }

    /// Registers the socket with the reactor of this thread; `None` when it is closed.
    pub(crate) fn watch(self: &Arc<Self>) -> io::Result<Option<Incoming>> {
        let mut io = self.io.lock();
        let Some(socket) = io.as_mut() else { return Ok(None) };
        let reactor = Reactor::current()?;
        let source = match socket {
            Socket::Tcp(listener) => reactor.register(listener)?,
            #[cfg(unix)]
            Socket::Unix(listener) => reactor.register(&mut listener.io)?,
        };
        drop(io);
        // A listener is registered once: the reactor refuses a descriptor that it already has.
        let _ = self.source.set(source.handle());
        Ok(Some(Incoming { listener: Arc::clone(self), source, accepted: 0, last_accepted: 0 }))
    }
}

/// The incoming connections of a watched listener.
///
/// After each event all connections are accepted: another one follows only for new ones. An `accept`
/// that finds none costs the kernel as much as one that does, with a descriptor made and dropped, and
/// many times what it costs to look. So it looks before it accepts, where connections come one by one.
pub(crate) struct Incoming {
    listener: Arc<Listener>,
    source: Source,
    /// How many connections have come since the last event.
    accepted: u32,
    /// How many came with the last event before it that brought any.
    last_accepted: u32,
}

impl Incoming {
    /// Waits until the listener is closed.
    pub(crate) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.source.set_waker(cx.waker());
        let io = self.listener.io.lock();
        if io.is_none() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Accepts the next connection; `None` when the listener was closed.
    pub(crate) fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<(AcceptedStream, SocketAddr)>>> {
        self.source.set_waker(cx.waker());
        let io = self.listener.io.lock();
        let Some(socket) = io.as_ref() else { return Poll::Ready(None) };
        let accepted = if self.looks_first() { socket.accept_if_any() } else { socket.accept() };
        if let Err(error) = &accepted
            && error.kind() == io::ErrorKind::WouldBlock
        {
            self.source.clear_readable();
            if self.accepted > 0 {
                self.last_accepted = mem::take(&mut self.accepted);
            }
            return Poll::Pending;
        }
        self.accepted = self.accepted.saturating_add(accepted.is_ok().into());
        Poll::Ready(Some(accepted))
    }

    /// Returns whether the next connection may well not be there.
    fn looks_first(&self) -> bool {
        // An event brings at least one. Where a look is not enough for another event to follow, only
        // an `accept` that fails is.
        self.accepted > 0
            && self.accepted.max(self.last_accepted) < MANY
            && self.source.readiness().reports_after_short()
    }
}

impl Socket {
    /// Looks for a connection, and accepts it.
    fn accept_if_any(&self) -> io::Result<(AcceptedStream, SocketAddr)> {
        if self.has_connection() { self.accept() } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    /// Returns whether a connection waits to be accepted, or may.
    #[cfg(unix)]
    fn has_connection(&self) -> bool {
        let descriptor = match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.io.as_fd(),
        };
        let found = poll(&mut [PollFd::new(descriptor, PollFlags::POLLIN)], PollTimeout::ZERO);
        found != Ok(0)
    }

    #[cfg(not(unix))]
    fn has_connection(&self) -> bool {
        let _ = self;
        true
    }

    /// Accepts a connection; a peer of a Unix socket has no address.
    fn accept(&self) -> io::Result<(AcceptedStream, SocketAddr)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                Ok((AcceptedStream::Tcp(stream), peer))
            }
            #[cfg(unix)]
            Self::Unix(listener) => {
                let (stream, _) = listener.io.accept()?;
                Ok((AcceptedStream::Unix(stream), UNKNOWN_PEER))
            }
        }
    }
}

/// A connection that was accepted, without a reactor.
pub(crate) enum AcceptedStream {
    Tcp(net::TcpStream),
    #[cfg(unix)]
    Unix(net::UnixStream),
}

impl AcceptedStream {
    /// Registers the connection with the reactor of this thread.
    pub(crate) fn watch(self) -> io::Result<Stream> {
        Ok(match self {
            Self::Tcp(stream) => Stream::Tcp(TcpStream::accepted(stream)?),
            #[cfg(unix)]
            Self::Unix(stream) => UnixStream::register(stream)?.into(),
        })
    }
}

fn bind(kind: HostAddress, address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket =
        socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(kind != HostAddress::Any)?;
    }
    // A restarted server can bind its port while old connections are in TIME_WAIT.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    if reuse_port {
        set_reuse_port(&socket)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))))]
fn set_reuse_port(socket: &socket2::Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(all(
    unix,
    not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))
)))]
fn set_reuse_port(_socket: &socket2::Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Fails when a socket is known not to listen: no connection could arrive.
fn check_listening(socket: &SockRef<'_>) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    if !socket.is_listener()? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the socket does not listen"));
    }
    let _ = socket;
    Ok(())
}

/// Returns whether this machine has IPv6.
fn has_ipv6() -> bool {
    let address = HostAddress::LocalHostIPv6;
    bind(address, SocketAddr::new(address.ip(), 0), false).is_ok()
}

/// From so many connections at once on the next one is not looked for.
const MANY: u32 = 4;
/// Stands for the address of a peer that has none; no peer is at it.
pub(crate) const UNKNOWN_PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

#[cfg(test)]
mod tests {
    use std::task::Waker;
    use std::time::{Duration, Instant};

    use super::*;

    /// Waits for an event, and accepts all that came with it.
    fn accept_all(incoming: &mut Incoming, deadline: Instant) -> io::Result<usize> {
        assert!(Instant::now() < deadline, "a connection is not accepted");
        let reactor = Reactor::current()?;
        reactor.wait(Some(deadline))?;
        reactor.wake_tasks();
        let mut count = 0;
        while let Poll::Ready(accepted) =
            incoming.poll_accept(&mut Context::from_waker(Waker::noop()))
        {
            accepted.ok_or(io::ErrorKind::NotConnected)??;
            count += 1;
        }
        Ok(count)
    }

    /// Connections that come one by one and many at once, in each order.
    #[test]
    fn all_connections_are_accepted_however_many_come_at_once() -> io::Result<()> {
        let listener = Arc::new(Listener::bind(HostAddress::LocalHost, 0, false)?);
        let LocalAddress::Tcp(address) = *listener.local() else { unreachable!("it is TCP") };
        let mut incoming = listener.watch()?.ok_or(io::ErrorKind::NotConnected)?;
        let deadline = Instant::now() + Duration::from_secs(30);
        let counts = [1, 2, MANY as usize - 1, MANY as usize, 20];

        for first in counts {
            for second in counts {
                for expected in [first, second] {
                    let connect = |_| std::net::TcpStream::connect(address);
                    let clients = (0..expected).map(connect).collect::<io::Result<Vec<_>>>()?;
                    let mut accepted = 0;
                    while accepted < clients.len() {
                        accepted += accept_all(&mut incoming, deadline)?;
                    }
                    assert_eq!(accepted, expected);
                }
            }
        }
        Ok(())
    }

    /// Behind a lone connection there is a look, and none behind many at once.
    #[cfg(unix)]
    #[test]
    fn an_accept_that_may_find_nothing_follows_a_look() -> io::Result<()> {
        let listener = Arc::new(Listener::bind(HostAddress::LocalHost, 0, false)?);
        let LocalAddress::Tcp(address) = *listener.local() else { unreachable!("it is TCP") };
        let mut incoming = listener.watch()?.ok_or(io::ErrorKind::NotConnected)?;
        let mut accept = |expected: u32| -> io::Result<bool> {
            let connect = |_| std::net::TcpStream::connect(address);
            let _clients = (0..expected).map(connect).collect::<io::Result<Vec<_>>>()?;
            let mut looked = false;
            let mut accepted = 0;
            loop {
                looked |= incoming.looks_first();
                match incoming.poll_accept(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(connection) => {
                        connection.ok_or(io::ErrorKind::NotConnected)??;
                        accepted += 1;
                    }
                    Poll::Pending if accepted == expected => return Ok(looked),
                    Poll::Pending => {}
                }
            }
        };

        assert!(accept(1)? && accept(1)?);
        assert!(accept(5 * MANY)?, "the first of many are looked for");
        assert!(!accept(5 * MANY)?, "many are expected behind many");
        assert!(!accept(1)?);
        assert!(accept(1)?);
        Ok(())
    }
}
