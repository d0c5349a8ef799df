//! Properties: writes of clients, and the updates that carry changes to them.

use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::time::Instant;

use serde_json::Value;
use slotwork::Timer;

use crate::channel::coding::Coding;
use crate::channel::signals::Encoded;
use crate::channel::state::Inner;
use crate::client::Client;
use crate::error::{CallFailure, caught};
use crate::json;
use crate::message::{self, Member};
use crate::registry::Entry;
use crate::scope::{self, Exchange};
use crate::updates::{Progress, Round, Span};

/// A property of an object: the object's key, and the index.
type Property = (u64, usize);

/// The messages of a round, for the clients that come next.
///
/// The list has the changed properties, and those that a client has only written.
type Shared = HashMap<(Span, Vec<Property>, Vec<Property>), Vec<Encoded>>;

impl Inner {
    /// Notes that a property has changed.
    pub(crate) fn note_change(self: &Rc<Self>, entry: &Entry, property: usize) {
        self.updates.borrow_mut().change(Instant::now(), (entry.key, property));
        self.arm();
    }

    /// Sets a property for a client; returns whether there is one.
    pub(crate) fn set_property(
        self: &Rc<Self>,
        client: &Rc<Client>,
        member: &Member<'_>,
        text: &str,
    ) -> bool {
        let Some(entry) = self.find(client, &member.object) else { return false };
        let info = entry.instance.info();
        if member.index >= info.property_count() {
            return false;
        }
        let coding = Coding::of_call(self, client);
        let scope = scope::enter(coding.clone());
        let written = caught(|| {
            let value: Value = serde_json::from_str(text)
                .map_err(|error| CallFailure::InvalidArguments(error.to_string()))?;
            let values = std::slice::from_ref(&value);
            if !json::has_known_objects(text, values, &|id| coding.has_object(id)) {
                return Err(CallFailure::InvalidArguments(FORGED.to_owned()));
            }
            entry.instance.set_value(member.index, value)
        });
        if let Err(failure) = written {
            self.report(&entry.id, info.property_name(member.index), failure);
        }
        drop(scope);
        self.note_write(client, &entry, member.index);
        true
    }

    /// Has the true value of a property sent to the client that has written it.
    fn note_write(self: &Rc<Self>, client: &Client, entry: &Entry, property: usize) {
        if client.is_gone.get() || entry.is_removed.get() {
            return;
        }
        client.state.borrow_mut().written.insert((entry.key, property));
        self.updates.borrow_mut().request_round(Instant::now());
        self.arm();
    }

    /// Notes that a client waits for an update.
    pub(crate) fn set_idle(self: &Rc<Self>, client: &Rc<Client>) {
        // Without an init it knows no properties.
        if client.init_key.get() > 0 {
            let now = Instant::now();
            let mut updates = self.updates.borrow_mut();
            let is_late = client.update_progress(|progress| updates.set_idle(now, progress));
            drop(updates);
            if is_late {
                self.late.borrow_mut().push(Rc::downgrade(client));
                self.arm();
            }
        }
    }

    /// Starts a timer for the next round.
    pub(crate) fn arm(self: &Rc<Self>) {
        let Some(deadline) = self.updates.borrow().deadline() else { return };
        if self.armed.get().is_none_or(|armed| deadline < armed) {
            self.armed.set(Some(deadline));
            let time = deadline.saturating_duration_since(Instant::now());
            Timer::single_shot_to(time, self, Self::serve_round);
        }
    }

    fn serve_round(self: &Rc<Self>) {
        self.armed.set(None);
        let round = self.updates.borrow_mut().begin_round(Instant::now());
        if let Some(round) = round {
            let late = self.late.take();
            let clients = match round {
                Round::All => self.all_clients(),
                Round::Late => late.iter().filter_map(Weak::upgrade).collect(),
            };
            let mut shared = Shared::new();
            for client in clients {
                self.serve(&client, round, &mut shared);
            }
        }
        self.arm();
    }

    /// Sends a client what has changed for it, if it is its turn.
    fn serve(self: &Rc<Self>, client: &Rc<Client>, round: Round, shared: &mut Shared) {
        if client.is_gone.get() || client.init_key.get() == 0 {
            return;
        }
        let owes = !client.state.borrow().written.is_empty();
        let span = {
            let mut updates = self.updates.borrow_mut();
            client.update_progress(|progress| updates.due(round, progress, owes))
        };
        let Some(span) = span else { return };
        if self.is_behind(client) {
            return client.update_progress(Progress::postpone);
        }
        let mut changed = self.updates.borrow().properties(span);
        changed.retain(|(key, _)| self.entry_for(client, *key).is_some());
        let written = std::mem::take(&mut client.state.borrow_mut().written).into_iter();
        let written = written.filter(|property| {
            let is_known = self.entry_for(client, property.0).is_some();
            is_known && changed.binary_search(property).is_err()
        });
        let written: Vec<_> = written.collect();
        if changed.is_empty() && written.is_empty() {
            return client.update_progress(|progress| progress.skip(span));
        }
        client.update_progress(|progress| progress.sent(span));
        self.send_update(client, (span, changed, written), shared);
    }

