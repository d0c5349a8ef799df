//! Programs between a client and a server, which pass on what they say.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use anyhow::Result;

/// Copies bytes from one connection to the other until the end.
fn copy(mut from: TcpStream, mut to: TcpStream) -> Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            count => to.write_all(&buffer[..count])?,
        }
    }
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
        let server = TcpStream::connect(("127.0.0.1", port))?;
        let (up, down) = (client.try_clone()?, server.try_clone()?);
        thread::spawn(move || copy(up, down));
        copy(server, client)
    });
    Ok(own_port)
}
