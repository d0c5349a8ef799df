//! The way of values from a signal to those who await them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use crate::sync::{Event, EventListener, Mutex, MutexGuard};

/// The end that a slot puts values into; dropped with the slot, it ends the feed.
pub(crate) struct Feed<V> {
    buffer: Arc<Buffer<V>>,
}

/// The end that values are taken from.
pub(crate) struct Outlet<V> {
    buffer: Arc<Buffer<V>>,
    arrival: Option<EventListener>,
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
    change: Event,
}

struct State<V> {
    values: VecDeque<V>,
    missed: u64,
    is_ended: bool,
    has_first: bool,
}

/// Makes a feed and its outlet.
pub(crate) fn feed<V>(keep: Keep) -> (Feed<V>, Outlet<V>) {
    let state = State { values: VecDeque::new(), missed: 0, is_ended: false, has_first: false };
    let buffer = Arc::new(Buffer { keep, state: Mutex::new(state), change: Event::new() });
    (Feed { buffer: Arc::clone(&buffer) }, Outlet { buffer, arrival: None })
}

impl<V> Feed<V> {
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
        drop(state);
        self.buffer.change.notify(1);
        drop(unwanted);
    }
}

impl<V> Drop for Feed<V> {
    fn drop(&mut self) {
        self.buffer.lock().is_ended = true;
        self.buffer.change.notify(1);
    }
}

impl<V> Outlet<V> {
    /// Waits for the next value; `None` means that there will be no more.
    pub(crate) fn poll_take(&mut self, context: &mut Context<'_>) -> Poll<Option<V>> {
        loop {
            if let Poll::Ready(value) = self.take() {
                self.arrival = None;
                return Poll::Ready(value);
            }
            // Listened first and looked again, so that no value comes in between.
            let Some(arrival) = &mut self.arrival else {
                self.arrival = Some(self.buffer.change.listen());
                continue;
            };
            if Pin::new(arrival).poll(context).is_pending() {
                return Poll::Pending;
            }
            self.arrival = None;
        }
    }

    /// Returns how many values were dropped because nobody took them in time.
    pub(crate) fn missed(&self) -> u64 {
        self.buffer.lock().missed
    }

    fn take(&self) -> Poll<Option<V>> {
        let mut state = self.buffer.lock();
        match state.values.pop_front() {
            Some(value) => Poll::Ready(Some(value)),
            None if state.is_ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl<V> State<V> {
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
