//! Wake-ups: waking tasks and threads that wait for posts.

use std::sync::{Arc, PoisonError};
use std::task::Waker;

use crate::sync::{Event, EventListener, Mutex, MutexGuard};

/// The tasks and threads that wait for posts.
pub(crate) struct WakeUp {
    wakers: Mutex<Wakers>,
    sleepers: Event,
}

/// The registered wakers, each with its number.
///
/// A waker is code of another executor: it is cloned, woken and dropped without a lock, and the
/// list is copied by reference.
#[derive(Default)]
struct Wakers {
    list: Arc<Vec<Arc<(u64, Waker)>>>,
    next_number: u64,
}

impl WakeUp {
    pub(crate) fn new() -> Self {
        Self { wakers: Mutex::default(), sleepers: Event::new() }
    }

    /// Registers a waker for all further posts; returns the number to unregister it.
    pub(crate) fn register(&self, waker: &Waker) -> u64 {
        let waker = waker.clone();
        let mut wakers = self.lock();
        let number = wakers.next_number;
        wakers.next_number += 1;
        Arc::make_mut(&mut wakers.list).push(Arc::new((number, waker)));
        number
    }

    /// Unregisters the waker with this number.
    pub(crate) fn unregister(&self, number: u64) {
        let mut wakers = self.lock();
        let others = wakers.list.iter().filter(|waker| waker.0 != number).cloned().collect();
        let before = std::mem::replace(&mut wakers.list, Arc::new(others));
        drop(wakers);
        drop(before);
    }

    /// Returns a listener, with which a thread can sleep until the next post.
    #[cfg_attr(target_family = "wasm", expect(dead_code, reason = "no thread sleeps there"))]
    pub(crate) fn listen(&self) -> EventListener {
        self.sleepers.listen()
    }

    /// Wakes all tasks and threads.
    pub(crate) fn notify(&self) {
        self.sleepers.notify(usize::MAX);
        // Not locked: a task that runs at once would wait for the lock.
        let list = Arc::clone(&self.lock().list);
        for waker in list.iter() {
            waker.1.wake_by_ref();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Wakers> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
