//! A watched descriptor: its readiness, its waker and its registration.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::Waker;

use mio::Token;
use mio::event::Event;

use crate::runtime::memory_budget::{Budget, Holder};
use crate::runtime::sync::Mutex;

/// The readiness of a watched socket, and the waker of the task that owns it.
pub(crate) struct Source {
    readiness: AtomicU8,
    key: u32,
    waker: Mutex<Option<Waker>>,
    pub(super) shared: Arc<SharedState>,
}

/// What a reactor and its sources share.
#[derive(Default)]
pub(super) struct SharedState {
    /// Whether there are keys to free, which the reactor's own thread does.
    pub(super) has_released: AtomicBool,
    pub(super) released_keys: Mutex<Vec<u32>>,
    pub(super) budget: Arc<Budget>,
}

impl Source {
    /// Makes a source that is writable, as a new socket is; an event makes it readable.
    pub(super) fn new(key: u32, shared: &Arc<SharedState>) -> Self {
        let readiness = AtomicU8::new(WRITABLE | AFTER_SHORT);
        Self { readiness, key, waker: Mutex::default(), shared: Arc::clone(shared) }
    }

    /// Adds the readiness that an event reports.
    pub(super) fn handle_event(&self, event: &Event) {
        let mut ready = 0;
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            ready |= READABLE;
        }
        if event.is_writable() || event.is_write_closed() || event.is_error() {
            ready |= WRITABLE;
        }
        if event.is_read_closed() || event.is_error() {
            ready |= READ_CLOSED;
        }
        self.set_ready(ready);
    }

    /// Adds readiness, and wakes the task if any of it is new; returns whether it was.
    fn set_ready(&self, ready: u8) -> bool {
        // An edge in a direction that is ready already is no news: no task waits for it.
        let before = self.readiness.fetch_or(ready, Ordering::AcqRel);
        let is_news = before | ready != before;
        if is_news {
            self.wake();
        }
        is_news
    }

    /// Reports that a stream without a descriptor may have input or room.
    ///
    /// Returns whether it is news. For any thread.
    pub(crate) fn report_wake(&self) -> bool {
        self.set_ready(READABLE | WRITABLE)
    }

    /// Adds readiness as an event does, for scripted streams.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn script_event(&self, is_readable: bool, is_writable: bool, is_end: bool) {
        let bit = |is_set, bit| if is_set { bit } else { 0 };
        self.set_ready(
            bit(is_readable, READABLE) | bit(is_writable, WRITABLE) | bit(is_end, READ_CLOSED),
        );
    }

    /// Acts as a selector that needs a "would block", on any system.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn script_reports_after_would_block(&self) {
        self.readiness.fetch_and(!AFTER_SHORT, Ordering::AcqRel);
    }

    /// Wakes the task that owns the socket.
    #[inline]
    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker.lock() {
            waker.wake_by_ref();
        }
    }

    /// Sets the waker of the task that owns the socket.
    pub(crate) fn set_waker(&self, waker: &Waker) {
        let mut current = self.waker.lock();
        match &mut *current {
            Some(current) => current.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Drops the waker, so that the task can be freed.
    pub(crate) fn clear_waker(&self) {
        let waker = self.waker.lock().take();
        drop(waker);
    }

    fn is(&self, what: u8) -> bool {
        self.readiness.load(Ordering::Acquire) & what != 0
    }

    /// Returns whether a read may succeed.
    pub(crate) fn is_readable(&self) -> bool {
        self.is(READABLE)
    }

    /// Returns whether a write may succeed.
    pub(crate) fn is_writable(&self) -> bool {
        self.is(WRITABLE)
    }

    /// Returns whether the peer ended its sending direction.
    ///
    /// Only a read of 0 bytes drains it.
    pub(crate) fn is_read_closed(&self) -> bool {
        self.is(READ_CLOSED)
    }

    /// Returns the memory budget of the connections of the socket's thread.
    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.shared.budget
    }

    /// Returns whether the connection is to release memory.
    pub(crate) fn is_evicted(&self) -> bool {
        self.is(EVICTED)
    }

    /// Clears the request to release memory; returns whether there was one.
    pub(crate) fn take_eviction(&self) -> bool {
        self.readiness.fetch_and(!EVICTED, Ordering::AcqRel) & EVICTED != 0
    }

    /// Returns whether an event follows a short read or write.
    ///
    /// Then a short one means that the kernel has no more to give or to take. Where no event
    /// follows, only "would block" may clear the readiness.
    #[inline]
    pub(crate) fn reports_after_short(&self) -> bool {
        self.is(AFTER_SHORT)
    }

    /// Clears the read readiness, when nothing is left to read.
    ///
    /// On the loop's thread only: an event that arrived in between would be lost.
    pub(crate) fn clear_readable(&self) {
        self.readiness.fetch_and(!READABLE, Ordering::AcqRel);
    }

    /// Sets the write readiness, after something other than an event has made room.
    pub(crate) fn assume_writable(&self) {
        self.readiness.fetch_or(WRITABLE, Ordering::AcqRel);
    }

    /// Sets the read readiness, when more may be left to read.
    pub(crate) fn assume_readable(&self) {
        self.readiness.fetch_or(READABLE, Ordering::AcqRel);
    }

    /// Notes the end of the input of a stream without a descriptor.
    pub(crate) fn assume_read_closed(&self) {
        self.readiness.fetch_or(READABLE | READ_CLOSED, Ordering::AcqRel);
    }

    /// Clears the write readiness, when the kernel takes no more.
    ///
    /// On the loop's thread only.
    pub(crate) fn clear_writable(&self) {
        self.readiness.fetch_and(!WRITABLE, Ordering::AcqRel);
    }
}

impl Holder for Source {
    fn evict(&self) {
        self.set_ready(EVICTED);
    }
}

/// A watched socket; dropping it, in any thread, ends the watch.
pub(crate) struct Registration {
    source: Arc<Source>,
}

impl Registration {
    pub(super) fn new(source: Arc<Source>) -> Self {
        Self { source }
    }

    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Returns the token of this source's events.
    pub(crate) fn token(&self) -> Token {
        Token(self.source.key as usize)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let Source { key, shared, .. } = &*self.source;
        self.source.clear_waker();
        shared.released_keys.lock().push(*key);
        shared.has_released.store(true, Ordering::Release);
    }
}

const READABLE: u8 = 1;
const WRITABLE: u8 = 2;
const READ_CLOSED: u8 = 4;
/// Not a readiness: the connection is to release memory.
const EVICTED: u8 = 16;
/// Set where mio uses epoll or kqueue, in their edge-triggered mode.
///
/// Its other selectors report a socket again only after a call has failed with `WouldBlock` (see
/// "Portability" of `mio::Poll`).
const AFTER_SHORT: u8 = if cfg!(any(
    target_os = "android",
    target_os = "illumos",
    target_os = "linux",
    target_os = "redox",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "ios",
    target_os = "macos",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "tvos",
    target_os = "visionos",
    target_os = "watchos",
)) {
    8
} else {
    0
};
