//! Clients of a server in this process: sockets there, and streams of the peers.

use std::cell::RefCell;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use slotwork::{EventLoop, HostAddress, SslMode, WebSocket, WebSocketServer};

/// A server with its clients.
pub(crate) struct Clients {
    pub(crate) server: WebSocketServer,
    pub(crate) sockets: Vec<WebSocket>,
    pub(crate) peers: Vec<TcpStream>,
}

impl Clients {
    pub(crate) fn open(count: usize) -> Result<Self> {
        let server = WebSocketServer::new("Topics", SslMode::NonSecure);
        server.set_max_pending_connections(count + 1);
        let sockets = Rc::new(RefCell::new(Vec::new()));
        let taken = Rc::clone(&sockets);
        server.new_connection().connect(move |server, ()| {
            while let Some(socket) = server.next_pending_connection() {
                taken.borrow_mut().push(socket);
            }
        });
        server.listen(HostAddress::LocalHost, 0)?;
        let port = server.server_port();
        let peers =
            thread::spawn(move || (0..count).map(|_| open(port)).collect::<Result<Vec<_>>>());
        let is_open = || peers.is_finished() && sockets.borrow().len() == count;
        ensure!(EventLoop::current().wait_until(is_open, Duration::from_secs(120)));
        let peers = peers.join().ok().context("the peers panicked")??;
        Ok(Self { server, sockets: sockets.take(), peers })
    }

    /// Fails when output waits.
    pub(crate) fn check_written(&self) -> Result<()> {
        ensure!(self.sockets.iter().all(|socket| socket.bytes_to_write() == 0));
        Ok(())
    }

    /// Reads what the peers have got.
    pub(crate) fn drain(&mut self) -> Result<()> {
        let mut buffer = vec![0; 256 * 1024];
        for peer in &mut self.peers {
            peer.set_nonblocking(true)?;
            loop {
                match peer.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

/// Opens a connection; the answer of the handshake has no frames behind it.
fn open(port: u16) -> Result<TcpStream> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    )?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(stream)
}

/// Returns the CPU time of this thread in nanoseconds.
pub(crate) fn cpu_time() -> Result<u64> {
    let statistics = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(statistics.split(' ').next().context("no time")?.parse()?)
}

/// Returns the nanoseconds of one of `count` calls: the best of five series.
pub(crate) fn best_of_five(count: u32, mut series: impl FnMut()) -> f64 {
    let times = (0..5).map(|_| {
        let start = Instant::now();
        series();
        start.elapsed().as_secs_f64() * 1e9 / f64::from(count)
    });
    times.fold(f64::INFINITY, f64::min)
}
