//! What the kernel costs: the least that any echo server does, with nothing around it.
//!
//! Not a server to use: it trusts its clients, and has neither tasks nor objects nor checks. What is
//! left are `epoll_wait`, one `recv` and one `send`, so no server on the same machine can be far ahead of
//! it. Messages over 64 KiB, without TLS, are read to where they are sent from.
//!
//! With `--tls` it does the same through rustls, with the certificate `localhost.cert` of the folder
//! that it runs in. With `--broadcast` each message goes to all clients, its sender included. With
//! `--deflate HISTORY LEVEL` it inflates and compresses each message. With `--threads N` each thread has
//! a listener and clients of its own. With `--slots` each message is the emission of a signal, whose
//! slot makes the answer. With `--handles` a broadcast reaches the clients through handles that any
//! thread may use.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use slab::Slab;
use socket2::{Domain, SockRef, Socket, Type};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

mod big;
mod compression;
mod handles;
mod slots;

use big::{BigMessage, is_big};
use compression::{Compression, END, FIRST};
use handles::{Handle, Handles};
use slots::{Output, Signals};

struct Client {
    stream: TcpStream,
    tls: Option<ServerConnection>,
    /// The last bytes that were sent, for `--deflate`.
    history: Vec<u8>,
    big: Option<BigMessage>,
    awaits_room: bool,
    signals: Option<Signals>,
    #[expect(dead_code, reason = "kept as long as the client is connected")]
    handle: Option<Arc<Handle>>,
}

/// What all threads have in common.
#[derive(Clone)]
struct Options {
    is_broadcast: bool,
    calls_slots: bool,
    uses_handles: bool,
    config: Option<Arc<ServerConfig>>,
}

fn main() -> Result<()> {
    let has = |option| std::env::args().any(|argument| argument == option);
    let config = has("--tls").then(tls_config).transpose()?;
    let options = Options {
        is_broadcast: has("--broadcast"),
        calls_slots: has("--slots"),
        uses_handles: has("--handles"),
        config,
    };
    let first = listen("127.0.0.1:0".parse()?)?;
    let address = first.local_addr()?;
    for _ in 1..threads()? {
        let (listener, options) = (listen(address)?, options.clone());
        thread::spawn(move || run(listener, &options));
    }
    println!("listening on ws://{address}");
    run(first, &options)
}

/// Reads the number behind `--threads`.
fn threads() -> Result<usize> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--threads");
    arguments.nth(1).map_or(Ok(1), |number| Ok(number.parse()?))
}

/// The kernel distributes the connections over the listeners of one port.
fn listen(address: SocketAddr) -> Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(TcpListener::from_std(socket.into()))
}

fn run(mut listener: TcpListener, options: &Options) -> Result<()> {
    let mut compression = Compression::from_arguments()?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let (mut events, mut clients) = (Events::with_capacity(1024), Slab::new());
    let mut buffer = vec![0; 64 << 10];
    let output = options.calls_slots.then(Output::default);
    let mut handles = options.uses_handles.then(Handles::default);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                let config = options.config.as_ref();
                accept(&poll, &listener, &mut clients, config, output.as_ref(), &mut handles)?;
                continue;
            }
            let Token(key) = event.token();
            let Some(client) = clients.get_mut(key) else { continue };
            match client.serve(&mut buffer, options.is_broadcast, compression.as_mut()) {
                Ok(0) => client.await_room(poll.registry(), event.token())?,
                Ok(length) => match &mut handles {
                    Some(handles) => handles.broadcast(&buffer[..length]),
                    None => {
                        for (_, client) in &mut clients {
                            client.write(&buffer[..length])?;
                        }
                    }
                },
                Err(_) => drop(clients.remove(key)),
            }
        }
        handles.iter_mut().for_each(Handles::flush);
    }
}

fn tls_config() -> Result<Arc<ServerConfig>> {
    let chain = vec![CertificateDer::from_pem_file("localhost.cert")?];
    let key = PrivateKeyDer::from_pem_file("localhost.key")?;
    Ok(Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?))
}

fn accept(
    poll: &Poll,
    listener: &TcpListener,
    clients: &mut Slab<Client>,
    config: Option<&Arc<ServerConfig>>,
    output: Option<&Output>,
    handles: &mut Option<Handles>,
) -> Result<()> {
    while let Ok((mut stream, _)) = listener.accept() {
        stream.set_nodelay(true)?;
        let place = clients.vacant_entry();
        poll.registry().register(&mut stream, Token(place.key()), Interest::READABLE)?;
        let tls = config.map(|config| ServerConnection::new(Arc::clone(config))).transpose()?;
        let signals = output.map(Signals::connected);
        let handle = handles.as_mut().map(|handles| handles.add(&stream)).transpose()?;
        let (history, big, awaits_room) = (Vec::new(), None, false);
        place.insert(Client { stream, tls, history, big, awaits_room, signals, handle });
    }
    Ok(())
}

