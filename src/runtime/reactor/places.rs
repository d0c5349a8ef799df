//! The places of the sockets of a reactor: readiness, waker and generation.
//!
//! Sockets are many, so none has an allocation here: the reactor allocates their places in chunks,
//! and keeps those for the highest number of sockets. A place is used again after its socket. Its
//! generation is different then, and late events and old handles have no effect.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Waker;

use mio::event::Event;
use mio::{Registry, Token};

use crate::runtime::memory_budget::Budget;
use crate::runtime::reactor::readiness::{READ_CLOSED, READABLE, WRITABLE};
use crate::runtime::shared_frame::SharedFrame;
use crate::runtime::sync::Mutex;

/// The places of some sockets of one reactor.
pub(super) struct Chunk {
    pub(super) shared: Arc<SharedState>,
    pub(super) first_key: u32,
    places: [Place; PLACES],
}

/// The readiness of a socket, and the waker of the task that owns it.
#[derive(Default)]
pub(super) struct Place {
    /// The readiness that events have set, and above it the number for the handler.
    ///
    /// Apart from the rest: the loop's thread alone changes it, and so without locked instructions.
    pub(super) events: AtomicU32,
    /// The other readiness, and from [`GENERATION_SHIFT`] on the generation.
    pub(super) state: AtomicU32,
    pub(super) waker: Mutex<Option<Waker>>,
}

/// What a reactor and its sources share.
pub(super) struct SharedState {
    /// Keeps the descriptor of the poll open while there are sources and handles.
    pub(super) registry: Registry,
    /// The keys of the free places.
    pub(super) free_keys: Mutex<Vec<u32>>,
    pub(super) budget: Arc<Budget>,
    pub(super) shared_frame: Arc<SharedFrame>,
}

impl SharedState {
    /// Makes the shared state of a reactor with this registry.
    pub(super) fn new(registry: Registry) -> Self {
        Self {
            registry,
            free_keys: Mutex::default(),
            budget: Arc::default(),
            shared_frame: Arc::default(),
        }
    }
}

impl Chunk {
    /// Makes places, with the keys from `first_key` on; all are free.
    pub(super) fn new(first_key: u32, shared: &Arc<SharedState>) -> Self {
        let places = std::array::from_fn(|_| Place::default());
        let keys: Vec<_> = (first_key..).take(PLACES).collect();
        // The last one is used first.
        shared.free_keys.lock().extend(keys.into_iter().rev());
        Self { shared: Arc::clone(shared), first_key, places }
    }

    /// Adds the readiness that an event reports, unless its socket is gone.
    ///
    /// New readiness wakes the task, or, if the socket has a number for the handler, returns it.
    pub(super) fn handle_event(&self, event: &Event) -> Option<u32> {
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
        let Token(token) = event.token();
        let is_current = |generation| token_of(0, generation) == token & !KEY_MASK;
        self.place(index_of(token)).add_event(is_current, ready)
    }

    #[inline]
    pub(super) fn place(&self, index: u8) -> &Place {
        &self.places[usize::from(index) % PLACES]
    }
}

impl Place {
    /// Returns the readiness, and above it the generation.
    #[inline]
    pub(super) fn state(&self) -> u32 {
        self.state.load(Ordering::Acquire) | self.event_readiness()
    }

    #[inline]
    fn event_readiness(&self) -> u32 {
        self.events.load(Ordering::Acquire) & EVENT_READINESS
    }

    /// Adds the readiness that an event reports, as [`set_ready_if`](Self::set_ready_if) does.
    ///
    /// On the loop's thread only.
    fn add_event(&self, is_current: impl Fn(u32) -> bool, ready: u32) -> Option<u32> {
        let before = self.state();
        if !is_current(before >> GENERATION_SHIFT) || before | ready == before {
            return None;
        }
        let events = self.events.load(Ordering::Relaxed);
        self.events.store(events | ready, Ordering::Release);
        let number = (events >> NUMBER_SHIFT).checked_sub(1);
        if number.is_none() {
            self.wake();
        }
        number
    }

    /// Sets the number for the handler of events; one that is too high sets none.
    ///
    /// On the loop's thread only.
    pub(super) fn set_event_number(&self, number: Option<u32>) {
        let number = number.map_or(0, |number| number.saturating_add(1));
        let number = if number <= u32::MAX >> NUMBER_SHIFT { number << NUMBER_SHIFT } else { 0 };
        let readiness = self.events.load(Ordering::Relaxed) & EVENT_READINESS;
        self.events.store(number | readiness, Ordering::Release);
    }

    /// Clears readiness, on the loop's thread only.
    #[inline]
    pub(super) fn clear(&self, ready: u32) {
        let events = self.events.load(Ordering::Relaxed);
        if events & ready != 0 {
            self.events.store(events & !ready, Ordering::Release);
        }
        if self.state.load(Ordering::Relaxed) & ready != 0 {
            self.state.fetch_and(!ready, Ordering::AcqRel);
        }
    }

    /// Adds readiness, and wakes the task if any of it is new; returns whether it was.
    ///
    /// Without effect in a generation that is not the current one.
    pub(super) fn set_ready_if(&self, is_current: impl Fn(u32) -> bool, ready: u32) -> bool {
        let set = |state| is_current(state >> GENERATION_SHIFT).then_some(state | ready);
        let before = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, set);
        let events = self.event_readiness();
        // An edge in a direction that is ready already is no news: no task waits for it.
        let is_news = before.is_ok_and(|before| before | events | ready != before | events);
        if is_news {
            self.wake();
        }
        is_news
    }

    #[inline]
    pub(super) fn wake(&self) {
        if let Some(waker) = &*self.waker.lock() {
            waker.wake_by_ref();
        }
    }
}

/// Returns the index of a key, or a token, in its chunk.
#[expect(clippy::cast_possible_truncation, reason = "it is less than `PLACES`")]
pub(super) const fn index_of(key: usize) -> u8 {
    (key % PLACES) as u8
}

/// Returns a token.
///
/// Where `usize` has 32 bits, it has the lower bits of the generation alone.
pub(super) const fn token_of(key: u32, generation: u32) -> usize {
    (generation as usize) << KEY_BITS | key as usize
}

/// The number of places in a chunk; they take 2 KiB.
pub(super) const PLACES: usize = 64;
/// The bits of a token that are the key.
pub(super) const KEY_MASK: usize = (1 << KEY_BITS) - 1;
const KEY_BITS: u32 = usize::BITS / 2 + 4;
pub(super) const GENERATION_SHIFT: u32 = 8;
const NUMBER_SHIFT: u32 = 8;
const EVENT_READINESS: u32 = (1 << NUMBER_SHIFT) - 1;
