//! The task of one connection, until its descriptor is closed.
//!
//! A file of its own although it is short: it joins `driver` and `linger`, which stay apart.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::session::driver::Driver;
use crate::session::linger::Linger;
use crate::session::observer::Observer;

/// The task of one connection, until its descriptor is closed.
pub(crate) enum ConnectionTask<O: Observer> {
    /// The connection is open or closing.
    Driving(Driver<O>),
    /// The end of the connection was reported; the peer may still read.
    Lingering(Box<Linger>),
}

impl<O: Observer> ConnectionTask<O> {
    /// Makes the task of an open connection.
    ///
    /// `leftover` is input behind the opening handshake.
    pub(crate) fn new(observer: O::Handle, leftover: Vec<u8>) -> Self {
        Self::Driving(Driver::new(observer, leftover))
    }

    /// Waits for the end of the peer.
    ///
    /// Apart, because what it reads and drops has 4 KiB of the stack, which turns do without.
    #[inline(never)]
    fn poll_lingering(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Self::Lingering(linger) = self else { return Poll::Ready(()) };
        Pin::new(linger).poll(cx)
    }
}

impl<O: Observer> Future for ConnectionTask<O> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Self::Driving(driver) = &mut *self {
            let Some(stream) = ready!(driver.poll(cx)) else { return Poll::Ready(()) };
            let Some(linger) = Linger::new(stream) else { return Poll::Ready(()) };
            *self = Self::Lingering(linger);
        }
        self.poll_lingering(cx)
    }
}
