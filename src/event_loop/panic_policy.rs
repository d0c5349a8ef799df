//! The policy for panics in the calls that a loop makes, and the reports of them.

use std::any::Any;
use std::cell::Cell;
use std::fmt;

use slotwork_signals::Signal;

use crate::runtime::panics;

/// The policy for panics in the calls that an event loop makes.
///
/// Those are posted calls, slots of timers, queued slots and tasks. The default is
/// [`Report`](Self::Report). With either policy the call that panics ends alone: other calls and
/// sockets continue, and the loop may be run again.
///
/// # Qt
///
/// An exception that leaves a slot ends a Qt program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PanicPolicy {
    /// It is logged as an error and reported by `EventLoop::panicked`.
    #[default]
    Report,
    /// It is logged, reported, and leaves `exec` or whatever runs the loop.
    Propagate,
}

/// A panic that ended a call of the event loop: the value of `EventLoop::panicked`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaughtPanic {
    place: &'static str,
    message: String,
}

impl CaughtPanic {
    /// Returns what panicked, such as `a posted call` or `a timer's slot`.
    #[must_use]
    pub fn place(&self) -> &str {
        self.place
    }

    /// Returns the message of the panic.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for CaughtPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} panicked: {}", self.place, self.message)
    }
}

/// The policy of a loop, and the signal that reports its panics.
pub(super) struct PanicReports {
    pub(super) policy: Cell<PanicPolicy>,
    pub(super) panicked: Signal<CaughtPanic>,
}

impl PanicReports {
    pub(super) fn new() -> Self {
        Self { policy: Cell::default(), panicked: Signal::new() }
    }

    /// Reports the panics of this turn; returns the payload that propagates, if any.
    pub(super) fn report(&self) -> Option<Box<dyn Any + Send>> {
        let mut propagated = None;
        for caught in panics::take() {
            let panic = CaughtPanic { place: caught.place, message: caught.message };
            let emit = || self.panicked.emit(&panic);
            panics::catch_and_log("a slot of the signal `panicked`", emit);
            if propagated.is_none() && self.policy.get() == PanicPolicy::Propagate {
                propagated = Some(caught.payload);
            } else {
                panics::discard(caught.payload);
            }
        }
        propagated
    }
}
