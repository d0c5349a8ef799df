//! The turns that the tasks of this thread are in.
//!
//! A slot may run a loop of its own, in the middle of the turn that called it. Output that the turn
//! holds back until its end must not wait for the end of that loop. A file of its own: tasks begin
//! turns, and loops suspend them.

use std::cell::RefCell;
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
pub(crate) struct InTurn(());

/// Begins a turn of a task of this thread.
pub(crate) fn begin(turn: Arc<dyn Turn>) -> InTurn {
    // At the thread's end no loop will run inside this turn.
    let _ = TURNS.try_with(|turns| turns.borrow_mut().push(turn));
    InTurn(())
}

/// Suspends all turns of this thread, for a loop that runs inside them.
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
