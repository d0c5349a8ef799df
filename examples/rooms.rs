//! Chat rooms: each shows the people in it and its last messages, and the page reconnects by itself.
//!
//! Run `cargo run --example rooms`, then open `examples/rooms.html` in two windows. Qt has no
//! counterpart; its `simplechat` has one room.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use serde::{Deserialize, Serialize};
use slotwork::{
    CloseCode, Error, EventLoop, HostAddress, SslMode, Topic, WebSocket, WebSocketServer,
};

/// Slotwork example: rooms
#[derive(Parser)]
struct Options {
    /// Port for the server
    #[arg(short, long, default_value_t = 1234)]
    port: u16,
}

/// A message of a client, such as `{"say":"hello"}`.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Request {
    Join { room: String, name: String },
    Say(String),
}

/// A message to clients.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum News<'a> {
    /// All rooms, each with the number of people in it.
    Rooms(Vec<(&'a str, usize)>),
    /// The room that a client has joined, with its last messages.
    Joined {
        room: &'a str,
        last: &'a VecDeque<Said>,
    },
    /// The people in the room.
    People(Vec<String>),
    Said(&'a Said),
}

#[derive(Clone, Serialize)]
struct Said {
    from: String,
    text: String,
}

/// The name of a client, and the number of its room.
struct Person {
    name: String,
    room: usize,
}

struct Room {
    topic: Topic,
    last: RefCell<VecDeque<Said>>,
}

struct Chat {
    /// All clients are subscribed to it.
    directory: Topic,
    rooms: Vec<Room>,
}

impl Chat {
    fn new(server: &WebSocketServer) -> Result<Rc<Self>, Error> {
        let room = |name| Ok(Room { topic: server.topic(name)?, last: RefCell::default() });
        let rooms = ROOMS.map(room).into_iter().collect::<Result<_, Error>>()?;
        let chat = Rc::new(Self { directory: server.topic("directory")?, rooms });
        // A new client gets the list of rooms first, a slow one only the latest.
        chat.directory.set_keep_last(true);
        chat.directory.set_conflated(true);
        chat.show_rooms();
        for Room { topic, .. } in &chat.rooms {
            topic.subscribed().connect_to(&chat, Self::show_people);
            topic.unsubscribed().connect_to(&chat, Self::show_people);
        }
        server.new_connection().connect_to(&chat, Self::on_new_connection);
        Ok(chat)
    }

    fn on_new_connection(self: &Rc<Self>, server: &WebSocketServer, (): &()) {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect_to(self, Self::on_message);
            // Fails when the client has left already.
            _ = self.directory.subscribe(&socket);
        }
    }

    fn on_message(self: &Rc<Self>, socket: &WebSocket, text: &str) {
        match serde_json::from_str(text) {
            Ok(Request::Join { room, name }) => self.join(socket, &room, &name),
            Ok(Request::Say(text)) => self.say(socket, text),
            Err(_) => _ = socket.close(CloseCode::POLICY_VIOLATED, "not a request"),
        }
    }

    fn join(&self, socket: &WebSocket, name_of_room: &str, name: &str) {
        let mut rooms = self.rooms.iter().enumerate();
        let found = rooms.find(|(_, room)| room.topic.name() == name_of_room);
        let Some((room, Room { topic, last })) = found else {
            socket.close(CloseCode::POLICY_VIOLATED, "no such room");
            return;
        };
        self.rooms.iter().for_each(|room| _ = room.topic.unsubscribe(socket));
        let name = name.trim().chars().take(LONGEST_NAME).collect();
        socket.set_data(Person { name, room });
        send(socket, &News::Joined { room: topic.name(), last: &last.borrow() });
        _ = topic.subscribe(socket);
    }

    fn say(&self, socket: &WebSocket, text: String) {
        let Some(person) = socket.data::<Person>() else { return };
        let Some(room) = self.rooms.get(person.room) else { return };
        let said = Said { from: person.name.clone(), text };
        room.topic.publish_text(json(&News::Said(&said)));
        let mut last = room.last.borrow_mut();
        last.push_back(said);
        if last.len() > MOST_LAST {
            last.pop_front();
        }
    }

    fn show_people(self: &Rc<Self>, topic: &Topic, _socket: &WebSocket) {
        let people = topic.subscribers().into_iter().filter_map(|socket| socket.data::<Person>());
        let mut names: Vec<_> = people.map(|person| person.name.clone()).collect();
        names.sort_unstable();
        topic.publish_text(json(&News::People(names)));
        self.show_rooms();
    }

    fn show_rooms(&self) {
        let rooms =
            self.rooms.iter().map(|Room { topic, .. }| (topic.name(), topic.subscriber_count()));
        self.directory.publish_text(json(&News::Rooms(rooms.collect())));
    }
}

fn send(socket: &WebSocket, news: &News<'_>) {
    socket.send_text_message(json(news));
}

fn json(news: &News<'_>) -> String {
    serde_json::to_string(news).unwrap_or_default()
}

fn main() -> Result<()> {
    let options = Options::parse();
    let server = WebSocketServer::new("Rooms", SslMode::NonSecure);
    server.set_max_allowed_incoming_message_size(8 * 1024);
    let _chat = Chat::new(&server)?;
    server.closed().connect(|_server, ()| EventLoop::current().quit());
    server.listen(HostAddress::Any, options.port).context("cannot start the server")?;
    println!("Rooms listening on port {}", server.server_port());

    EventLoop::current().quit_on_signals()?;
    EventLoop::current().exec();
    server.shutdown(Duration::from_secs(3));
    EventLoop::current().exec();
    Ok(())
}

const ROOMS: [&str; 4] = ["Lobby", "Rust", "Qt", "Off topic"];
/// In characters.
const LONGEST_NAME: usize = 40;
/// So many messages of a room are kept for newcomers.
const MOST_LAST: usize = 50;
