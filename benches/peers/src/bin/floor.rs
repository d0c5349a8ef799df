//! What the kernel costs: the least that any echo server does, with nothing around it.
//!
//! No server for anybody: it trusts its clients, takes small messages that come whole, and has
//! neither tasks nor objects nor checks. What is left are `epoll_wait`, one `recv` and one `send`,
//! so no server on the same machine can be far ahead of it.

use std::io::{ErrorKind, Read, Write};

use anyhow::{Context, Result};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

fn main() -> Result<()> {
    let mut listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    println!("listening on ws://{}", listener.local_addr()?);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let (mut events, mut clients) = (Events::with_capacity(1024), Vec::new());
    let mut buffer = vec![0; 64 << 10];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                accept(&poll, &listener, &mut clients)?;
            } else if let Some(client) = clients.get_mut(event.token().0) {
                serve(client, &mut buffer)?;
            }
        }
    }
}

fn accept(poll: &Poll, listener: &TcpListener, clients: &mut Vec<TcpStream>) -> Result<()> {
    while let Ok((mut client, _)) = listener.accept() {
        client.set_nodelay(true)?;
        poll.registry().register(&mut client, Token(clients.len()), Interest::READABLE)?;
        clients.push(client);
    }
    Ok(())
}

fn serve(client: &mut TcpStream, buffer: &mut [u8]) -> Result<()> {
    let length = match client.read(buffer) {
        Ok(length) => length,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let received = &mut buffer[..length];
    if received.starts_with(b"GET ") {
        // The key of the load generator is that of the RFC, and this is its answer.
        client.write_all(ACCEPT)?;
        return Ok(());
    }
    let answer = echo(received).context("not a whole frame")?;
    client.write_all(&received[..answer])?;
    Ok(())
}

/// Unmasks the frames and moves them together; returns their length without masks.
fn echo(frames: &mut [u8]) -> Option<usize> {
    let (mut from, mut to) = (0, 0);
    while from < frames.len() {
        let (header, length) = match frames.get(from + 1)? & 0x7F {
            126 => {
                let length = frames.get(from + 2..from + 4)?.try_into().ok()?;
                (4, usize::from(u16::from_be_bytes(length)))
            }
            length => (2, usize::from(length)),
        };
        frames[from + 1] &= 0x7F;
        frames.copy_within(from..from + header, to);
        let key: [u8; 4] = frames.get(from + header..from + header + 4)?.try_into().ok()?;
        let payload = from + header + 4;
        unmask(frames.get_mut(payload..payload + length)?, key);
        frames.copy_within(payload..payload + length, to + header);
        from = payload + length;
        to += header + length;
    }
    Some(to)
}

fn unmask(payload: &mut [u8], key: [u8; 4]) {
    let key = u32::from_ne_bytes(key);
    let (words, rest) = payload.as_chunks_mut();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ key).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.to_ne_bytes()) {
        *byte ^= key;
    }
}

const LISTENER: Token = Token(usize::MAX);
const ACCEPT: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
