//! The turns that the tasks of this thread are in.
//!
//! A slot may run a loop of its own, in the middle of the turn that called it. Output that the turn
//! holds back until its end must not wait for the end of that loop. A file of its own: tasks begin
//! turns, and loops suspend them.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// What a task does from the beginning to the end of a turn.
pub(crate) trait Turn {
    /// Does now what is due at the end of the turn.
    ///
    /// Called again and again as long as a loop runs inside the turn.
    fn suspend(&self);
}

/// A guard that lasts as long as the turn.
#[must_use = "the turn ends when this is dropped"]
pub(crate) struct InTurn {
    has_ended: bool,
}

/// Begins a turn of a task of this thread.
///
/// The handle is moved here for the turn, and not cloned: each count of it would be atomic.
pub(crate) fn begin(turn: Arc<dyn Turn>) -> InTurn {
    // At the thread's end no loop will run inside this turn.
    let _ = TURNS.try_with(|turns| turns.begin(turn));
    InTurn { has_ended: false }
}

impl InTurn {
    /// Ends the turn, and returns the handle with which it was begun.
    #[inline]
    pub(crate) fn end(mut self) -> Option<Arc<dyn Turn>> {
        self.has_ended = true;
        TURNS.try_with(Turns::end).ok().flatten()
    }
}

/// Suspends all turns of this thread, for a loop that runs inside them.
pub(crate) fn suspend_all() {
    let turns = TURNS.try_with(Turns::all).unwrap_or_default();
    for turn in turns {
        turn.suspend();
    }
}

impl Drop for InTurn {
    fn drop(&mut self) {
        if !self.has_ended {
            let ended = TURNS.try_with(Turns::end);
            drop(ended);
        }
    }
}

/// The turns of a thread, one inside the other.
struct Turns {
    /// The innermost turn, unless another one inside it has ended.
    ///
    /// Most turns have none inside: they use no list.
    last: Cell<Option<Arc<dyn Turn>>>,
    /// The turns around it; the innermost of them is last.
    outer: RefCell<Vec<Arc<dyn Turn>>>,
}

impl Turns {
    #[inline]
    fn begin(&self, turn: Arc<dyn Turn>) {
        if let Some(outer) = self.last.replace(Some(turn)) {
            self.outer.borrow_mut().push(outer);
        }
    }

    /// Ends the innermost turn.
    #[inline]
    fn end(&self) -> Option<Arc<dyn Turn>> {
        self.last.take().or_else(|| self.outer.borrow_mut().pop())
    }

    /// Returns all turns, the innermost one last.
    fn all(&self) -> Vec<Arc<dyn Turn>> {
        let last = self.last.take();
        self.last.set(last.clone());
        self.outer.borrow().iter().cloned().chain(last).collect()
    }
}

thread_local! {
    static TURNS: Turns =
        const { Turns { last: Cell::new(None), outer: RefCell::new(Vec::new()) } };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::sync::Mutex;

    struct Named(u8, Arc<Mutex<Vec<u8>>>);

    impl Turn for Named {
        fn suspend(&self) {
            self.1.lock().push(self.0);
        }
    }

    #[test]
    fn all_turns_that_have_not_ended_are_suspended_from_the_outermost_on() {
        let names = Arc::<Mutex<Vec<u8>>>::default();
        let begin_named = |name| begin(Arc::new(Named(name, Arc::clone(&names))));
        let suspended = || {
            suspend_all();
            std::mem::take(&mut *names.lock())
        };

        let first = begin_named(1);
        let second = begin_named(2);
        let third = begin_named(3);
        assert_eq!(suspended(), [1, 2, 3]);
        drop(third);
        assert_eq!(suspended(), [1, 2]);
        let fourth = begin_named(4);
        assert_eq!(suspended(), [1, 2, 4]);
        drop(fourth);
        drop(second);
        assert_eq!(suspended(), [1]);
        drop(first);

        assert!(suspended().is_empty());
        assert_eq!(Arc::strong_count(&names), 1);
    }
}
