//! A client of a channel: what it knows, has connected and waits for.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;
use slotwork::WebSocket;

use crate::updates::Progress;

/// A client of a channel.
pub(crate) struct Client {
    pub(crate) socket: WebSocket,
    pub(crate) progress: Cell<Progress>,
    /// The newest object at the time of its init; 0 before.
    pub(crate) init_key: Cell<u64>,
    /// The number of messages in a row that made no sense.
    pub(crate) meaningless: Cell<u32>,
    pub(crate) is_gone: Cell<bool>,
    /// Whether reading is paused until a call is done.
    pub(crate) is_paused: Cell<bool>,
    /// Whether the end of waiting output is waited for.
    pub(crate) is_draining: Cell<bool>,
    pub(crate) state: RefCell<ClientState>,
}

/// The collections of a client; empty ones own no memory.
#[derive(Default)]
pub(crate) struct ClientState {
    /// Objects that the client got otherwise than at its init.
    pub(crate) known: BTreeMap<u64, Knowledge>,
    /// How many of them are not registered.
    pub(crate) returned: usize,
    /// The plain signals that the client has connected: objects and indices.
    pub(crate) subscriptions: Vec<(u64, usize)>,
    /// Properties that it has written: their true values are sent to it.
    pub(crate) written: BTreeSet<(u64, usize)>,
    /// Async calls under way, by their numbers.
    pub(crate) calls: BTreeMap<u64, RunningCall>,
    pub(crate) last_call: u64,
}

/// What a client knows of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knowledge {
    /// Its id: the client may use it, and does not know its class.
    Id,
    /// All of it.
    Class,
}

/// An async call under way.
pub(crate) struct RunningCall {
    pub(crate) object: u64,
    pub(crate) method: usize,
    pub(crate) id: Option<Box<RawValue>>,
    /// Its task, which is canceled when this is dropped.
    pub(crate) task: Option<Box<dyn Any>>,
}

impl Client {
    pub(crate) fn new(socket: &WebSocket) -> Self {
        Self {
            socket: socket.clone(),
            progress: Cell::default(),
            init_key: Cell::new(0),
            meaningless: Cell::new(0),
            is_gone: Cell::new(false),
            is_paused: Cell::new(false),
            is_draining: Cell::new(false),
            state: RefCell::default(),
        }
    }

    /// Reads from its socket again, if that waits for a call to be done.
    pub(crate) fn resume_reading(&self) {
        if self.is_paused.replace(false) {
            self.socket.resume_reading();
        }
    }

    /// Sends a message that was written.
    pub(crate) fn send(&self, message: &[u8]) {
        self.socket.send_text_message(String::from_utf8_lossy(message));
    }

    /// Changes the progress of its property updates.
    pub(crate) fn update_progress<T>(&self, change: impl FnOnce(&mut Progress) -> T) -> T {
        let mut progress = self.progress.get();
        let result = change(&mut progress);
        self.progress.set(progress);
        result
    }
}
