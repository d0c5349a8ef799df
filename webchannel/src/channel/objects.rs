//! The objects of a channel: registered and returned ones, and their end.

use std::rc::{Rc, Weak};

use crate::channel::state::Inner;
use crate::class::Published;
use crate::class_info::SignalKind;
use crate::client::{Client, Knowledge};
use crate::error::{CallFailure, Error};
use crate::instance::{ChangeRelay, Instance, SignalRelay};
use crate::message;
use crate::publish::{self, Publish};
use crate::registry::Entry;

impl Inner {
    /// Registers an object under a name.
    pub(crate) fn register<T: Publish>(
        self: &Rc<Self>,
        name: &str,
        object: &Rc<T>,
    ) -> Result<(), Error> {
        let address = Rc::as_ptr(object).addr();
        if name.is_empty() || name == "__proto__" {
            return Err(Error::InvalidName(name.to_owned()));
        }
        let class = publish::class_of::<T>()?;
        self.remove_dead();
        let (with_name, with_address) = {
            let registry = self.registry.borrow();
            (registry.with_id(name), registry.with_address(address))
        };
        if with_name.is_some() {
            return Err(Error::NameTaken(name.to_owned()));
        }
        match with_address {
            Some(entry) if entry.is_registered => {
                return Err(Error::AlreadyRegistered(entry.id.to_string()));
            }
            // A method has returned it before: it has a new name now.
            Some(entry) => self.remove(&entry),
            None => {}
        }
        self.add(Some(name), address, Box::new(Published::weak(class, object)));
        Ok(())
    }

    /// Ends a registration; returns whether there was one.
    pub(crate) fn deregister<T>(self: &Rc<Self>, object: &Rc<T>) -> bool {
        let entry = self.registry.borrow().with_address(Rc::as_ptr(object).addr());
        let entry = entry.filter(|entry| entry.is_registered);
        if let Some(entry) = &entry {
            self.remove(entry);
        }
        entry.is_some()
    }

    /// Returns the names of the registered objects, in the order of their registration.
    pub(crate) fn names(&self) -> Vec<String> {
        let registry = self.registry.borrow();
        let registered = registry.all().filter(|entry| entry.is_registered && entry.is_alive());
        registered.map(|entry| entry.id.to_string()).collect()
    }

    /// Adds an object, and watches its properties from now on.
    pub(crate) fn add(
        self: &Rc<Self>,
        name: Option<&str>,
        address: usize,
        instance: Box<dyn Instance>,
    ) -> Rc<Entry> {
        let entry = self.registry.borrow_mut().add(name, address, instance);
        let info = entry.instance.info();
        for property in 0..info.property_count() {
            if let Some(signal) = info.notify(property) {
                let relay = Rc::new(Changes { source: Source::new(self, &entry), property });
                let connection = entry.instance.watch(property, relay);
                let mut connections = entry.connections.borrow_mut();
                connections.extend(connection.map(|connection| (signal, connection)));
            }
        }
        // One slot at least reports the end of the object.
        let first = info.plain_signals().next();
        if let Some(signal) = first.filter(|_| entry.connections.borrow().is_empty()) {
            self.connect(&entry, signal);
        }
        entry
    }

    /// Connects a plain signal, unless it is connected.
    pub(crate) fn connect(self: &Rc<Self>, entry: &Rc<Entry>, signal: usize) {
        let is_connected = entry.connections.borrow().iter().any(|(other, _)| *other == signal);
        let Some(SignalKind::Plain(plain)) = entry.instance.info().signal(signal) else { return };
        if !is_connected {
            let relay = Rc::new(Emissions { source: Source::new(self, entry), signal });
            let connection = entry.instance.connect(plain, relay);
            let mut connections = entry.connections.borrow_mut();
            connections.extend(connection.map(|connection| (signal, connection)));
        }
    }

    /// Returns an object that the client may use, unless it was dropped.
    pub(crate) fn find(self: &Rc<Self>, client: &Client, id: &str) -> Option<Rc<Entry>> {
        let entry = self.registry.borrow().with_id(id)?;
        if !entry.is_alive() {
            self.suspect(entry.key);
            return None;
        }
        client.may_use(&entry).then_some(entry)
    }

    /// Has the loop look whether an object is gone, which may be being dropped.
    pub(crate) fn suspect(self: &Rc<Self>, key: u64) {
        let mut suspects = self.suspects.borrow_mut();
        suspects.push(key);
        let is_first = suspects.len() == 1;
        drop(suspects);
        if is_first {
            self.event_loop.defer_to(self, Self::remove_suspects);
        }
    }

    fn remove_suspects(self: &Rc<Self>) {
        let suspects = self.suspects.take();
        for key in suspects {
            let entry = self.registry.borrow().with_key(key);
            if let Some(entry) = entry.filter(|entry| is_unwanted(entry)) {
                self.remove(&entry);
            }
        }
    }

    /// Removes the objects that were dropped, also those without a slot to report it.
    fn remove_dead(self: &Rc<Self>) {
        let dead: Vec<_> =
            self.registry.borrow().all().filter(|entry| !entry.is_alive()).cloned().collect();
        for entry in dead {
            self.remove(&entry);
        }
    }

