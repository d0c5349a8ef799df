//! Readiness of the loop by its descriptor.
//!
//! A short file, for Unix alone.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::task::Context;
use std::time::Duration;

use smol::Async;

use crate::event_loop::EventLoop;

/// Watches the loop's descriptor with `async-io`.
pub(super) struct Readiness<'a> {
    descriptor: Async<BorrowedFd<'a>>,
}

impl<'a> Readiness<'a> {
    pub(super) fn new(event_loop: &'a EventLoop) -> io::Result<Self> {
        Ok(Self { descriptor: Async::new_nonblocking(event_loop.as_fd())? })
    }

    /// Returns whether something is ready; else the task of `cx` is woken then.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> bool {
        // Whatever is ready in the loop, its descriptor can be read.
        self.descriptor.poll_readable(cx).is_ready()
    }

    /// Returns the time until the next poll of the loop: that of its next timer.
    pub(super) fn time_to_poll(time_to_next_timer: Option<Duration>) -> Option<Duration> {
        time_to_next_timer
    }
}
