//! The `exec` calls that run in a thread, and their exit codes.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

/// The exit code of a run, once it is to end.
pub(super) type Exit = Cell<Option<i32>>;

/// The `exec` calls that run in a thread.
#[derive(Default)]
pub(super) struct Exits {
    running: RefCell<Vec<Rc<Exit>>>,
    /// Whether all of them are to end.
    is_quitting: Cell<bool>,
}

impl Exits {
    /// Adds a run until the returned value is dropped; `None` when all runs are to end.
    pub(super) fn enter(&self, exit: &Rc<Exit>) -> Option<Running<'_>> {
        if self.is_quitting() {
            return None;
        }
        exit.set(None);
        self.running.borrow_mut().push(Rc::clone(exit));
        Some(Running { exits: self, exit: Rc::clone(exit) })
    }

    /// Ends all runs with `code`; returns whether there is one.
    pub(super) fn exit_all(&self, code: i32) -> bool {
        let running = self.running.borrow();
        running.iter().for_each(|exit| exit.set(Some(code)));
        self.is_quitting.set(!running.is_empty());
        self.is_quitting()
    }

    /// Returns whether all runs are to end.
    pub(super) fn is_quitting(&self) -> bool {
        self.is_quitting.get()
    }

    pub(super) fn count(&self) -> usize {
        self.running.borrow().len()
    }
}

/// A run among those of its thread.
pub(super) struct Running<'a> {
    exits: &'a Exits,
    exit: Rc<Exit>,
}

impl Running<'_> {
    /// Completes with the code when the run is to end; setting it notifies the loop.
    pub(super) async fn code(&self) -> i32 {
        poll_fn(|_| self.exit.get().map_or(Poll::Pending, Poll::Ready)).await
    }

    /// Returns whether it is the only run of the thread.
    pub(super) fn is_last(&self) -> bool {
        self.exits.count() == 1
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut running = self.exits.running.borrow_mut();
        // Not always the innermost: `exec_async` runs end in any order.
        running.retain(|exit| !Rc::ptr_eq(exit, &self.exit));
        if running.is_empty() {
            self.exits.is_quitting.set(false);
        }
    }
}
