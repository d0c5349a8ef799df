//! Waits until a connection takes more output, has written it, or has ended.

use std::task::{Context, Poll};

use crate::session::Session;
use crate::session::state::{Phase, State};
use crate::types::error::Error;

impl Session {
    /// Waits until no more output waits than the high-water mark; also for a connection that is
    /// being opened.
    pub(crate) fn poll_room(&self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_until(cx, |state| match state.phase {
            Phase::Connecting => None,
            Phase::Open if state.output_len() > state.output_settings().high_water_mark => None,
            Phase::Open => Some(Ok(())),
            Phase::Closing | Phase::Ended => Some(Err(Error::NotConnected)),
        })
    }

    /// Waits until the kernel has taken all output.
    pub(crate) fn poll_written(&self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_until(cx, |state| match state.phase {
            Phase::Connecting => None,
            Phase::Open | Phase::Closing => (state.output_len() == 0).then_some(Ok(())),
            Phase::Ended => Some(Err(Error::NotConnected)),
        })
    }

    /// Waits until the connection has ended; fails when messages were dropped with it.
    pub(crate) fn poll_ended(&self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_until(cx, |state| {
            // What an aborted connection has left the driver still does.
            let has_ended = state.stream.is_none();
            has_ended.then(|| state.loss().map_or(Ok(()), Err))
        })
    }

    fn poll_until<T>(&self, cx: &Context<'_>, is_done: impl Fn(&State) -> Option<T>) -> Poll<T> {
        // The waker is the caller's: it is cloned and dropped when nothing is locked.
        let mut own = None;
        loop {
            let mut state = self.lock();
            if let Some(outcome) = is_done(&state) {
                return Poll::Ready(outcome);
            }
            let level = state.extra().level.get_or_insert_default();
            if level.has_waker(cx.waker()) || level.add_waker(&mut own) {
                state.note_output();
                return Poll::Pending;
            }
            drop(state);
            own = Some(cx.waker().clone());
        }
    }
}
