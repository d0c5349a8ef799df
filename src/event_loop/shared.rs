//! The part of a loop that all threads reach: posted calls and wake-ups.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::thread::{self, ThreadId};

use log::warn;

use super::sleep::Sleep;

/// The part of a loop that all threads reach. As a waker it ends the loop's sleep.
pub(super) struct Shared {
    thread: ThreadId,
    posted: Mutex<Posted>,
    pub(super) sleep: Sleep,
    waker: Arc<mio::Waker>,
}

#[derive(Default)]
struct Posted {
    calls: VecDeque<Call>,
    is_closed: bool,
}

pub(super) type Call = Box<dyn FnOnce() + Send>;

impl Shared {
    pub(super) fn new(waker: Arc<mio::Waker>) -> Self {
        Self {
            thread: thread::current().id(),
            posted: Mutex::default(),
            sleep: Sleep::new(),
            waker,
        }
    }

    /// Adds a call to the queue; drops it when the loop's thread has ended.
    pub(super) fn post(&self, call: Call) {
        let mut posted = self.posted();
        if posted.is_closed {
            drop(posted);
            warn!("a call was posted to an event loop whose thread has ended");
            return;
        }
        posted.calls.push_back(call);
        drop(posted);
        self.notify();
    }

    /// Moves the posted calls behind those in `calls`.
    pub(super) fn take_posted(&self, calls: &mut VecDeque<Call>) {
        let mut posted = self.posted();
        if calls.is_empty() {
            std::mem::swap(&mut posted.calls, calls);
        } else {
            calls.append(&mut posted.calls);
        }
    }

    /// Drops the posted calls and takes no more.
    pub(super) fn close(&self) {
        let mut posted = self.posted();
        posted.is_closed = true;
        let calls = std::mem::take(&mut posted.calls);
        drop(posted);
        drop(calls);
    }

    /// Returns whether the loop has ended, or is about to.
    pub(super) fn is_closed(&self) -> bool {
        self.posted().is_closed
    }

    /// Makes the loop's next, or current, sleep end at once.
    pub(super) fn notify(&self) {
        if self.sleep.notify() {
            self.wake_poll();
        }
    }

    /// Ends the reactor's wait: the current one, or the next.
    pub(super) fn wake_poll(&self) {
        if let Err(error) = self.waker.wake() {
            warn!("cannot wake the event loop: {error}");
        }
    }

    pub(super) fn thread(&self) -> ThreadId {
        self.thread
    }

    pub(super) fn is_current(&self) -> bool {
        thread::current().id() == self.thread
    }

    fn posted(&self) -> MutexGuard<'_, Posted> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.notify();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.notify();
    }
}
