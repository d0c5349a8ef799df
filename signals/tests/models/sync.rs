//! The synchronization primitives of loom, which explores the interleavings of threads.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use loom::sync::Condvar;

pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
pub(crate) use loom::sync::{Mutex, MutexGuard};

/// A cell that is written once. loom has none: this is std's, with scheduling points around it.
pub(crate) struct OnceLock<T>(std::sync::OnceLock<T>);

/// An event like that of `event_listener`: wakes the current listeners when it is notified.
pub(crate) struct Event {
    listeners: Mutex<Vec<Arc<Slot>>>,
}

pub(crate) struct EventListener(Arc<Slot>);

/// Waiting in a thread instead of a task.
pub(crate) trait Listener {
    fn wait_deadline(self, deadline: Instant) -> Option<()>;
}

/// A thread-local value with the methods that loom's does not have.
pub(crate) struct Local<T: 'static>(pub(crate) &'static loom::thread::LocalKey<T>);

struct Slot {
    state: Mutex<(bool, Option<Waker>)>,
    change: Condvar,
}

impl<T> OnceLock<T> {
    pub(crate) const fn new() -> Self {
        Self(std::sync::OnceLock::new())
    }

    pub(crate) fn get(&self) -> Option<&T> {
        STEP.load(Ordering::Relaxed);
        let value = self.0.get()?;
        // Synchronizes with the thread that set the value.
        drop(WRITTEN.lock());
        Some(value)
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        let written = WRITTEN.lock();
        let outcome = self.0.set(value);
        drop(written);
        outcome
    }

    pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        if self.get().is_none() {
            let _ = self.set(init());
        }
        self.get().unwrap()
    }
}

impl Event {
    pub(crate) fn new() -> Self {
        Self { listeners: Mutex::default() }
    }

    pub(crate) fn listen(&self) -> EventListener {
        let state = Mutex::new((false, None));
        let slot = Arc::new(Slot { state, change: Condvar::new() });
        self.listeners.lock().unwrap().push(Arc::clone(&slot));
        EventListener(slot)
    }

    pub(crate) fn notify(&self, count: usize) {
        let mut listeners = self.listeners.lock().unwrap();
        let count = count.min(listeners.len());
        let woken: Vec<_> = listeners.drain(..count).collect();
        drop(listeners);
        for slot in woken {
            let mut state = slot.state.lock().unwrap();
            state.0 = true;
            let waker = state.1.take();
            drop(state);
            slot.change.notify_all();
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

impl Future for EventListener {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.state.lock().unwrap();
        if state.0 {
            return Poll::Ready(());
        }
        state.1 = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Listener for EventListener {
    /// Waits without a deadline: models have no time, and a lost wake-up is a deadlock.
    fn wait_deadline(self, _: Instant) -> Option<()> {
        let mut state = self.0.state.lock().unwrap();
        while !state.0 {
            state = self.0.change.wait(state).unwrap();
        }
        Some(())
    }
}

impl<T> Local<T> {
    pub(crate) fn try_with<R>(
        &self,
        visit: impl FnOnce(&T) -> R,
    ) -> Result<R, loom::thread::AccessError> {
        self.0.try_with(visit)
    }
}

impl Local<std::cell::Cell<u64>> {
    /// In std a plain number has no destructor; in loom it is gone at the thread's end.
    pub(crate) fn get(&self) -> u64 {
        self.try_with(std::cell::Cell::get).unwrap_or(u64::MAX)
    }

    pub(crate) fn set(&self, value: u64) {
        let _ = self.try_with(|cell| cell.set(value));
    }
}

macro_rules! locals {
    ($($(#[$attribute:meta])* static $name:ident: $type:ty = $init:expr;)+) => {$(
        $(#[$attribute])*
        static $name: crate::sync::Local<$type> = crate::sync::Local({
            loom::thread_local! { static LOCAL: $type = $init; }
            &LOCAL
        });
    )+};
}

pub(crate) use locals as thread_local;

loom::lazy_static! {
    static ref STEP: AtomicU32 = AtomicU32::new(0);
    static ref WRITTEN: Mutex<()> = Mutex::new(());
}