    /// Removes an object: its calls are answered, and its clients are sent `destroyed`.
    pub(crate) fn remove(self: &Rc<Self>, entry: &Rc<Entry>) {
        if entry.is_removed.replace(true) {
            return;
        }
        let removed = self.registry.borrow_mut().remove(entry);
        {
            let mut updates = self.updates.borrow_mut();
            let properties = 0..entry.instance.info().property_count();
            properties.for_each(|property| updates.forget((entry.key, property)));
        }
        entry.disconnect_all();
        entry.subscribers.take();
        // Else no client knows it.
        if entry.is_registered || entry.clients.get() > 0 {
            entry.is_ending.set(true);
            self.withdraw_ending(entry);
        }
        drop(removed);
    }

    /// Has all clients forget an object that is ending, behind its answers.
    ///
    /// The client cannot take the result of a method behind `destroyed`.
    pub(crate) fn withdraw_ending(self: &Rc<Self>, entry: &Rc<Entry>) {
        if entry.running.get() > 0 || !entry.is_ending.replace(false) {
            return;
        }
        let text = message::destroyed(&entry.id);
        for client in self.all_clients() {
            let knows = client.knows(entry);
            client.learn(entry, None);
            {
                let mut state = client.state.borrow_mut();
                state.subscriptions.retain(|(key, _)| *key != entry.key);
                state.written.retain(|(key, _)| *key != entry.key);
            }
            self.end_calls_of(&client, entry);
            if knows {
                client.socket.send_text_message(&text);
            }
        }
    }

    /// Answers the calls under way of an object that is gone.
    fn end_calls_of(self: &Rc<Self>, client: &Rc<Client>, entry: &Entry) {
        let mut ended = Vec::new();
        client.state.borrow_mut().calls.retain(|_, call| {
            let is_open = call.object != entry.key;
            if !is_open {
                let id = call.id.take();
                ended.push((id, call.method, call.task.take()));
            }
            is_open
        });
        for (id, method, task) in ended {
            drop(task);
            let name = entry.instance.info().method_name(method).unwrap_or_default();
            self.fail(client, id.as_deref(), &entry.id, name, CallFailure::ObjectDestroyed);
        }
        self.resume(client);
    }

    /// Takes what a client knows: objects that no other client has are removed.
    pub(crate) fn forget_objects_of(self: &Rc<Self>, client: &Client) {
        let known = std::mem::take(&mut client.state.borrow_mut().known);
        for (key, _) in known {
            let entry = self.registry.borrow().with_key(key);
            if let Some(entry) = entry {
                entry.clients.set(entry.clients.get().saturating_sub(1));
                if is_unwanted(&entry) {
                    self.remove(&entry);
                }
            }
        }
    }

    /// Lets a client know objects as another one does after the same message.
    ///
    /// Returns `false`, and changes nothing, if it needs another message: because it knows another
    /// part of the objects in it.
    pub(crate) fn learn_alike(
        &self,
        client: &Client,
        other: &Client,
        objects: &[(u64, Option<Knowledge>)],
    ) -> bool {
        if objects.is_empty() {
            return true;
        }
        let registry = self.registry.borrow();
        let entries: Option<Vec<_>> =
            objects.iter().map(|(key, _)| registry.with_key(*key)).collect();
        drop(registry);
        let Some(entries) = entries else { return false };
        let is_alike = entries
            .iter()
            .zip(objects)
            .all(|(entry, (_, before))| client.knowledge(entry) == *before);
        let count = client.state.borrow().returned + objects.len();
        if !is_alike || count > self.max_objects.get() {
            return false;
        }
        for (entry, (_, before)) in entries.iter().zip(objects) {
            let now = other.knowledge(entry);
            if now != *before {
                client.learn(entry, now);
            }
        }
        true
    }
}

/// Returns whether an object was dropped, or its last client has gone.
fn is_unwanted(entry: &Entry) -> bool {
    !entry.is_alive() || (!entry.is_registered && entry.clients.get() == 0)
}

/// An object whose signals a relay reports, held weakly.
struct Source {
    channel: Weak<Inner>,
    entry: Weak<Entry>,
}

impl Source {
    fn new(channel: &Rc<Inner>, entry: &Rc<Entry>) -> Self {
        Self { channel: Rc::downgrade(channel), entry: Rc::downgrade(entry) }
    }

    fn get(&self) -> Option<(Rc<Inner>, Rc<Entry>)> {
        Some((self.channel.upgrade()?, self.entry.upgrade()?))
    }
}

impl Drop for Source {
    /// Signals drop their slots with their object: that is how its end is noticed.
    fn drop(&mut self) {
        if let Some((channel, entry)) = self.get()
            && !entry.is_removed.get()
            && !entry.instance.is_alive()
        {
            channel.suspect(entry.key);
        }
    }
}

/// The slot of a notify signal.
struct Changes {
    source: Source,
    property: usize,
}

impl ChangeRelay for Changes {
    fn is_wanted(&self) -> bool {
        let channel = self.source.channel.upgrade();
        channel.is_some_and(|channel| !channel.clients.borrow().is_empty())
    }

    fn changed(&self) {
        if let Some((channel, entry)) = self.source.get() {
            channel.note_change(&entry, self.property);
        }
    }
}

/// The slot of a plain signal.
struct Emissions {
    source: Source,
    signal: usize,
}

impl SignalRelay for Emissions {
    fn emitted(&self, write: &dyn Fn(&mut Vec<u8>) -> Result<(), CallFailure>) {
        if let Some((channel, entry)) = self.source.get() {
            channel.send_signal(&entry, self.signal, write);
        }
    }
}
