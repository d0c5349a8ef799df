//! Lingering: keeps a descriptor until the peer has read what was sent.
//!
//! `close(2)` with unread input resets a TCP connection, and a reset destroys what the peer has not
//! read yet (RFC 9293 §3.10.4, RFC 1122 §4.2.2.13). `disconnected` was emitted by then.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::net::stream::Stream;
use crate::runtime::timers::Sleep;

/// Ends the sending direction of a connection, and reads and drops its input.
///
/// Ready when the peer has ended, when the kernel has given up, or after [`MAX_DURATION`].
pub(crate) struct Linger {
    stream: Stream,
    is_shut_down: bool,
    /// How many bytes are still read.
    ///
    /// Then input waits in the kernel, and TCP's back-pressure stops the peer.
    budget: usize,
    sleep: Sleep,
    _permit: Permit,
}

impl Linger {
    /// Takes over a stream; ends it at once when too many of this thread linger.
    pub(super) fn new(stream: Stream) -> Option<Box<Self>> {
        let Some(permit) = Permit::take() else {
            Self::end_now(stream);
            return None;
        };
        stream.set_user_timeout(Some(MAX_DURATION));
        let sleep = Sleep::new(MAX_DURATION);
        Some(Box::new(Self {
            stream,
            is_shut_down: false,
            budget: MAX_INPUT,
            sleep,
            _permit: permit,
        }))
    }

    /// Ends a stream that cannot linger, and reads the input that has arrived.
    pub(super) fn end_now(mut stream: Stream) {
        let _ = stream.shutdown_write();
        let mut budget = MAX_INPUT;
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

/// The permit of one lingering connection, of [`MAX_LINGERING`] that a thread has.
struct Permit;

impl Permit {
    fn take() -> Option<Self> {
        let count = LINGERING.try_with(Cell::get).unwrap_or(MAX_LINGERING);
        if count >= MAX_LINGERING {
            return None;
        }
        LINGERING.set(count + 1);
        Some(Self)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // At the thread's end nothing is counted any more, or, on Windows with the GNU toolchain,
        // from 0 again.
        let _ = LINGERING.try_with(|count| count.set(count.get().saturating_sub(1)));
    }
}

thread_local! {
    static LINGERING: Cell<usize> = const { Cell::new(0) };
}

/// The maximum number of connections of a thread that linger at a time.
const MAX_LINGERING: usize = 256;
/// The maximum time for which a connection lingers.
const MAX_DURATION: Duration = Duration::from_secs(120);
/// The maximum input that is dropped, in bytes: the default size of a message.
const MAX_INPUT: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// As at the end of a thread of Windows, where the connections are dropped behind the count.
    #[test]
    fn a_permit_that_is_not_counted_any_more_is_given_back() {
        let permit = Permit::take();
        assert_eq!(LINGERING.take(), 1);

        drop(permit);

        assert_eq!(LINGERING.get(), 0);
    }
}
