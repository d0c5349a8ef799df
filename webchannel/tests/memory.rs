//! The memory of objects and clients. A binary of its own: it counts allocations.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::thread;

use allocation_counter::measure;
use anyhow::{Result, anyhow, ensure};
use slotwork::signals::{Signal, SignalRef};
use slotwork_webchannel::{Publish, Publisher, WebChannel};
use support::raw_peer::RawPeer;
use support::{listening_server, wait_until};

#[derive(Default)]
struct Lamp {
    level: Cell<i32>,
    level_changed: Signal<i32>,
    pressed: Signal<()>,
}

impl Publish for Lamp {
    fn publish(with: &mut Publisher<Self>) {
        with.property(
            "level",
            |lamp| lamp.level.get(),
            |lamp| SignalRef::new(lamp, &lamp.level_changed),
        )
        .signal("pressed", |lamp| SignalRef::new(lamp, &lamp.pressed))
        .constant("version", |_lamp| 1);
    }
}

/// One with a property, a constant and a signal.
#[test]
fn a_registered_object_takes_little_memory() -> Result<()> {
    let channel = WebChannel::new();
    let lamps: Vec<_> = (0..COUNT).map(|_| Rc::new(Lamp::default())).collect();
    let names: Vec<_> = (0..COUNT).map(|number| format!("lamp{number:04}")).collect();
    channel.register("first", &Rc::new(Lamp::default()))?;

    let usage = measure(|| {
        for (name, lamp) in names.iter().zip(&lamps) {
            channel.register(name, lamp).unwrap();
        }
    });

    let bytes = usage.bytes_current / i64::try_from(COUNT)?;
    ensure!((1..=MAX_OBJECT).contains(&bytes), "{bytes} bytes");
    Ok(())
}

/// Beside its socket.
#[test]
fn a_client_takes_little_memory() -> Result<()> {
    let (server, channel) = (listening_server()?, WebChannel::new());
    let port = server.server_port();
    let sockets = Rc::new(RefCell::new(Vec::new()));
    server.new_connection().connect_to(&sockets, |sockets, server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            sockets.borrow_mut().push(socket);
        }
    });
    let peers = thread::spawn(move || (0..COUNT).map(|_| RawPeer::open(port)).collect());
    wait_until(|| sockets.borrow().len() == COUNT)?;
    let peers: Result<Vec<_>> = peers.join().map_err(|_| anyhow!("the peers panicked"))?;
    let (peers, sockets) = (peers?, sockets.take());
    // What the slots of any program take belongs to the socket.
    let slots = measure(|| {
        for socket in &sockets {
            socket.text_message_received().connect(|_socket, _text| {});
            socket.disconnected().connect(|_socket, ()| {});
        }
    });

    let usage = measure(|| {
        for socket in &sockets {
            channel.connect_to(socket);
        }
    });

    let count = i64::try_from(COUNT)?;
    let (all, slots) = (usage.bytes_current / count, slots.bytes_current / count);
    ensure!((1..=MAX_CLIENT).contains(&all), "{all} bytes, those of two slots are {slots}");
    drop(peers);
    Ok(())
}

const COUNT: usize = 500;
/// In bytes, with its slots.
const MAX_OBJECT: i64 = 700;
/// In bytes, with its slots.
const MAX_CLIENT: i64 = 600;
