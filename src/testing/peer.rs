//! The other end of a connection in memory, as bytes.

use std::fmt;
use std::str;
use std::sync::Arc;
use std::time::Duration;

use crate::event_loop::EventLoop;
use crate::net::stream::memory::wire::{Side, deliver};
use crate::net::stream::memory::{MemoryEnd, hosts};
use crate::protocol::handshake::upgraded_elsewhere::accept_key;
use crate::server::WebSocketServer;
use crate::testing::link::Link;
use crate::types::error::Error;

/// One end of a connection in memory, which a test reads and writes as bytes.
///
/// It is a client of a server ([`connect`](Self::connect)), or the server of a client
/// ([`Host::accept`](crate::testing::Host::accept)). What it does not read fills the network's buffer:
/// so it is also a slow reader. It answers nothing by itself. When it is dropped, it closes its end,
/// as `close(2)` does: unread input resets the connection.
///
/// # Examples
///
/// RFC 6455 §5.1: a client that does not mask its frames.
///
/// ```
/// use slotwork::signals::SignalSpy;
/// use slotwork::testing::Peer;
/// use slotwork::{CloseCode, SslMode, WebSocketServer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = WebSocketServer::new("Server", SslMode::NonSecure);
/// let peer = Peer::connect(&server)?;
/// peer.upgrade()?;
/// let socket = server.next_pending_connection().ok_or("there is no socket")?;
/// let disconnected = SignalSpy::new(&socket.disconnected());
///
/// peer.send([0x81, 2, b'h', b'i']);
/// peer.end();
/// disconnected.wait_for(1)?;
///
/// let close = peer.received();
/// assert_eq!(close[..4], [0x88, close[1], 0x03, 0xEA], "it is closed with 1002");
/// # Ok(())
/// # }
/// ```
pub struct Peer {
    end: MemoryEnd,
}

impl Peer {
    pub(crate) const fn new(end: MemoryEnd) -> Self {
        Self { end }
    }

    /// Connects to a server, as a client that has sent nothing yet.
    ///
    /// The server need not listen.
    ///
    /// # Errors
    ///
    /// [`Error::EventLoopEnded`] when the server's loop has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::testing::{Peer, VirtualClock};
    /// use slotwork::{SslMode, WebSocketServer};
    ///
    /// # fn main() -> Result<(), slotwork::Error> {
    /// let clock = VirtualClock::install();
    /// let server = WebSocketServer::new("Server", SslMode::NonSecure);
    ///
    /// let peer = Peer::connect(&server)?;
    /// peer.send("POST / HTTP/1.1\r\nHost: server.test\r\n\r\n");
    /// clock.advance(Duration::ZERO);
    ///
    /// assert!(peer.received().starts_with(b"HTTP/1.1 405 "));
    /// # Ok(())
    /// # }
    /// ```
    pub fn connect(server: &WebSocketServer) -> Result<Self, Error> {
        let (client, end) = hosts::ends(80);
        EventLoop::current().spawn(deliver(Arc::clone(&end.wire))).detach();
        server.handle_memory(end, client.address)?;
        Ok(Self::new(client))
    }

    /// Does its part of the opening handshake; returns the head of the other end.
    ///
    /// A client sends a request for `/` and reads the answer, whatever its status; a server reads the
    /// request and answers it with 101. The loop runs meanwhile. Bytes behind the head are left for
    /// [`received`](Self::received).
    ///
    /// # Errors
    ///
    /// [`Error::ConnectTimeout`] when no whole head has arrived after 10 s, also because the other end
    /// has closed the connection.
    pub fn upgrade(&self) -> Result<String, Error> {
        match self.end.side {
            Side::Client => {
                self.send(REQUEST);
                self.read_head()
            }
            Side::Server => {
                let head = self.read_head()?;
                let key = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    name.eq_ignore_ascii_case("Sec-WebSocket-Key").then_some(value.trim())
                });
                let accept = accept_key(key.unwrap_or_default());
                self.send(format!("{ANSWER}Sec-WebSocket-Accept: {accept}\r\n\r\n"));
                Ok(head)
            }
        }
    }

    fn read_head(&self) -> Result<String, Error> {
        let is_settled = || self.head_length().is_some() || self.has_ended();
        let _ = EventLoop::current().wait_until(is_settled, TIMEOUT);
        let length = self.head_length().ok_or(Error::ConnectTimeout(TIMEOUT))?;
        let head = self.end.wire.change(self.end.side, |incoming| incoming.take(length));
        Ok(String::from_utf8_lossy(&head).into_owned())
    }

    /// Returns the length of the head that has arrived, with its empty line.
    fn head_length(&self) -> Option<usize> {
        self.end.wire.look(self.end.side, |incoming| {
            let arrived = incoming.arrived();
            Some(arrived.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4)
        })
    }

    /// Sends bytes; they are lost if the connection has ended.
    ///
    /// There is no limit to what is under way.
    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        let _ = self.end.wire.write_all(self.end.side, bytes.as_ref());
    }

    /// Returns the bytes that have arrived since the last call.
    ///
    /// More arrives when the loop runs.
    #[must_use]
    pub fn received(&self) -> Vec<u8> {
        self.end.wire.take_arrived(self.end.side)
    }

    /// Ends the sending direction, behind what was sent; the other one stays open.
    pub fn end(&self) {
        self.end.wire.shut_down(self.end.side);
    }

    /// Returns whether the other end has ended its direction, or the connection.
    ///
    /// Bytes in front of the end may not have been [`received`](Self::received) yet.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.end.wire.look(self.end.side, |incoming| incoming.arrived_end().is_some())
    }

    /// Returns the network of the connection.
    #[must_use]
    pub fn link(&self) -> Link {
        Link::new(&self.end.wire)
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (side, has_ended) = (self.end.side, self.has_ended());
        f.debug_struct("Peer")
            .field("side", &side)
            .field("has_ended", &has_ended)
            .finish_non_exhaustive()
    }
}

/// A request with the sample key of RFC 6455 §1.2.
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: server.test\r\nUpgrade: websocket\r\n\
                       Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                       Sec-WebSocket-Version: 13\r\n\r\n";
const ANSWER: &str =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
const TIMEOUT: Duration = Duration::from_secs(10);
