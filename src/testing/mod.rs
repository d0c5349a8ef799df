//! Tests without ports and waits: a virtual clock, connections in memory.
//!
//! For the tests of programs, with the feature `testing`:
//!
//! ```toml
//! [dev-dependencies]
//! slotwork = { version = "0.1", features = ["testing"] }
//! ```
//!
//! * [`VirtualClock`] stops the time of a thread's loop. It moves when the test says so, and when
//!   nothing is left to do but wait: an hour of timers takes a millisecond.
//! * [`pair`] connects a client to a server in memory, by the real opening handshake and real
//!   frames. [`Host`] is the same for programs that open URLs by themselves.
//! * [`Link`] is the network between them: slow, stalled, in pieces, cut.
//! * [`Peer`] is the other end as bytes, for peers that break rules.
//!
//! [`SignalSpy`](crate::signals::SignalSpy) waits for signals. The guide is
//! [`guides::testing`](crate::guides::testing).
//!
//! # Qt
//!
//! Qt has no counterpart: tests with `QTest` use real sockets, and wait.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//!
//! use slotwork::signals::SignalSpy;
//! use slotwork::testing::{self, VirtualClock};
//! use slotwork::{Error, SslMode, WebSocketServer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = VirtualClock::install();
//! let server = WebSocketServer::new("Server", SslMode::NonSecure);
//! let (_client, socket, link) = testing::pair(&server)?;
//! let errors = SignalSpy::new(&socket.error_occurred());
//!
//! // The network is gone, and nothing reports it: keepalive pings after 20 s of silence.
//! link.stall();
//! clock.advance(Duration::from_secs(60));
//!
//! assert!(matches!(*errors.values(), [Error::KeepaliveTimeout]));
//! # Ok(())
//! # }
//! ```

#[cfg(any(test, fuzzing))]
#[cfg_attr(not(test), expect(dead_code, reason = "the fuzz targets need a part of it"))]
pub(crate) mod connection;
#[cfg(any(test, fuzzing))]
#[cfg_attr(not(test), expect(dead_code, reason = "the fuzz targets need a part of it"))]
pub(crate) mod decoding;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod link;
mod pair;
mod peer;
#[cfg(any(test, fuzzing))]
#[cfg_attr(not(test), expect(dead_code, reason = "the fuzz targets need a part of it"))]
pub(crate) mod requests;
#[cfg(any(test, fuzzing))]
#[cfg_attr(not(test), expect(dead_code, reason = "the fuzz targets need a part of it"))]
pub(crate) mod scripted_stream;
#[cfg(any(test, fuzzing))]
pub(crate) mod stopped_clock;
mod virtual_clock;

#[cfg(any(test, fuzzing))]
use std::sync::Arc;
#[cfg(any(test, fuzzing))]
use std::sync::atomic::{AtomicUsize, Ordering};
#[cfg(any(test, fuzzing))]
use std::task::Wake;

pub use host::Host;
pub use link::{Direction, Link};
pub use pair::pair;
pub use peer::Peer;
pub use virtual_clock::VirtualClock;

/// A waker that counts how often it was woken.
#[cfg(any(test, fuzzing))]
#[derive(Default)]
pub(crate) struct Count(AtomicUsize);

#[cfg(any(test, fuzzing))]
impl Count {
    #[cfg(test)]
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Returns the count and begins anew.
    pub(crate) fn take(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

#[cfg(any(test, fuzzing))]
impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Numbers that are the same in each run (Vigna's splitmix64).
#[cfg(any(test, fuzzing))]
pub(crate) struct Random(pub(crate) u64);

#[cfg(any(test, fuzzing))]
impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap_or_default()
    }

    #[cfg(test)]
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}
