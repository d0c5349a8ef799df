//! The hosts in memory that clients of this thread reach, by their names.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use crate::net::stream::Stream;
use crate::net::stream::memory::MemoryEnd;
use crate::net::stream::memory::wire::{Side, Wire};

/// Takes the server's end of a new connection, and the client's address.
pub(crate) type Accept = dyn Fn(MemoryEnd, SocketAddr) -> io::Result<()>;

/// Adds a host, in place of one of the same name; returns its number.
pub(crate) fn add(name: &str, accept: Rc<Accept>) -> u64 {
    let number = next_number();
    let before = HOSTS.with_borrow_mut(|hosts| hosts.insert(name.to_owned(), (number, accept)));
    drop(before);
    number
}

/// Removes a host, unless another one has replaced it.
pub(crate) fn remove(name: &str, number: u64) {
    let removed = HOSTS.try_with(|hosts| {
        let mut hosts = hosts.borrow_mut();
        let is_current = hosts.get(name).is_some_and(|(current, _)| *current == number);
        if is_current { hosts.remove(name) } else { None }
    });
    drop(removed);
}

/// Connects to a host in memory; returns the stream and the host's address.
///
/// `None` for other hosts, unless the name ends with `.test` (RFC 6761 §6.2), which no network has:
/// those refuse the connection.
pub(crate) fn dial(name: &str, port: u16) -> Option<io::Result<(Stream, SocketAddr)>> {
    let accept = HOSTS.with_borrow(|hosts| hosts.get(name).map(|(_, accept)| Rc::clone(accept)));
    match accept {
        Some(accept) => Some(connect(&*accept, port)),
        None if name.rsplit_once('.').is_some_and(|(_, last)| last == "test") => {
            Some(Err(io::ErrorKind::ConnectionRefused.into()))
        }
        None => None,
    }
}

fn connect(accept: &Accept, port: u16) -> io::Result<(Stream, SocketAddr)> {
    let (client, server) = ends(port);
    let address = server.address;
    let peer = client.address;
    accept(server, peer)?;
    Ok((Stream::Memory(Box::new(client.watch()?)), address))
}

/// Makes a connection: the end of the client and that of the server.
pub(crate) fn ends(port: u16) -> (MemoryEnd, MemoryEnd) {
    let wire = Wire::new();
    let client_port = FIRST_PORT + u16::try_from(next_number() % PORTS).unwrap_or_default();
    let end = |side, port| MemoryEnd {
        wire: wire.clone(),
        side,
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
    };
    (end(Side::Client, client_port), end(Side::Server, port))
}

/// Returns a number that this thread has not used.
pub(crate) fn next_number() -> u64 {
    NUMBER.replace(NUMBER.get() + 1)
}

thread_local! {
    static HOSTS: RefCell<BTreeMap<String, (u64, Rc<Accept>)>> = const { RefCell::new(BTreeMap::new()) };
    static NUMBER: Cell<u64> = const { Cell::new(0) };
}

/// The ports of clients: those that systems give to clients (RFC 6335 §6).
const FIRST_PORT: u16 = 49_152;
const PORTS: u64 = 16_384;
