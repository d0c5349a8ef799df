//! The turns that the connections of this thread are in.
//!
//! A slot may run a loop of its own, in the middle of the turn that called it. Output that the turn
//! holds back until its end must not wait for the end of that loop. A file of its own: connections
//! begin turns, and loops suspend them.

use std::cell::{Cell, RefCell};

/// The turn of the connection with this number.
#[derive(Clone, Copy)]
struct Turn {
    suspend: fn(u32),
    number: u32,
}

/// A guard that lasts as long as the turn.
#[must_use = "the turn ends when this is dropped"]
pub(crate) struct InTurn;

/// Begins a turn of a connection of this thread.
///
/// A loop inside it calls `suspend` with the number, again and again: that does now what is due at
/// the end of the turn.
#[inline]
pub(crate) fn begin(suspend: fn(u32), number: u32) -> InTurn {
    // At the thread's end no loop will run inside this turn.
    let _ = TURNS.try_with(|turns| turns.begin(Turn { suspend, number }));
    InTurn
}

/// Suspends all turns of this thread, for a loop that runs inside them.
pub(crate) fn suspend_all() {
    let turns = TURNS.try_with(Turns::all).unwrap_or_default();
    for Turn { suspend, number } in turns {
        suspend(number);
    }
}

impl Drop for InTurn {
    #[inline]
    fn drop(&mut self) {
        let _ = TURNS.try_with(Turns::end);
    }
}

/// The turns of a thread, one inside the other.
struct Turns {
    /// The innermost turn, unless another one inside it has ended.
    ///
    /// Most turns have none inside: they use no list.
    last: Cell<Option<Turn>>,
    /// The turns around it; the innermost of them is last.
    outer: RefCell<Vec<Turn>>,
}

impl Turns {
    #[inline]
    fn begin(&self, turn: Turn) {
        if let Some(outer) = self.last.replace(Some(turn)) {
            self.outer.borrow_mut().push(outer);
        }
    }

    /// Ends the innermost turn.
    #[inline]
    fn end(&self) -> Option<Turn> {
        self.last.take().or_else(|| self.outer.borrow_mut().pop())
    }

    /// Returns all turns, the innermost one last.
    fn all(&self) -> Vec<Turn> {
        self.outer.borrow().iter().copied().chain(self.last.get()).collect()
    }
}

thread_local! {
    static TURNS: Turns =
        const { Turns { last: Cell::new(None), outer: RefCell::new(Vec::new()) } };
}

#[cfg(test)]
mod tests {
    use super::*;

    thread_local! {
        static SUSPENDED: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
    }

    #[test]
    fn all_turns_that_have_not_ended_are_suspended_from_the_outermost_on() {
        let note = |number| SUSPENDED.with_borrow_mut(|suspended| suspended.push(number));
        let begin = |number| begin(note, number);
        let suspended = || {
            suspend_all();
            SUSPENDED.take()
        };

        let first = begin(1);
        let second = begin(2);
        let third = begin(3);
        assert_eq!(suspended(), [1, 2, 3]);
        drop(third);
        assert_eq!(suspended(), [1, 2]);
        let fourth = begin(4);
        assert_eq!(suspended(), [1, 2, 4]);
        drop(fourth);
        drop(second);
        assert_eq!(suspended(), [1]);
        drop(first);

        assert!(suspended().is_empty());
    }
}
