//! A listening TCP socket on the reactor of a loop.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
#[cfg(unix)]
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use mio::net;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use crate::net::stream::options::{self, SEND_BUFFER};
use crate::net::stream::tcp_stream::TcpStream;
use crate::runtime::reactor::{Reactor, Source, SourceHandle};
use crate::runtime::sync::Mutex;
use crate::types::host_address::HostAddress;

/// A listening socket, which any thread can close.
pub(crate) struct Listener {
    io: Mutex<Option<net::TcpListener>>,
    local_address: SocketAddr,
    source: OnceLock<SourceHandle>,
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

    fn new(listener: TcpListener, local_address: SocketAddr) -> Self {
        // Accepted connections inherit both.
        options::set_unsent_limit(&SockRef::from(&listener), Some(SEND_BUFFER));
        options::set_inherited_no_delay(&SockRef::from(&listener));
        let io = Mutex::new(Some(net::TcpListener::from_std(listener)));
        Self { io, local_address, source: OnceLock::new() }
    }

    pub(crate) const fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Returns the descriptor; `None` when it is closed.
    #[cfg(unix)]
    pub(crate) fn descriptor(&self) -> Option<RawFd> {
        let io = self.io.lock();
        io.as_ref().map(AsRawFd::as_raw_fd)
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
        let Some(listener) = io.as_mut() else { return Ok(None) };
        let source = Reactor::current()?.register(listener)?;
        drop(io);
        // A listener is registered once: the reactor refuses a descriptor that it already has.
        let _ = self.source.set(source.handle());
        Ok(Some(Incoming { listener: Arc::clone(self), source }))
    }
}

/// The incoming connections of a watched listener.
pub(crate) struct Incoming {
    listener: Arc<Listener>,
    source: Source,
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
        let Some(listener) = io.as_ref() else { return Poll::Ready(None) };
        match listener.accept() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.source.clear_readable();
                Poll::Pending
            }
            Err(error) => Poll::Ready(Some(Err(error))),
            Ok((stream, peer)) => {
                drop(io);
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                Poll::Ready(Some(Ok((AcceptedStream(stream), peer))))
            }
        }
    }
}

/// A connection that was accepted, without a reactor.
pub(crate) struct AcceptedStream(net::TcpStream);

impl AcceptedStream {
    /// Registers the connection with the reactor of this thread.
    pub(crate) fn watch(self) -> io::Result<TcpStream> {
        TcpStream::accepted(self.0)
    }
}

fn bind(kind: HostAddress, address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
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
fn set_reuse_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(all(
    unix,
    not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))
)))]
fn set_reuse_port(_socket: &Socket) -> io::Result<()> {
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

/// The backlog of the kernel, in connections: large enough for bursts of clients.
const BACKLOG: i32 = 4096;
