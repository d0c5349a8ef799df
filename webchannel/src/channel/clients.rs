//! The clients of a channel: their connection, their messages, their end.

use std::rc::Rc;

use log::debug;
use serde_json::value::RawValue;
use slotwork::{CloseCode, SocketState, WebSocket};

use crate::channel::coding::Coding;
use crate::channel::state::Inner;
use crate::client::Client;
use crate::error::on_one_line;
use crate::message::{self, Message};
use crate::scope;

impl Inner {
    /// Serves the client of a socket from now on; returns whether that is new.
    pub(crate) fn connect_client(self: &Rc<Self>, socket: &WebSocket) -> bool {
        if self.clients.borrow().contains_key(socket) {
            return false;
        }
        let client = Rc::new(Client::new(socket));
        self.clients.borrow_mut().insert(socket.clone(), Rc::clone(&client));
        socket.text_message_received().connect_to((self, &client), |(channel, client), _, text| {
            channel.receive(client, text);
        });
        socket.disconnected().connect_to((self, &client), |(channel, client), _socket, ()| {
            channel.disconnect_client(&client.socket);
        });
        // After the slots are connected: the end of a socket of another thread is not missed.
        if socket.state() == SocketState::Unconnected {
            let unused = self.clients.borrow_mut().remove(socket);
            // When the list is not borrowed.
            drop(unused);
            return false;
        }
        true
    }

    /// Serves a client no more; returns whether it was served.
    pub(crate) fn disconnect_client(self: &Rc<Self>, socket: &WebSocket) -> bool {
        let client = self.clients.borrow_mut().remove(socket);
        let Some(client) = client else { return false };
        client.is_gone.set(true);
        let calls = std::mem::take(&mut client.state.borrow_mut().calls);
        drop(calls);
        self.unsubscribe_all(&client);
        self.forget_objects_of(&client);
        client.resume_reading();
        self.client_disconnected.emit(socket);
        true
    }

    /// Does what a message says.
    fn receive(self: &Rc<Self>, client: &Rc<Client>, text: &str) {
        if client.is_gone.get() || client.meaningless.get() >= MOST_MEANINGLESS {
            return;
        }
        let has_sense = match Message::parse(text) {
            None => false,
            Some(Message::Init { id }) => {
                self.answer_init(client, id);
                true
            }
            Some(Message::Idle) => {
                self.set_idle(client);
                true
            }
            Some(Message::Debug { data }) => {
                debug!("{:?} sends {}", client.socket, on_one_line(data));
                true
            }
            Some(Message::Invoke(call)) => self.invoke(client, &call),
            Some(Message::Connect(signal)) => self.subscribe(client, &signal),
            Some(Message::Disconnect(signal)) => {
                self.unsubscribe(client, &signal);
                true
            }
            Some(Message::SetProperty { property, value }) => {
                self.set_property(client, &property, value)
            }
        };
        self.count(client, has_sense);
    }

    /// Counts messages that make no sense; too many in a row end the connection.
    fn count(&self, client: &Client, has_sense: bool) {
        if has_sense {
            return client.meaningless.set(0);
        }
        client.meaningless.set(client.meaningless.get() + 1);
        self.warn(|| format!("web channel: {:?} sends messages without sense", client.socket));
        if client.meaningless.get() == MOST_MEANINGLESS {
            client.socket.close(CloseCode::POLICY_VIOLATED, "not a client of a web channel");
        }
    }

    /// Answers an init with all registered objects.
    fn answer_init(self: &Rc<Self>, client: &Rc<Client>, id: Option<&RawValue>) {
        let Some(id) = id else { return };
        let progress = self.updates.borrow_mut().join();
        let (entries, last_key): (Vec<_>, _) = {
            let registry = self.registry.borrow();
            let entries = registry.all().filter(|entry| entry.is_registered && entry.is_alive());
            (entries.cloned().collect(), registry.last_key())
        };
        client.progress.set(progress);
        client.init_key.set(last_key);
        let coding = Coding::new(self, client);
        let scope = scope::enter(coding.clone());
        let mut out = self.take_buffer();
        message::begin_response(&mut out, id.get());
        out.push(b'{');
        for (place, entry) in entries.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            message::write_text(&mut out, &entry.id);
            out.push(b':');
            // The client visits names that are numbers first.
            let is_number = entry.id.bytes().all(|byte| byte.is_ascii_digit());
            if is_number {
                scope::begin_reordered();
            }
            coding.write_class_info(entry, &mut out);
            if is_number {
                scope::end_reordered();
            }
        }
        out.push(b'}');
        message::end(&mut out);
        drop(scope);
        client.send(&out);
        self.keep_buffer(out);
    }
}

/// So many messages in a row without sense end a connection.
const MOST_MEANINGLESS: u32 = 100;
