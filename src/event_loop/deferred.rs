//! Calls of a loop's own thread, which need not be `Send`.

use std::cell::RefCell;
use std::collections::VecDeque;

use crate::runtime::panics;

/// Calls that wait in the loop's queue, each behind a posted call that makes the first of them.
///
/// So they keep their places among the calls that other threads post.
#[derive(Default)]
pub(super) struct Deferred(RefCell<VecDeque<Box<dyn FnOnce()>>>);

impl Deferred {
    pub(super) fn push(&self, call: Box<dyn FnOnce()>) {
        self.0.borrow_mut().push_back(call);
    }

    /// Makes the call that waits longest.
    pub(super) fn call_first(&self) {
        let call = self.0.borrow_mut().pop_front();
        if let Some(call) = call {
            call();
        }
    }

    /// Drops all calls, at the loop's end.
    pub(super) fn clear(&self) {
        for call in self.0.take() {
            panics::catch_and_log("the end of a deferred call", || drop(call));
        }
    }
}
