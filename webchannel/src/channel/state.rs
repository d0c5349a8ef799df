//! What the handles of a channel share.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::mem;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use log::warn;
use slotwork::signals::Signal;
use slotwork::{EventLoop, WebSocket};

use crate::client::Client;
use crate::error::{CallError, on_one_line};
use crate::registry::Registry;
use crate::updates::Updates;

/// What the handles of a channel share.
///
/// No borrow is held while code of the program runs: methods, getters, `Serialize`, slots, `Drop`.
pub(crate) struct Inner {
    pub(crate) event_loop: EventLoop,
    pub(crate) registry: RefCell<Registry>,
    pub(crate) clients: RefCell<HashMap<WebSocket, Rc<Client>>>,
    /// Changes of properties, by object and index.
    pub(crate) updates: RefCell<Updates<(u64, usize)>>,
    /// Clients that have missed a round of updates, and can be served now.
    pub(crate) late: RefCell<Vec<Weak<Client>>>,
    /// When a timer for the next round of updates expires.
    pub(crate) armed: Cell<Option<Instant>>,
    /// Objects that may be gone, to be looked at by the loop.
    pub(crate) suspects: RefCell<Vec<u64>>,
    pub(crate) max_calls: Cell<usize>,
    pub(crate) max_objects: Cell<usize>,
    pub(crate) client_connected: Signal<WebSocket>,
    pub(crate) client_disconnected: Signal<WebSocket>,
    pub(crate) call_failed: Signal<CallError>,
    last_warning: Cell<Option<Instant>>,
    spare_buffer: Cell<Vec<u8>>,
}

impl Inner {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            event_loop: EventLoop::current(),
            registry: RefCell::default(),
            clients: RefCell::default(),
            updates: RefCell::new(Updates::new(DEFAULT_INTERVAL)),
            late: RefCell::default(),
            armed: Cell::default(),
            suspects: RefCell::default(),
            max_calls: Cell::new(DEFAULT_MAX_CALLS),
            max_objects: Cell::new(DEFAULT_MAX_OBJECTS),
            client_connected: Signal::new(),
            client_disconnected: Signal::new(),
            call_failed: Signal::new(),
            last_warning: Cell::default(),
            spare_buffer: Cell::default(),
        })
    }

    /// Logs a warning, unless there was one within the last second.
    ///
    /// Clients cause these, as many as they like.
    pub(crate) fn warn(&self, text: impl FnOnce() -> String) {
        let now = Instant::now();
        let is_early = |last: Instant| now.duration_since(last) < WARNING_INTERVAL;
        if !self.last_warning.get().is_some_and(is_early) {
            self.last_warning.set(Some(now));
            warn!("{}", on_one_line(&text()));
        }
    }

    /// Returns an empty buffer for a message, with the memory of an earlier one.
    pub(crate) fn take_buffer(&self) -> Vec<u8> {
        self.spare_buffer.take()
    }

    /// Takes a buffer back.
    pub(crate) fn keep_buffer(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= MOST_SPARE {
            buffer.clear();
            self.spare_buffer.set(buffer);
        }
    }

    /// Returns the clients of this moment.
    pub(crate) fn all_clients(&self) -> Vec<Rc<Client>> {
        self.clients.borrow().values().cloned().collect()
    }
}

impl Drop for Inner {
    /// Disconnects the slots of the objects, and reads from the sockets, which live on.
    fn drop(&mut self) {
        self.clients.get_mut().values().for_each(|client| client.resume_reading());
        let registry = mem::take(self.registry.get_mut());
        for entry in registry.all() {
            entry.disconnect_all();
            // Those hold clients, which hold no entries.
            let subscribers = entry.subscribers.take();
            drop(subscribers);
        }
        drop(registry);
    }
}

/// Qt's.
const DEFAULT_INTERVAL: Duration = Duration::from_millis(50);
const DEFAULT_MAX_CALLS: usize = 64;
const DEFAULT_MAX_OBJECTS: usize = 10_000;
const WARNING_INTERVAL: Duration = Duration::from_secs(1);
/// In bytes.
const MOST_SPARE: usize = 64 * 1024;