impl Client {
    /// Returns the length of the frames that are for all clients, or an error at the end.
    fn serve(
        &mut self,
        buffer: &mut [u8],
        is_broadcast: bool,
        compression: Option<&mut Compression>,
    ) -> Result<usize> {
        if let Some(big) = self.big.as_mut().filter(|big| !big.is_idle()) {
            big.proceed(&mut self.stream, unmask)?;
            return Ok(0);
        }
        let length = match self.read(buffer) {
            Ok(0) => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let received = &mut buffer[..length];
        if received.starts_with(b"GET ") {
            let parameters = compression.map(|compression| compression.parameters());
            let header = parameters.map(|value| format!("Sec-WebSocket-Extensions: {value}\r\n"));
            let accept = derive_accept_key(key(received).context("no key")?);
            let answer = format!("{ANSWER}{accept}\r\n{}\r\n", header.unwrap_or_default());
            self.write(answer.as_bytes())?;
            return Ok(0);
        }
        if let Some(compression) = compression.filter(|_| received[0] == FIRST) {
            return self.echo_compressed(received, compression);
        }
        if is_big(received) {
            let big = self.big.get_or_insert_default();
            big.begin(received)?;
            big.proceed(&mut self.stream, unmask)?;
            return Ok(0);
        }
        let is_close = received[0] == CLOSE;
        if let (Some(signals), false) = (&self.signals, is_close) {
            let answers = signals.answers(received).context("not a whole frame")?;
            self.write(&answers.borrow())?;
            answers.borrow_mut().clear();
            return Ok(0);
        }
        let answer = echo(received).context("not a whole frame")?;
        if is_broadcast && !is_close {
            return Ok(answer);
        }
        if is_close {
            self.close(&received[..answer])?;
        } else {
            self.write(&received[..answer])?;
        }
        Ok(0)
    }

    /// Sends a close frame and the end, in one segment; the connection is over with the client's end
    /// (RFC 6455 §7.1.1).
    fn close(&mut self, frame: &[u8]) -> io::Result<()> {
        if self.tls.is_some() {
            self.write(frame)?;
        } else {
            SockRef::from(&self.stream)
                .send_with_flags(frame, libc::MSG_MORE | libc::MSG_NOSIGNAL)?;
        }
        self.stream.shutdown(Shutdown::Write)
    }

    /// Has the client served when the kernel has room again: the first big message may need it.
    fn await_room(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        if self.big.is_none() || std::mem::replace(&mut self.awaits_room, true) {
            return Ok(());
        }
        registry.reregister(&mut self.stream, token, Interest::READABLE | Interest::WRITABLE)
    }

    fn echo_compressed(&mut self, frame: &[u8], compression: &mut Compression) -> Result<usize> {
        let mut history = std::mem::take(&mut self.history);
        let mut payload = without_mask(frame).context("not a whole frame")?;
        payload.extend(END);
        self.write(compression.echo(&payload, &mut history)?)?;
        self.history = history;
        Ok(0)
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.stream.read(buffer) };
        tls.read_tls(&mut self.stream)?;
        tls.process_new_packets().map_err(io::Error::other)?;
        while tls.wants_write() {
            tls.write_tls(&mut self.stream)?;
        }
        tls.reader().read(buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return self.stream.write_all(bytes) };
        tls.writer().write_all(bytes)?;
        while tls.wants_write() {
            tls.write_tls(&mut self.stream)?;
        }
        Ok(())
    }
}

/// Unmasks the frames and moves them together; returns their length without masks.
fn echo(frames: &mut [u8]) -> Option<usize> {
    let (mut from, mut to) = (0, 0);
    while from < frames.len() {
        let (header, length) = lengths(&frames[from..])?;
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

/// Returns the length of the header of a frame, without the key, and that of its payload.
fn lengths(frame: &[u8]) -> Option<(usize, usize)> {
    Some(match frame.get(1)? & 0x7F {
        126 => (4, usize::from(u16::from_be_bytes(frame.get(2..4)?.try_into().ok()?))),
        length => (2, usize::from(length)),
    })
}

/// Returns the payload of a frame.
fn without_mask(frame: &[u8]) -> Option<Vec<u8>> {
    let (header, _) = lengths(frame)?;
    let key = frame.get(header..header + 4)?.try_into().ok()?;
    let mut payload = frame.get(header + 4..)?.to_vec();
    unmask(&mut payload, key);
    Some(payload)
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

/// Returns the key of a request, whose header has the name as the RFC writes it.
fn key(request: &[u8]) -> Option<&[u8]> {
    let at = request.windows(KEY.len()).position(|name| name == KEY)? + KEY.len();
    request.get(at..at + 24)
}

/// The first byte of a close frame (RFC 6455 §5.5.1).
const CLOSE: u8 = 0x88;
const LISTENER: Token = Token(usize::MAX);
const KEY: &[u8] = b"Sec-WebSocket-Key: ";
const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
Sec-WebSocket-Accept: ";
