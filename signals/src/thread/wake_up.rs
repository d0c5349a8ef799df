//! Waking those who wait for the posts of a thread.

use std::sync::{Arc, PoisonError};
use std::task::Waker;

use crate::sync::{Event, EventListener, Mutex, MutexGuard};

/// Those who wait for posts: futures, and threads that sleep.
pub(crate) struct WakeUp {
    wakers: Mutex<Wakers>,
    sleepers: Event,
}

/// The wakers of futures, each with its number; they stay until their future is gone.
///
/// A waker is code of whoever hosts the future. It is cloned, woken and dropped when nothing is
/// locked, and the list is copied without it.
#[derive(Default)]
struct Wakers {
    list: Arc<Vec<Arc<(u64, Waker)>>>,
    next_number: u64,
}

impl WakeUp {
    pub(crate) fn new() -> Self {
        Self { wakers: Mutex::default(), sleepers: Event::new() }
    }

    /// Wakes `waker` at each post from now on, until the number is unregistered.
    pub(crate) fn register(&self, waker: &Waker) -> u64 {
        let waker = waker.clone();
        let mut wakers = self.lock();
        let number = wakers.next_number;
        wakers.next_number += 1;
        Arc::make_mut(&mut wakers.list).push(Arc::new((number, waker)));
        number
    }

    /// Wakes the waker of this number no more.
    pub(crate) fn unregister(&self, number: u64) {
        let mut wakers = self.lock();
        let others = wakers.list.iter().filter(|waker| waker.0 != number).cloned().collect();
        let before = std::mem::replace(&mut wakers.list, Arc::new(others));
        drop(wakers);
        drop(before);
    }

    /// Returns what lets a thread sleep until the next post.
    pub(crate) fn listen(&self) -> EventListener {
        self.sleepers.listen()
    }

    /// Wakes all of them.
    pub(crate) fn notify(&self) {
        self.sleepers.notify(usize::MAX);
        // Outside the lock: who is woken may run at once, and would have to wait for it.
        let list = Arc::clone(&self.lock().list);
        for waker in list.iter() {
            waker.1.wake_by_ref();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Wakers> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
