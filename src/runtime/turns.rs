//! The turns that the tasks of this thread are in.
//!
//! A slot may run a loop of its own, in the middle of the turn that called it. The turn must not
//! hold back until that loop ends what it meant to do at its own end.

use std::cell::RefCell;
use std::sync::Arc;

/// What a task does from the beginning to the end of a turn.
pub(crate) trait Turn {
    /// Does now what would be done at the end, because the end may be long in coming; called again
    /// as long as a loop runs inside the turn.
    fn suspend(&self);
}

/// Lasts as long as the turn.
#[must_use = "the turn ends when this is dropped"]
pub(crate) struct InTurn(());

/// Begins a turn of a task of this thread.
pub(crate) fn begin(turn: Arc<dyn Turn>) -> InTurn {
    // At the thread's end no loop will run inside this turn.
    let _ = TURNS.try_with(|turns| turns.borrow_mut().push(turn));
    InTurn(())
}

/// Suspends the turns in which a loop is about to run, or runs.
pub(crate) fn suspend_all() {
    let turns = TURNS.try_with(|turns| turns.borrow().clone()).unwrap_or_default();
    for turn in turns {
        turn.suspend();
    }
}

impl Drop for InTurn {
    fn drop(&mut self) {
        let ended = TURNS.try_with(|turns| turns.borrow_mut().pop());
        drop(ended);
    }
}

thread_local! {
    /// The innermost turn is last.
    static TURNS: RefCell<Vec<Arc<dyn Turn>>> = const { RefCell::new(Vec::new()) };
}
