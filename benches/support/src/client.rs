//! One client of a server: sends, and checks what comes back.

use std::io::{self, ErrorKind, Read, Write};
use std::net;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use mio::net::TcpStream;
use rustls::{ClientConfig, StreamOwned};

use crate::exchange::{Check, EchoCheck, Exchange};
use crate::tls::{self, Transport};

/// An open WebSocket connection.
#[derive(Debug)]
pub struct Client {
    stream: Transport,
    /// The bytes of the request that the kernel has taken.
    sent: usize,
    check: Box<dyn Check>,
}

impl Client {
    /// Connects, and waits for the opening handshake.
    pub fn open(port: u16) -> Result<Self> {
        Opening::begin(port)?.finish()
    }

    /// The same with TLS.
    pub fn open_tls(port: u16, config: Arc<ClientConfig>) -> Result<Self> {
        let stream = shake_hands(tls::connect(connect(port)?, config)?)?;
        let StreamOwned { conn, sock } = stream;
        let stream = Transport::Tls(Box::new(StreamOwned { conn, sock: unblock(sock)? }));
        Ok(Self { stream, sent: 0, check: Box::new(EchoCheck::default()) })
    }

    /// Offers these extensions; returns the head of the answer too.
    pub fn offer(port: u16, extensions: &str, check: Box<dyn Check>) -> Result<(Self, String)> {
        let mut stream = connect(port)?;
        stream.write_all(REQUEST.trim_ascii_end())?;
        stream.write_all(b"\r\nSec-WebSocket-Extensions: ")?;
        stream.write_all(extensions.as_bytes())?;
        stream.write_all(b"\r\n\r\n")?;
        let answer = read_answer(&mut stream)?;
        Ok((Self { stream: Transport::Plain(unblock(stream)?), sent: 0, check }, answer))
    }

    /// Returns the TCP connection, to register it with a poll.
    pub const fn stream_mut(&mut self) -> &mut TcpStream {
        self.stream.socket_mut()
    }

    /// Begins to send the messages of `exchange`.
    pub fn send(&mut self, exchange: &Exchange) -> Result<()> {
        self.sent = 0;
        self.go_on_sending(exchange)
    }

    /// Sends as much as the kernel takes.
    pub fn go_on_sending(&mut self, exchange: &Exchange) -> Result<()> {
        while let Some(rest @ [_, ..]) = exchange.request().get(self.sent..) {
            match self.stream.write(rest) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads received bytes and compares them; returns whether all of `exchange` is back.
    pub fn receive(&mut self, exchange: &Exchange, buffer: &mut [u8]) -> Result<bool> {
        loop {
            let length = match self.stream.read(buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            };
            ensure!(length > 0, io::Error::from(ErrorKind::UnexpectedEof));
            let received = buffer.get(..length).unwrap_or_default();
            let is_done = self.check.take(exchange, received)?;
            if is_done || self.stream.reads_all() && length < buffer.len() {
                return Ok(is_done);
            }
        }
    }
}

/// A connection of which the request is sent and the answer is not read.
#[derive(Debug)]
pub struct Opening(net::TcpStream);

impl Opening {
    /// Connects and sends the request; the server need not run for it.
    pub fn begin(port: u16) -> Result<Self> {
        let mut stream = connect(port)?;
        request(&mut stream)?;
        Ok(Self(stream))
    }

    /// Waits for the answer.
    pub fn finish(mut self) -> Result<Client> {
        await_answer(&mut self.0)?;
        let stream = Transport::Plain(unblock(self.0)?);
        Ok(Client { stream, sent: 0, check: Box::new(EchoCheck::default()) })
    }
}

/// Connects without an opening handshake.
pub(crate) fn connect(port: u16) -> Result<net::TcpStream> {
    let stream = net::TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn shake_hands<S: Read + Write>(mut stream: S) -> Result<S> {
    request(&mut stream)?;
    await_answer(&mut stream)?;
    Ok(stream)
}

/// Sends the request of the opening handshake.
pub(crate) fn request<S: Write>(stream: &mut S) -> Result<()> {
    stream.write_all(REQUEST)?;
    Ok(())
}

/// Waits for the answer to it, which has to be a 101.
pub(crate) fn await_answer<S: Read>(stream: &mut S) -> Result<()> {
    read_answer(stream)?;
    Ok(())
}

fn read_answer<S: Read>(stream: &mut S) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut bytes = [0; 1024];
        let length = stream.read(&mut bytes)?;
        ensure!(length > 0, "the server hung up: {}", head.escape_ascii());
        head.extend(bytes.get(..length).unwrap_or_default());
    }
    ensure!(head.starts_with(b"HTTP/1.1 101 "), "{}", head.escape_ascii());
    Ok(String::from_utf8(head)?)
}

fn unblock(stream: net::TcpStream) -> Result<TcpStream> {
    stream.set_nonblocking(true)?;
    Ok(TcpStream::from_std(stream))
}

/// The timeout of each step of a server.
pub const PATIENCE: Duration = Duration::from_secs(20);

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
