//! Relays between a client and a server: proxies, and a way that cuts TCP segments.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use anyhow::Result;

/// Copies bytes from one connection to the other until the end, at most `length` at once.
fn copy(mut from: TcpStream, mut to: TcpStream, length: usize) -> Result<()> {
    let mut buffer = vec![0; length];
    to.set_nodelay(true)?;
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(to.shutdown(Shutdown::Write)?),
            count => to.write_all(&buffer[..count])?,
        }
    }
}

/// Copies bytes in both directions until the end of both.
fn connect(client: TcpStream, port: u16, length: usize) -> Result<()> {
    let server = TcpStream::connect(("127.0.0.1", port))?;
    let (up, down) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || copy(up, down, length));
    copy(server, client, length)
}

/// Starts a relay for one client that sends each byte as a TCP segment of its own.
pub fn bytewise(port: u16) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let own_port = listener.local_addr()?.port();
    thread::spawn(move || connect(listener.accept()?.0, port, 1));
    Ok(own_port)
}

/// The direction in which a relay is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are two, for tests alone")]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// Starts a relay for one client after another, which ends each connection after that many bytes in
/// one direction.
pub fn cutting(port: u16, direction: Direction, lengths: mpsc::Receiver<u64>) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let own_port = listener.local_addr()?.port();
    thread::spawn(move || -> Result<()> {
        for length in lengths {
            let client = listener.accept()?.0;
            let server = TcpStream::connect(("127.0.0.1", port))?;
            let (from, to) = match direction {
                Direction::Up => (&client, &server),
                Direction::Down => (&server, &client),
            };
            let back = (to.try_clone()?, from.try_clone()?);
            let back = thread::spawn(move || copy(back.0, back.1, 4096));
            io::copy(&mut from.take(length), &mut &*to)?;
            // What the other end has sent before it is not held against it.
            to.shutdown(Shutdown::Write)?;
            from.shutdown(Shutdown::Read)?;
            let _ = back.join();
        }
        Ok(())
    });
    Ok(own_port)
}

/// Starts a proxy for one client.
///
/// Each step reads that many bytes (0: an HTTP head) and sends an answer; then bytes are relayed.
pub fn proxy(steps: &'static [(usize, &'static [u8])], port: u16) -> Result<u16> {
    let steps = steps.iter().map(|(length, answer)| (*length, answer.to_vec()));
    injecting_proxy(steps.collect(), Vec::new(), port)
}

/// The same, which sends `injected` to the client before it relays: once the client has sent
/// something through the tunnel, in front of everything from the server.
pub fn injecting_proxy(steps: Vec<(usize, Vec<u8>)>, injected: Vec<u8>, port: u16) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let own_port = listener.local_addr()?.port();
    thread::spawn(move || -> Result<()> {
        let (mut client, _) = listener.accept()?;
        for (length, answer) in steps {
            let mut request = vec![0; length];
            if length > 0 {
                client.read_exact(&mut request)?;
            } else {
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    client.read_exact(&mut byte)?;
                    request.extend(byte);
                }
            }
            client.write_all(&answer)?;
        }
        if !injected.is_empty() {
            client.peek(&mut [0])?;
            client.write_all(&injected)?;
        }
        connect(client, port, 4096)
    });
    Ok(own_port)
}
