//! The network of a connection in memory, and its faults.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::net::stream::memory::channel::{BUFFER, Channel};
use crate::net::stream::memory::wire::{Side, Wire};

/// The network between the two ends of a connection in memory.
///
/// A cheap handle: clones are the same connection. Without faults it is a fast network: what is
/// written arrives in the loop's next turn. Faults apply to bytes that have not arrived yet.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use slotwork::signals::SignalSpy;
/// use slotwork::testing::{self, VirtualClock};
/// use slotwork::{SslMode, WebSocketServer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let clock = VirtualClock::install();
/// let server = WebSocketServer::new("Server", SslMode::NonSecure);
/// let (client, socket, link) = testing::pair(&server)?;
/// let received = SignalSpy::new(&client.binary_message_received());
///
/// // A slow line: 100 KiB take ten seconds.
/// link.to_client().bandwidth(10 * 1024);
/// socket.send_binary_message(&[0; 100 * 1024]);
/// clock.advance(Duration::from_secs(9));
/// assert_eq!(received.count(), 0);
/// clock.advance(Duration::from_secs(2));
/// assert_eq!(received.count(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Link {
    wire: Arc<Wire>,
}

/// One direction of a [`Link`].
#[derive(Clone)]
pub struct Direction {
    wire: Arc<Wire>,
    to: Side,
}

impl Link {
    pub(crate) fn new(wire: &Arc<Wire>) -> Self {
        Self { wire: Arc::clone(wire) }
    }

    /// Returns the direction from the client to the server.
    #[must_use]
    pub fn to_server(&self) -> Direction {
        Direction { wire: Arc::clone(&self.wire), to: Side::Server }
    }

    /// Returns the direction from the server to the client.
    #[must_use]
    pub fn to_client(&self) -> Direction {
        Direction { wire: Arc::clone(&self.wire), to: Side::Client }
    }

    /// Lets nothing arrive any more in either direction, without an error.
    ///
    /// As a cable that is pulled out: only deadlines notice it. [`resume`](Self::resume) ends it, and
    /// nothing is lost.
    pub fn stall(&self) {
        self.to_server().stall();
        self.to_client().stall();
    }

    /// Ends a [`stall`](Self::stall) of both directions.
    pub fn resume(&self) {
        self.to_server().resume();
        self.to_client().resume();
    }

    /// Loses the connection, with all that has not arrived.
    ///
    /// Both ends find it reset (`ECONNRESET`) behind the input that has arrived.
    pub fn cut(&self) {
        self.wire.cut();
    }

    /// Returns whether both ends have closed their side, as with `close(2)`.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.wire.is_closed()
    }
}

impl Direction {
    /// Lets nothing arrive any more in this direction, without an error.
    ///
    /// The sender notices it once its buffer is full.
    pub fn stall(&self) {
        self.change(|channel| channel.conditions.is_stalled = true);
    }

    /// Ends a [`stall`](Self::stall).
    pub fn resume(&self) {
        self.change(|channel| channel.conditions.is_stalled = false);
    }

    /// Delays what is written from now on; the default is no delay.
    pub fn delay(&self, delay: Duration) {
        self.change(|channel| channel.conditions.delay = delay);
    }

    /// Limits the bandwidth, in bytes per second; `None`, the default, is no limit.
    ///
    /// 0 is taken for 1.
    pub fn bandwidth(&self, bytes_per_second: impl Into<Option<u64>>) {
        let bandwidth = bytes_per_second.into();
        self.change(|channel| channel.conditions.bandwidth = bandwidth);
    }

    /// Limits how many bytes arrive together; `None`, the default, is no limit.
    ///
    /// The next ones arrive when the receiver has read those before. 0 is taken for 1.
    pub fn fragment(&self, bytes: impl Into<Option<usize>>) {
        let fragment = bytes.into();
        self.change(|channel| channel.conditions.fragment = fragment);
    }

    /// Sets how many bytes the network holds; the default is 64 KiB.
    ///
    /// That includes the receiver's kernel. When it is full, the sender has to wait until the
    /// receiver has read some. 0 is taken for 1.
    pub fn buffer(&self, bytes: usize) {
        self.change(|channel| channel.conditions.buffer = bytes.max(1));
    }

    /// Cuts the whole connection behind this many further bytes of this direction.
    ///
    /// They are counted from what was written so far. With 0 it is cut once that has arrived.
    pub fn cut_after(&self, bytes: u64) {
        self.change(|channel| {
            channel.conditions.cut_at = Some(channel.accepted().saturating_add(bytes));
        });
    }

    fn change(&self, change: impl FnOnce(&mut Channel)) {
        self.wire.change(self.to, change);
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Direction").field("to", &self.to).finish_non_exhaustive()
    }
}

// The documentation has the number.
const _: () = assert!(BUFFER == 64 * 1024);
