//! Waiting for the output: reports its level, and wakes tasks that wait for it.

use std::task::{Context, Poll, Waker};

use crate::session::Session;
use crate::session::output::level::{LevelChange, LevelMonitor};
use crate::session::state::{Phase, State};
use crate::types::error::Error;

impl Session {
    /// Has the observer called from now on when the output level changes.
    pub(crate) fn watch_output(&self) {
        let mut state = self.lock();
        state.extra().level.get_or_insert_default();
        state.note_output();
    }

    /// Waits until the output is not over the high-water mark.
    ///
    /// Waits also for a connection that is being opened, and if it `is_of_successor` for the one
    /// behind the end of this one.
    pub(crate) fn poll_room(
        &self,
        is_of_successor: bool,
        cx: &Context<'_>,
    ) -> Poll<Result<(), Error>> {
        self.poll_until(cx, |state| match state.phase {
            Phase::Connecting => None,
            Phase::Closing | Phase::Ended if is_of_successor && state.has_successor() => None,
            Phase::Open if state.output_len() > state.output_settings().high_water_mark => None,
            Phase::Open => Some(Ok(())),
            Phase::Closing | Phase::Ended => Some(Err(Error::NotConnected)),
        })
    }

    /// Waits until the kernel has taken all output.
    ///
    /// Waits also for another connection, as `poll_room`.
    pub(crate) fn poll_written(
        &self,
        is_of_successor: bool,
        cx: &Context<'_>,
    ) -> Poll<Result<(), Error>> {
        self.poll_until(cx, |state| match state.phase {
            Phase::Connecting => None,
            Phase::Open | Phase::Closing => state.has_no_output().then_some(Ok(())),
            Phase::Ended if is_of_successor && state.has_successor() => None,
            Phase::Ended => Some(Err(Error::NotConnected)),
        })
    }

    /// Has a waker woken when an `open` that waits begins, is replaced or dropped.
    pub(crate) fn watch_successor(&self, cx: &Context<'_>) {
        let _: Poll<()> = self.poll_until(cx, |_state| None);
    }

    /// Waits until the connection has ended; fails when messages were dropped with it.
    pub(crate) fn poll_ended(&self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_until(cx, |state| {
            // An aborted connection ends in the driver's next turn.
            let has_ended = state.stream.is_none();
            has_ended.then(|| state.loss().map_or(Ok(()), Err))
        })
    }

    fn poll_until<T>(&self, cx: &Context<'_>, is_done: impl Fn(&State) -> Option<T>) -> Poll<T> {
        // The waker is the caller's: it is cloned and dropped outside the lock.
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

impl State {
    /// Notes that there is more output, if its level is watched.
    pub(crate) fn note_output(&mut self) {
        if self.extra.as_ref().is_some_and(|extra| extra.level.is_some()) {
            let length = self.output_len();
            self.with_level(|level, mark| level.note(length, mark));
        }
    }

    /// Checks the output level at the end of a turn, if it is watched.
    pub(crate) fn check_level(&mut self) -> LevelChange {
        let length = self.output_len();
        self.with_level(|level, mark| level.check(length, mark)).unwrap_or_default()
    }

    /// Takes the wakers of the tasks that wait, to be woken outside the lock.
    pub(crate) fn take_wakers(&mut self) -> Vec<Waker> {
        self.with_level(|level, _mark| level.take_wakers()).unwrap_or_default()
    }

    fn with_level<T>(
        &mut self,
        use_level: impl FnOnce(&mut LevelMonitor, usize) -> T,
    ) -> Option<T> {
        let extra = self.extra.as_mut()?;
        let mark = extra.settings.output.high_water_mark;
        Some(use_level(extra.level.as_mut()?, mark))
    }
}
