//! Connections over Unix sockets, on the reactor of a loop.

use std::io;
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use mio::net;
use socket2::SockRef;

use crate::net::stream::credentials;
use crate::net::stream::options;
use crate::net::stream::socket_stream::{self, SocketStream};
use crate::runtime::timers::Sleep;
use crate::types::peer_credentials::PeerCredentials;
use crate::types::unix_address::UnixAddress;

/// A connection over a Unix socket that is registered with a reactor.
pub(crate) type UnixStream = SocketStream<net::UnixStream>;

impl UnixStream {
    /// Connects, on the reactor of this thread; waits while the server's queue is full.
    pub(crate) async fn connect(address: &UnixAddress) -> io::Result<Self> {
        let address = address.to_socket_address()?;
        let mut delay = SHORTEST_DELAY;
        loop {
            match net::UnixStream::connect_addr(&address) {
                // Linux has no event for room in the queue.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    Sleep::new(delay).await;
                    delay = LONGEST_DELAY.min(delay * 2);
                }
                result => return Self::register(result?),
            }
        }
    }

    /// Returns the credentials of the peer, where the system has them.
    pub(crate) fn peer_credentials(&self) -> Option<PeerCredentials> {
        credentials::of_peer(&self.io)
    }

    /// Returns whether the connection has ended or failed, with no input left.
    pub(crate) fn is_at_end(&self) -> bool {
        socket_stream::is_end(SockRef::from(&self.io).peek(&mut [MaybeUninit::uninit()]))
    }

    /// Returns the error of an ended connection: a reset, or `UnexpectedEof`.
    pub(crate) fn end(&self) -> io::Error {
        socket_stream::end(self.io.take_error())
    }

    /// Ends the sending direction, which is always done at once.
    pub(crate) fn shutdown_write(&mut self) -> io::Result<bool> {
        self.io.shutdown(Shutdown::Write).map(|()| true)
    }

    /// Sets the maximum of output in the kernel, in bytes.
    ///
    /// `None` leaves the system's default, which is some 200 KiB.
    pub(crate) fn set_send_buffer(&self, size: Option<usize>) {
        if let Some(size) = size {
            // Without the limit more is buffered; nothing else depends on it.
            let _ = SockRef::from(&self.io).set_send_buffer_size(size);
        }
    }

    /// Without a limit, raises the send buffer: no option is for the unsent part.
    pub(crate) fn set_unsent_limit(&self, limit: Option<usize>) {
        if limit.is_none() {
            options::raise_send_buffer(&SockRef::from(&self.io));
        }
    }
}

/// The options of TCP, which Unix sockets do not have.
#[expect(clippy::unused_self, reason = "the methods are those of `TcpStream`")]
impl UnixStream {
    pub(crate) fn set_user_timeout(&self, _: Option<Duration>) -> bool {
        false
    }

    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The delay before connecting is tried again, at first and at the most.
const SHORTEST_DELAY: Duration = Duration::from_millis(1);
const LONGEST_DELAY: Duration = Duration::from_millis(100);
