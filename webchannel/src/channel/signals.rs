//! Plain signals: the clients that have connected them, and their emissions.

use std::rc::Rc;

use slotwork::PreparedMessage;

use crate::channel::coding::Coding;
use crate::channel::state::Inner;
use crate::class_info::SignalKind;
use crate::client::{Client, Knowledge};
use crate::error::CallFailure;
use crate::message::{self, Member};
use crate::registry::Entry;
use crate::scope;

/// A message for one client, which others may share.
pub(crate) struct Encoded {
    pub(crate) message: PreparedMessage,
    /// The client that it was made for.
    pub(crate) client: Rc<Client>,
    /// The objects in it, and what that client knew of them before.
    pub(crate) objects: Vec<(u64, Option<Knowledge>)>,
}

impl Inner {
    /// Connects a signal for a client; returns whether there is one.
    pub(crate) fn subscribe(self: &Rc<Self>, client: &Rc<Client>, member: &Member<'_>) -> bool {
        let Some(entry) = self.find(client, &member.object) else { return false };
        match entry.instance.info().signal(member.index) {
            None => return false,
            Some(SignalKind::Plain(_)) => {}
            // Each client is sent these anyway.
            Some(SignalKind::Notify | SignalKind::Destroyed) => return true,
        }
        let subscription = (entry.key, member.index);
        {
            let subscriptions = &mut client.state.borrow_mut().subscriptions;
            if subscriptions.contains(&subscription) {
                return true;
            }
            subscriptions.push(subscription);
        }
        let mut subscribers = entry.subscribers.borrow_mut();
        subscribers.entry(member.index).or_default().push(Rc::clone(client));
        drop(subscribers);
        self.connect(&entry, member.index);
        true
    }

    /// Disconnects a signal for a client; one that it has not connected is ignored.
    pub(crate) fn unsubscribe(self: &Rc<Self>, client: &Rc<Client>, member: &Member<'_>) {
        if let Some(entry) = self.find(client, &member.object) {
            let subscription = (entry.key, member.index);
            client.state.borrow_mut().subscriptions.retain(|other| *other != subscription);
            entry.remove_subscriber(client, member.index);
        }
    }

    /// Disconnects all signals for a client.
    pub(crate) fn unsubscribe_all(self: &Rc<Self>, client: &Rc<Client>) {
        let subscriptions = std::mem::take(&mut client.state.borrow_mut().subscriptions);
        for (key, signal) in subscriptions {
            let entry = self.registry.borrow().with_key(key);
            if let Some(entry) = entry {
                entry.remove_subscriber(client, signal);
            }
        }
    }

    /// Sends an emission to the clients that have connected the signal.
    pub(crate) fn send_signal(
        self: &Rc<Self>,
        entry: &Rc<Entry>,
        signal: usize,
        write: &dyn Fn(&mut Vec<u8>) -> Result<(), CallFailure>,
    ) {
        let first = entry.subscribers.borrow().get(&signal).and_then(|it| it.first().cloned());
        let Some(first) = first else { return };
        let Some(encoded) = self.encode_signal(&first, entry, signal, write) else { return };
        if encoded.objects.is_empty() {
            // No code of the program runs in `send_prepared`: nothing has to be cloned.
            for client in entry.subscribers.borrow().get(&signal).into_iter().flatten() {
                client.socket.send_prepared(&encoded.message);
            }
            return;
        }
        first.socket.send_prepared(&encoded.message);
        self.send_variants(encoded, entry, signal, write);
    }

    /// Sends an emission with objects, in as many forms as the clients need.
    fn send_variants(
        self: &Rc<Self>,
        encoded: Encoded,
        entry: &Rc<Entry>,
        signal: usize,
        write: &dyn Fn(&mut Vec<u8>) -> Result<(), CallFailure>,
    ) {
        let clients = entry.subscribers.borrow().get(&signal).cloned().unwrap_or_default();
        let mut variants = vec![encoded];
        for client in clients {
            if variants.first().is_some_and(|first| Rc::ptr_eq(&first.client, &client)) {
                continue;
            }
            let fits =
                |encoded: &&Encoded| self.learn_alike(&client, &encoded.client, &encoded.objects);
            if let Some(encoded) = variants.iter().find(fits) {
                client.socket.send_prepared(&encoded.message);
            } else if let Some(encoded) = self.encode_signal(&client, entry, signal, write) {
                client.socket.send_prepared(&encoded.message);
                variants.push(encoded);
            }
        }
    }

    fn encode_signal(
        self: &Rc<Self>,
        client: &Rc<Client>,
        entry: &Entry,
        signal: usize,
        write: &dyn Fn(&mut Vec<u8>) -> Result<(), CallFailure>,
    ) -> Option<Encoded> {
        let coding = Coding::new(self, client);
        let _scope = scope::enter(coding.clone());
        let mut out = self.take_buffer();
        message::begin_signal(&mut out, &entry.id, signal);
        if let Err(failure) = coding.attempt(&mut out, |out| write(out)) {
            self.report(&entry.id, entry.instance.info().signal_name(signal), failure);
            return None;
        }
        message::end(&mut out);
        Some(self.encoded(&coding, client, out))
    }

    /// Makes a message of what was written.
    pub(crate) fn encoded(&self, coding: &Coding, client: &Rc<Client>, out: Vec<u8>) -> Encoded {
        let message = PreparedMessage::text(String::from_utf8_lossy(&out));
        self.keep_buffer(out);
        Encoded { message, client: Rc::clone(client), objects: coding.objects() }
    }
}
