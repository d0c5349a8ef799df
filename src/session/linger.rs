//! Keeps the descriptor of a connection that has ended until the peer has read what was sent.
//!
//! `close(2)` with unread input resets a TCP connection, and a reset destroys what the peer has not
//! read yet (RFC 9293 §3.10.4, RFC 1122 §4.2.2.13). The program has heard `disconnected` by then.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::net::stream::Stream;
use crate::runtime::timers::Sleep;

/// A connection whose sending direction ends and whose input is read and dropped.
///
/// Done when the peer has ended, when the kernel has given up, or after [`LONGEST`].
pub(crate) struct Linger {
    stream: Stream,
    is_shut_down: bool,
    /// How many bytes are still read. Then input waits in the kernel and TCP stops the peer.
    budget: usize,
    sleep: Sleep,
    _place: Place,
}

impl Linger {
    /// Takes over a stream; ends it at once when [`MOST`] others of this thread linger.
    pub(super) fn new(stream: Stream) -> Option<Box<Self>> {
        let Some(place) = Place::take() else {
            Self::end_now(stream);
            return None;
        };
        stream.set_user_timeout(Some(LONGEST));
        let sleep = Sleep::new(LONGEST);
        Some(Box::new(Self {
            stream,
            is_shut_down: false,
            budget: MOST_INPUT,
            sleep,
            _place: place,
        }))
    }

    /// Ends a stream that cannot linger, such as one whose loop ends: what has arrived is read now.
    pub(super) fn end_now(mut stream: Stream) {
        let _ = stream.shutdown_write();
        let mut budget = MOST_INPUT;
        let mut buffer = [0; 4096];
        while budget > 0
            && let Ok(length @ 1..) = stream.try_read(&mut buffer)
        {
            budget = budget.saturating_sub(length);
        }
    }
}

impl Future for Linger {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if !this.is_shut_down {
            match this.stream.shutdown_write() {
                Ok(is_done) => this.is_shut_down = is_done,
                Err(_) => return Poll::Ready(()),
            }
        }
        if this.stream.poll_discard(cx, &mut this.budget) == Poll::Ready(true) {
            return Poll::Ready(());
        }
        Pin::new(&mut this.sleep).poll(cx)
    }
}

/// One of the places for lingering connections of a thread.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        let count = LINGERING.try_with(Cell::get).unwrap_or(MOST);
        if count >= MOST {
            return None;
        }
        LINGERING.set(count + 1);
        Some(Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // At the thread's end nothing is counted any more.
        let _ = LINGERING.try_with(|count| count.set(count.get() - 1));
    }
}

thread_local! {
    static LINGERING: Cell<usize> = const { Cell::new(0) };
}

/// How many connections of a thread linger at a time.
const MOST: usize = 256;
/// How long a connection lingers.
const LONGEST: Duration = Duration::from_secs(120);
/// How much of a peer's input is dropped: as much as a message may be long.
const MOST_INPUT: usize = 16 * 1024 * 1024;
