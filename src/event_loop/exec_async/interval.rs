//! Polling the loop at an interval, where it has no descriptor.
//!
//! A short file, for some systems alone.

use std::io;
use std::marker::PhantomData;
use std::task::Context;
use std::time::Duration;

use crate::event_loop::EventLoop;

/// Stands for the descriptor that the loop has elsewhere.
pub(super) struct Readiness<'a> {
    event_loop: PhantomData<&'a EventLoop>,
}

impl<'a> Readiness<'a> {
    #[expect(clippy::unnecessary_wraps, reason = "a descriptor may be refused")]
    pub(super) fn new(_event_loop: &'a EventLoop) -> io::Result<Self> {
        Ok(Self { event_loop: PhantomData })
    }

    /// Returns false: only polling shows what is ready.
    #[expect(clippy::unused_self, reason = "a descriptor is polled")]
    pub(super) fn poll(&self, _cx: &mut Context<'_>) -> bool {
        false
    }

    /// Returns the time until the next poll of the loop: the interval at most.
    pub(super) fn time_to_poll(time_to_next_timer: Option<Duration>) -> Option<Duration> {
        Some(time_to_next_timer.unwrap_or(INTERVAL).min(INTERVAL))
    }
}

/// The longest time between two polls of the loop.
const INTERVAL: Duration = Duration::from_millis(5);
