//! Buffers between a signal and the task that awaits its values.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::sync::{Mutex, MutexGuard};

/// The end into which a slot writes values; its drop ends the buffer.
pub(crate) struct Writer<V> {
    buffer: Arc<Buffer<V>>,
}

/// The end from which values are read.
pub(crate) struct Reader<V> {
    buffer: Arc<Buffer<V>>,
}

/// The retention policy of a buffer.
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
    /// The waker of the task that awaits the next value.
    ///
    /// Cloned, woken and dropped without the lock: it may call this buffer.
    waker: Option<Waker>,
}

/// Makes a buffer and returns its two ends.
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
    /// Writes a value, made by `copy`, if the policy keeps it.
    pub(crate) fn put(&self, copy: impl FnOnce() -> V) {
        if self.buffer.lock().refuses(self.buffer.keep) {
            return;
        }
        let value = copy();
        // Dropped at the end, without the lock: a user value.
        let mut unwanted = None;
        let mut state = self.buffer.lock();
        match self.buffer.keep {
            // Another thread has written a value meanwhile.
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
    /// Polls for the next value; `None` means that the buffer has ended.
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
        // Checked again: a value may have arrived meanwhile.
        let value = state.take();
        drop(state);
        drop(former);
        value
    }

    /// Returns the number of values dropped before they were read.
    pub(crate) fn missed(&self) -> u64 {
        self.buffer.lock().missed
    }
}

impl<V> Drop for Reader<V> {
    /// Drops the waker, so that its task is neither kept alive nor woken.
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

    /// Returns whether a value is refused now, and counts it as missed.
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

/// Unlocks, and then wakes the reader.
fn unlock_and_wake<V>(mut state: MutexGuard<'_, State<V>>) {
    let waker = mem::take(&mut state.waker);
    drop(state);
    waker.into_iter().for_each(Waker::wake);
}
