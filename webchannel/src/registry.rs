//! The objects of a channel by id, by address and in their order.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use slotwork::signals::Connection;

use crate::client::Client;
use crate::instance::Instance;

/// The objects of a channel.
#[derive(Default)]
pub(crate) struct Registry {
    by_key: BTreeMap<u64, Rc<Entry>>,
    by_id: HashMap<Rc<str>, Rc<Entry>>,
    by_address: HashMap<usize, Rc<Entry>>,
    last_key: u64,
    ids: IdGenerator,
}

/// An object of a channel.
pub(crate) struct Entry {
    /// Grows with each object, from 2 on.
    pub(crate) key: u64,
    /// The name of a registered object; else a random id.
    pub(crate) id: Rc<str>,
    pub(crate) is_registered: bool,
    pub(crate) address: usize,
    pub(crate) instance: Box<dyn Instance>,
    /// Whether it belongs to the channel no more.
    pub(crate) is_removed: Cell<bool>,
    /// The methods of it that run at the moment, in loops inside of one another.
    pub(crate) running: Cell<usize>,
    /// Whether clients are to be sent `destroyed` when these have been answered.
    pub(crate) is_ending: Cell<bool>,
    /// The clients that may use it; for objects that are not registered.
    pub(crate) clients: Cell<usize>,
    /// The slots of its signals, by the index of the signal.
    pub(crate) connections: RefCell<Vec<(usize, Connection)>>,
    /// The clients that have connected a plain signal, by the index of the signal.
    pub(crate) subscribers: RefCell<BTreeMap<usize, Vec<Rc<Client>>>>,
}

impl Registry {
    /// Adds an object; one without a name gets a random id.
    pub(crate) fn add(
        &mut self,
        name: Option<&str>,
        address: usize,
        instance: Box<dyn Instance>,
    ) -> Rc<Entry> {
        self.last_key = self.last_key() + 1;
        let key = self.last_key;
        // Each property that changes, or one signal, has a slot.
        let slots = instance.info().notify_count().max(1);
        let id: Rc<str> = name.map_or_else(|| self.ids.next(key).into(), Into::into);
        let entry = Rc::new(Entry {
            key,
            id: Rc::clone(&id),
            is_registered: name.is_some(),
            address,
            instance,
            is_removed: Cell::new(false),
            running: Cell::new(0),
            is_ending: Cell::new(false),
            clients: Cell::new(0),
            connections: RefCell::new(Vec::with_capacity(slots)),
            subscribers: RefCell::default(),
        });
        self.by_key.insert(key, Rc::clone(&entry));
        self.by_id.insert(id, Rc::clone(&entry));
        self.by_address.insert(address, Rc::clone(&entry));
        entry
    }

    /// Removes an object, which the caller drops when the registry is not borrowed.
    pub(crate) fn remove(&mut self, entry: &Entry) -> Option<Rc<Entry>> {
        self.by_id.remove(&entry.id);
        self.by_address.remove(&entry.address);
        self.by_key.remove(&entry.key)
    }

    pub(crate) fn with_id(&self, id: &str) -> Option<Rc<Entry>> {
        self.by_id.get(id).cloned()
    }

    pub(crate) fn with_address(&self, address: usize) -> Option<Rc<Entry>> {
        self.by_address.get(&address).cloned()
    }

    pub(crate) fn with_key(&self, key: u64) -> Option<Rc<Entry>> {
        self.by_key.get(&key).cloned()
    }

    /// Returns all objects, in the order in which they were added.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Rc<Entry>> {
        self.by_key.values()
    }

    /// Returns the key of the newest object; 1 if there was none.
    pub(crate) fn last_key(&self) -> u64 {
        self.last_key.max(1)
    }
}

impl Entry {
    /// Removes a client from those that have connected a plain signal.
    pub(crate) fn remove_subscriber(&self, client: &Rc<Client>, signal: usize) {
        let mut subscribers = self.subscribers.borrow_mut();
        let Some(clients) = subscribers.get_mut(&signal) else { return };
        if let Some(place) = clients.iter().position(|other| Rc::ptr_eq(other, client)) {
            clients.swap_remove(place);
        }
        if clients.is_empty() {
            subscribers.remove(&signal);
            drop(subscribers);
            self.disconnect(signal);
        }
    }

    /// Disconnects a plain signal that no client has connected.
    ///
    /// The only slot of an object stays: it reports the object's end.
    fn disconnect(&self, signal: usize) {
        let mut connections = self.connections.borrow_mut();
        let place = connections.iter().position(|(other, _)| *other == signal);
        if let Some(place) = place.filter(|_| connections.len() > 1) {
            let (_, connection) = connections.swap_remove(place);
            drop(connections);
            connection.disconnect();
        }
    }

    /// Disconnects the slots of all signals.
    pub(crate) fn disconnect_all(&self) {
        for (_, connection) in self.connections.take() {
            connection.disconnect();
        }
    }

    /// Returns whether clients can use it.
    pub(crate) fn is_alive(&self) -> bool {
        !self.is_removed.get() && self.instance.is_alive()
    }
}

/// Makes ids that clients cannot guess.
///
/// Each is a keyed hash of a counter; the keys are random and never shown.
#[derive(Default)]
struct IdGenerator {
    high: RandomState,
    low: RandomState,
}

impl IdGenerator {
    fn next(&self, number: u64) -> String {
        format!("{:016x}{:016x}", self.high.hash_one(number), self.low.hash_one(!number))
    }
}
