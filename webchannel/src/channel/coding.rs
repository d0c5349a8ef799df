//! Values for one client: the objects in them, and the class info that it lacks.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use slotwork::WebSocket;

use crate::channel::state::Inner;
use crate::client::{Client, Knowledge};
use crate::error::{CallFailure, Error, caught};
use crate::instance::Instance;
use crate::json::OBJECT_KEY;
use crate::message;
use crate::registry::Entry;
use crate::scope::{self, Exchange};

/// The encoding of a message for a client, or the decoding of one that it sent.
pub(crate) struct Coding {
    channel: Rc<Inner>,
    client: Rc<Client>,
    is_call: bool,
    /// Whether the client leaves values as they are: arguments of notify signals.
    is_raw: Cell<bool>,
    /// What the client knew before, of the objects in the message.
    before: RefCell<BTreeMap<u64, Option<Knowledge>>>,
    /// The changes of what it knows, to be undone if a value cannot be sent.
    changes: RefCell<Vec<(Rc<Entry>, Option<Knowledge>)>>,
    /// The objects whose class info is being written.
    open: RefCell<Vec<u64>>,
}

impl Coding {
    /// For values that are sent to a client.
    pub(crate) fn new(channel: &Rc<Inner>, client: &Rc<Client>) -> Rc<Self> {
        Self::make(channel, client, false)
    }

    /// For the arguments and the result of a method that the client calls.
    pub(crate) fn of_call(channel: &Rc<Inner>, client: &Rc<Client>) -> Rc<Self> {
        Self::make(channel, client, true)
    }

    fn make(channel: &Rc<Inner>, client: &Rc<Client>, is_call: bool) -> Rc<Self> {
        Rc::new(Self {
            channel: Rc::clone(channel),
            client: Rc::clone(client),
            is_call,
            is_raw: Cell::new(false),
            before: RefCell::default(),
            changes: RefCell::default(),
            open: RefCell::default(),
        })
    }

    /// Writes a value, or nothing: then what the client knows is as before, too.
    pub(crate) fn attempt(
        &self,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), CallFailure>,
    ) -> Result<(), CallFailure> {
        let (start, changes) = (out.len(), self.changes.borrow().len());
        let open = self.open.borrow().len();
        let result = caught(|| write(&mut *out));
        if result.is_err() {
            out.truncate(start);
            self.open.borrow_mut().truncate(open);
            self.undo(changes);
        }
        result
    }

    /// Writes the value of a property; one that cannot be sent is `null`.
    pub(crate) fn write_property(&self, entry: &Entry, property: usize, out: &mut Vec<u8>) {
        let written = self.attempt(out, |out| entry.instance.write_value(property, out));
        if let Err(failure) = written {
            out.extend_from_slice(b"null");
            self.channel.report(&entry.id, entry.instance.info().property_name(property), failure);
        }
    }

    /// Writes the last arguments of a notify signal, in which objects are mere ids.
    pub(crate) fn write_last(
        &self,
        entry: &Entry,
        property: usize,
        signal: usize,
        out: &mut Vec<u8>,
    ) {
        let former = self.is_raw.replace(true);
        let written = self.attempt(out, |out| entry.instance.write_last(property, out));
        self.is_raw.set(former);
        if let Err(failure) = written {
            out.extend_from_slice(b"[]");
            self.channel.report(&entry.id, entry.instance.info().signal_name(signal), failure);
        }
    }

    /// Writes the class info of an object.
    pub(crate) fn write_class_info(&self, entry: &Entry, out: &mut Vec<u8>) {
        entry.instance.info().write(out, |property, out| self.write_property(entry, property, out));
    }

    /// Takes back what the client has learned from the message, which is not sent.
    pub(crate) fn undo_all(&self) {
        self.undo(0);
    }

    fn undo(&self, length: usize) {
        loop {
            let mut changes = self.changes.borrow_mut();
            if changes.len() <= length {
                return;
            }
            let change = changes.pop();
            drop(changes);
            // An object that was removed meanwhile is unknown to all clients.
            if let Some((entry, former)) = change.filter(|(entry, _)| !entry.is_removed.get()) {
                self.client.learn(&entry, former);
                if former.is_none() {
                    self.channel.suspect(entry.key);
                }
            }
        }
    }

    /// Returns the objects in the message, and what the client knew of them before.
    pub(crate) fn objects(&self) -> Vec<(u64, Option<Knowledge>)> {
        self.before.borrow().iter().map(|(key, before)| (*key, *before)).collect()
    }

    /// Returns the object of this address; one that is new is added.
    fn entry(
        &self,
        address: usize,
        make: &dyn Fn() -> Result<Box<dyn Instance>, Error>,
    ) -> Result<Rc<Entry>, String> {
        if let Some(entry) = self.channel.registry.borrow().with_address(address) {
            return Ok(entry);
        }
        if self.is_full() {
            return Err(TOO_MANY.to_owned());
        }
        let instance = make().map_err(|error| error.to_string())?;
        Ok(self.channel.add(None, address, instance))
    }

    fn is_full(&self) -> bool {
        self.client.state.borrow().returned >= self.channel.max_objects.get()
    }

    /// Lets the client know an object.
    fn teach(&self, entry: &Rc<Entry>, knowledge: Knowledge) {
        let former = self.client.learn(entry, Some(knowledge));
        self.changes.borrow_mut().push((Rc::clone(entry), former));
    }
}

impl Exchange for Coding {
    fn reference(
        &self,
        address: *const (),
        make: &dyn Fn() -> Result<Box<dyn Instance>, Error>,
    ) -> Result<String, String> {
        let entry = self.entry(address.addr(), make)?;
        let knowledge = self.client.knowledge(&entry);
        let before = *self.before.borrow_mut().entry(entry.key).or_insert(knowledge);
        if knowledge.is_none() && !entry.is_registered && self.is_full() {
            self.channel.suspect(entry.key);
            return Err(TOO_MANY.to_owned());
        }
        let mut out = Vec::new();
        out.extend_from_slice(format!(r#"{{"{OBJECT_KEY}":true,"id":"#).as_bytes());
        message::write_text(&mut out, &entry.id);
        let is_open = self.open.borrow().contains(&entry.key);
        // The client may come to this place before the one that has the class info.
        let may_be_first = before != Some(Knowledge::Class) && scope::is_reordered();
        if self.is_raw.get() {
            if knowledge.is_none() {
                self.teach(&entry, Knowledge::Id);
            }
        } else if !is_open && (knowledge != Some(Knowledge::Class) || may_be_first) {
            if self.open.borrow().len() >= MOST_NESTED {
                return Err("objects in objects nest too deeply".to_owned());
            }
            if knowledge != Some(Knowledge::Class) {
                self.teach(&entry, Knowledge::Class);
            }
            self.open.borrow_mut().push(entry.key);
            out.extend_from_slice(br#","data":"#);
            self.write_class_info(&entry, &mut out);
            self.open.borrow_mut().pop();
        }
        out.push(b'}');
        String::from_utf8(out).map_err(|error| error.to_string())
    }

    fn object(&self, id: &str) -> Option<Rc<dyn Any>> {
        self.channel.find(&self.client, id)?.instance.upgrade()
    }

    fn has_object(&self, id: &str) -> bool {
        self.channel.find(&self.client, id).is_some()
    }

    fn caller(&self) -> Option<WebSocket> {
        self.is_call.then(|| self.client.socket.clone())
    }
}

/// The error of a client that has been given too many objects.
const TOO_MANY: &str = "the client has too many objects";
/// The levels of objects in properties of objects, which are written by recursion.
const MOST_NESTED: usize = 24;
