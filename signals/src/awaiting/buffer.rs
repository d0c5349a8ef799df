//! The way of values from a signal to those who await them.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::sync::{Mutex, MutexGuard};

/// The end that a slot puts values into; dropped with the slot, it ends the feed.
pub(crate) struct Writer<V> {
    buffer: Arc<Buffer<V>>,
}

/// The end that values are taken from.
pub(crate) struct Reader<V> {
    buffer: Arc<Buffer<V>>,
}

/// How many values a feed keeps, and which.
#[derive(Clone, Copy)]
pub(crate) enum Keep {
    /// The first value only.
    First,
    /// The latest values, this many.
    Latest(usize),
    /// The earliest values, this many.
    Earliest(usize),
    All,
}

struct Buffer<V> {
    keep: Keep,
    state: Mutex<State<V>>,
}

struct State<V> {
    values: VecDeque<V>,
    missed: u64,
    is_ended: bool,
    has_first: bool,
    /// Of whoever waits for the next value. Woken, cloned and dropped when nothing is locked: it
    /// may come back here.
    waker: Option<Waker>,
}

/// Makes a feed and its outlet.
pub(crate) fn buffer<V>(keep: Keep) -> (Writer<V>, Reader<V>) {
    let state = State {
        values: VecDeque::new(),
        missed: 0,
        is_ended: false,
        has_first: false,
        waker: None,
    };
    let buffer = Arc::new(Buffer { keep, state: Mutex::new(state) });
    (Writer { buffer: Arc::clone(&buffer) }, Reader { buffer })
}

impl<V> Writer<V> {
    /// Puts a value in, if it is wanted; `copy` makes it.
    pub(crate) fn put(&self, copy: impl FnOnce() -> V) {
        if self.buffer.lock().refuses(self.buffer.keep) {
            return;
        }
        let value = copy();
        // Dropped at the end, when the lock is gone: both are the user's values.
        let mut unwanted = None;
        let mut state = self.buffer.lock();
        match self.buffer.keep {
            // Another thread was quicker.
            keep if state.refuses(keep) => unwanted = Some(value),
            Keep::Latest(count) if state.values.len() >= count => {
                unwanted = state.values.pop_front();
                state.values.push_back(value);
                state.missed += 1;
            }
            _ => state.values.push_back(value),
        }
        state.has_first = true;
        unlock_and_wake(state);
        drop(unwanted);
    }
}

impl<V> Drop for Writer<V> {
    fn drop(&mut self) {
        let mut state = self.buffer.lock();
        state.is_ended = true;
        unlock_and_wake(state);
    }
}

impl<V> Reader<V> {
    /// Waits for the next value; `None` means that there will be no more.
    pub(crate) fn poll_take(&mut self, context: &mut Context<'_>) -> Poll<Option<V>> {
        let mut state = self.buffer.lock();
        let value = state.take();
        if value.is_ready() || state.is_awaited_by(context.waker()) {
            return value;
        }
        drop(state);
        let waker = context.waker().clone();
        let mut state = self.buffer.lock();
        let former = state.waker.replace(waker);
        // Looked at again: a value may have come in between.
        let value = state.take();
        drop(state);
        drop(former);
        value
    }

    /// Returns how many values were dropped because nobody took them in time.
    pub(crate) fn missed(&self) -> u64 {
        self.buffer.lock().missed
    }
}

impl<V> Drop for Reader<V> {
    /// Lets the waker go: its task is not to be kept, nor woken by the end of the feed.
    fn drop(&mut self) {
        let waker = self.buffer.lock().waker.take();
        drop(waker);
    }
}

impl<V> State<V> {
    fn take(&mut self) -> Poll<Option<V>> {
        match self.values.pop_front() {
            Some(value) => Poll::Ready(Some(value)),
            None if self.is_ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    fn is_awaited_by(&self, waker: &Waker) -> bool {
        self.waker.as_ref().is_some_and(|own| own.will_wake(waker))
    }

    /// Tells whether no value is wanted now, and counts the one that is missed by that.
    fn refuses(&mut self, keep: Keep) -> bool {
        match keep {
            Keep::First => self.has_first,
            Keep::Earliest(count) if self.values.len() >= count => {
                self.missed += 1;
                true
            }
            _ => false,
        }
    }
}

impl<V> Buffer<V> {
    fn lock(&self) -> MutexGuard<'_, State<V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Unlocks, and then wakes whoever waits.
fn unlock_and_wake<V>(mut state: MutexGuard<'_, State<V>>) {
    let waker = mem::take(&mut state.waker);
    drop(state);
    waker.into_iter().for_each(Waker::wake);
}
