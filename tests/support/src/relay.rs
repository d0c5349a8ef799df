//! Programs between a client and a server, which pass on what they say.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use anyhow::Result;

/// Copies bytes from one connection to the other until the end, at most so many at once.
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

/// Lets a client and a server talk until the end of both.
fn connect(client: TcpStream, port: u16, length: usize) -> Result<()> {
    let server = TcpStream::connect(("127.0.0.1", port))?;
    let (up, down) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || copy(up, down, length));
    copy(server, client, length)
}

/// Makes a way to a server, for one client, on which each byte is a TCP segment of its own.
pub(crate) fn bytewise(port: u16) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let own_port = listener.local_addr()?.port();
    thread::spawn(move || connect(listener.accept()?.0, port, 1));
    Ok(own_port)
}

/// A proxy for one client, which asks it with `request` and is answered with `answer`, in turn.
pub(crate) fn proxy(steps: &'static [(usize, &'static [u8])], port: u16) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let own_port = listener.local_addr()?.port();
    thread::spawn(move || -> Result<()> {
        let (mut client, _) = listener.accept()?;
        for (length, answer) in steps {
            let mut request = vec![0; *length];
            if *length > 0 {
                client.read_exact(&mut request)?;
            } else {
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    client.read_exact(&mut byte)?;
                    request.extend(byte);
                }
            }
            client.write_all(answer)?;
        }
        connect(client, port, 4096)
    });
    Ok(own_port)
}
