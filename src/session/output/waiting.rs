//! Waits until a connection takes more output, has written it, or has ended.

use std::task::{Context, Poll};

use crate::session::Session;
use crate::session::state::{Phase, Shared};
use crate::types::error::Error;

impl Session {
    /// Waits until no more output waits than the high-water mark; also for a connection that is
    /// being opened.
    pub(crate) fn poll_room(&self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_until(cx, |shared| match shared.phase {
            Phase::Connecting => None,
            Phase::Open if shared.output_len() > shared.output_settings().high_water_mark => None,
            Phase::Open => Some(Ok(())),
            Phase::Closing | Phase::Ended => Some(Err(Error::NotConnected)),
        })
    }

    /// Waits until the kernel has taken all output.
    pub(crate) fn poll_written(&self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_until(cx, |shared| match shared.phase {
            Phase::Connecting => None,
            Phase::Open | Phase::Closing => (shared.output_len() == 0).then_some(Ok(())),
            Phase::Ended => Some(Err(Error::NotConnected)),
        })
    }

    /// Waits until the connection has ended; fails when messages were dropped with it.
    pub(crate) fn poll_ended(&self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_until(cx, |shared| {
            // What an aborted connection has left the driver still does.
            let has_ended = shared.stream.is_none();
            has_ended.then(|| shared.lost().map_or(Ok(()), Err))
        })
    }

    fn poll_until<T>(&self, cx: &Context<'_>, is_done: impl Fn(&Shared) -> Option<T>) -> Poll<T> {
        // The waker is the caller's: it is cloned and dropped when nothing is locked.
        let mut own = None;
        loop {
            let mut shared = self.lock();
            if let Some(outcome) = is_done(&shared) {
                return Poll::Ready(outcome);
            }
            let gauge = shared.rare().gauge.get_or_insert_default();
            if gauge.is_awaited_by(cx.waker()) || gauge.wait(&mut own) {
                shared.note_output();
                return Poll::Pending;
            }
            drop(shared);
            own = Some(cx.waker().clone());
        }
    }
}