    fn send_update(
        self: &Rc<Self>,
        client: &Rc<Client>,
        update: (Span, Vec<Property>, Vec<Property>),
        shared: &mut Shared,
    ) {
        let fits = |it: &&Encoded| self.learn_alike(client, &it.client, &it.objects);
        if let Some(encoded) = shared.get(&update).into_iter().flatten().find(fits) {
            client.socket.send_prepared(&encoded.message);
            return;
        }
        let encoded = self.encode_update(client, &update.1, &update.2);
        client.socket.send_prepared(&encoded.message);
        shared.entry(update).or_default().push(encoded);
    }

    fn encode_update(
        self: &Rc<Self>,
        client: &Rc<Client>,
        changed: &[Property],
        written: &[Property],
    ) -> Encoded {
        let coding = Coding::new(self, client);
        let _scope = scope::enter(coding.clone());
        let mut out = self.take_buffer();
        message::begin_property_update(&mut out);
        out.push(b'[');
        let mut all: Vec<_> = changed.iter().map(|property| (*property, true)).collect();
        all.extend(written.iter().map(|property| (*property, false)));
        all.sort_unstable();
        let mut is_first = true;
        for properties in all.chunk_by(|((one, _), _), ((other, _), _)| one == other) {
            let key = properties.first().map_or(0, |((key, _), _)| *key);
            let Some(entry) = self.entry_for(client, key) else { continue };
            if !is_first {
                out.push(b',');
            }
            is_first = false;
            write_object(&coding, &entry, properties, &mut out);
        }
        out.push(b']');
        message::end(&mut out);
        self.encoded(&coding, client, out)
    }

    /// Returns an object whose class the client knows.
    fn entry_for(&self, client: &Client, key: u64) -> Option<Rc<Entry>> {
        let entry = self.registry.borrow().with_key(key)?;
        (entry.is_alive() && client.knows(&entry)).then_some(entry)
    }

    /// Returns whether a client has too much to read; it is served when it has read.
    fn is_behind(self: &Rc<Self>, client: &Rc<Client>) -> bool {
        let is_over = || client.socket.bytes_to_write() > client.socket.high_water_mark();
        if !is_over() {
            return false;
        }
        if !client.is_draining.replace(true) {
            let drained = client.socket.output_drained();
            drained.once().connect_to((self, client), |(channel, client), _socket, ()| {
                client.is_draining.set(false);
                channel.updates.borrow_mut().request_late_round(Instant::now());
                channel.late.borrow_mut().push(Rc::downgrade(client));
                channel.arm();
            });
        }
        // It may have been drained before the slot was connected.
        is_over()
    }
}

/// Writes the changes of one object; `true` stands for those with their signals.
fn write_object(
    coding: &Coding,
    entry: &Entry,
    properties: &[(Property, bool)],
    out: &mut Vec<u8>,
) {
    let info = entry.instance.info();
    out.extend_from_slice(br#"{"object":"#);
    message::write_text(out, &entry.id);
    out.extend_from_slice(br#","properties":{"#);
    for (place, ((_, property), _)) in properties.iter().enumerate() {
        write_key(out, place == 0, *property);
        coding.write_property(entry, *property, out);
    }
    // Behind the values, because the client handles them in this order, too.
    out.extend_from_slice(br#"},"signals":{"#);
    let mut is_first = true;
    for ((_, property), _) in properties.iter().filter(|(_, has_signal)| *has_signal) {
        let Some(signal) = info.notify(*property) else { continue };
        write_key(out, is_first, signal);
        is_first = false;
        coding.write_last(entry, *property, signal, out);
    }
    out.extend_from_slice(b"}}");
}

fn write_key(out: &mut Vec<u8>, is_first: bool, index: usize) {
    if !is_first {
        out.push(b',');
    }
    out.extend_from_slice(format!("\"{index}\":").as_bytes());
}

/// The error of values with objects that the client may not use.
pub(crate) const FORGED: &str = "an object that the client does not have";
