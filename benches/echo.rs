//! How fast the echo server answers one client and many: `cargo bench --bench echo`.
//!
//! The server runs on a thread of its own; the clients are plain TCP on this one, with frames made
//! beforehand. Compare the rows of one run only.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use slotwork::{EventLoop, HostAddress, SslMode, WebSocketServer};

fn main() -> Result<()> {
    let (say_port, port) = mpsc::channel();
    thread::spawn(move || serve(&say_port));
    let port = port.recv().context("the server did not start")??;

    println!(
        "{:>8} {:>8} {:>8} {:>12} {:>10}",
        "bytes", "clients", "deep", "messages/s", "p50 of a round"
    );
    for (size, clients, deep) in
        [(20, 1, 1), (20, 50, 1), (20, 50, 16), (1024, 50, 1), (16 * 1024, 50, 1), (1 << 20, 4, 1)]
    {
        measure(port, size, clients, deep)?;
    }
    Ok(())
}

/// Echoes, through signals and slots, as the example does.
fn serve(say_port: &mpsc::Sender<Result<u16>>) {
    let server = WebSocketServer::new("Echo Server", SslMode::NonSecure);
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.binary_message_received().connect(|socket, bytes| {
                socket.send_binary_message(bytes);
            });
        }
    });
    let listening = server.listen(HostAddress::LocalHost, 0);
    let port = listening.map(|()| server.server_port()).map_err(Into::into);
    if say_port.send(port).is_ok() {
        EventLoop::current().exec();
    }
}

/// Sends `deep` messages on each connection, reads all echoes, and does so again for a while.
fn measure(port: u16, size: usize, clients: usize, deep: usize) -> Result<()> {
    let mut streams = (0..clients).map(|_| open(port)).collect::<Result<Vec<_>>>()?;
    let (request, answer) = (frame(size, true)?.repeat(deep), frame(size, false)?.repeat(deep));
    let mut received = vec![0; answer.len()];
    let mut rounds = Vec::new();
    let start = Instant::now();
    while start.elapsed() < DURATION {
        let round = Instant::now();
        for stream in &mut streams {
            stream.write_all(&request)?;
        }
        for stream in &mut streams {
            stream.read_exact(&mut received)?;
            ensure!(received == answer, "the echo differs");
        }
        rounds.push(round.elapsed());
    }
    let messages = rounds.len() * clients * deep;
    let rate = u128::try_from(messages)? * 1_000_000 / start.elapsed().as_micros();
    rounds.sort();
    let middle = rounds.get(rounds.len() / 2).copied().unwrap_or_default();
    println!("{size:>8} {clients:>8} {deep:>8} {rate:>12} {middle:>10.1?}");
    Ok(())
}

fn open(port: u16) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.write_all(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    )?;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    ensure!(head.starts_with(b"HTTP/1.1 101 "), "{}", head.escape_ascii());
    Ok(stream)
}

/// A binary frame of zeros. The masking key of a client's is zero too: nothing has to be masked.
fn frame(size: usize, is_client: bool) -> Result<Vec<u8>> {
    let mask_bit = if is_client { 0x80 } else { 0 };
    let mut frame = vec![0x82];
    match size {
        0..=125 => frame.push(mask_bit | u8::try_from(size)?),
        126..=0xFFFF => {
            frame.push(mask_bit | 0x7E);
            frame.extend(u16::try_from(size)?.to_be_bytes());
        }
        _ => {
            frame.push(mask_bit | 0x7F);
            frame.extend(u64::try_from(size)?.to_be_bytes());
        }
    }
    frame.resize(frame.len() + if is_client { 4 } else { 0 } + size, 0);
    Ok(frame)
}

const DURATION: Duration = Duration::from_secs(2);
