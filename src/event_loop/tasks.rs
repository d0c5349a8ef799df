//! The tasks of a loop, out of which no panic comes.

use std::pin::Pin;
use std::task::{Context, Poll};

use slotwork_signals::host::{Origin, watched_call};

use crate::runtime::panics;

/// The future of a task. Its end is caught: the executor aborts the process when what a task holds
/// panics while it is dropped.
pub(super) struct Guarded<F> {
    future: Option<F>,
    origin: Origin,
}

impl<F: Future + Unpin> Guarded<F> {
    /// Guards the future of a task that was spawned at `origin`.
    pub(super) fn new(future: F, origin: Origin) -> Self {
        Self { future: Some(future), origin }
    }
}

impl<F: Future + Unpin> Future for Guarded<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let origin = self.origin;
        match &mut self.future {
            Some(future) => watched_call("task spawned", origin, || Pin::new(future).poll(cx)),
            // It is dropped already, and nobody polls it.
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for Guarded<F> {
    fn drop(&mut self) {
        let future = self.future.take();
        panics::catch("the end of a task", || drop(future));
    }
}
