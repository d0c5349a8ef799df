//! A TCP proxy between a node and the server, which can reset its connections.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use socket2::SockRef;

pub(crate) struct Proxy {
    port: u16,
    streams: Streams,
    /// How many connections were accepted.
    accepted: Arc<AtomicUsize>,
}

type Streams = Arc<Mutex<Vec<TcpStream>>>;

impl Proxy {
    /// Starts a proxy in front of a port of 127.0.0.1.
    pub(crate) fn start(target: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let proxy = Self { port, streams: Streams::default(), accepted: Arc::default() };
        let (streams, accepted) = (Arc::clone(&proxy.streams), Arc::clone(&proxy.accepted));
        // It ends with the process.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                accepted.fetch_add(1, Ordering::Relaxed);
                // The server may be away.
                _ = forward(client, target, &streams);
            }
        });
        Ok(proxy)
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Returns how many connections were accepted so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Resets all connections (TCP's RST), with what is under way.
    pub(crate) fn reset(&self) -> Result<()> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in streams.drain(..) {
            SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
            // The other handles of it are in threads that read.
            _ = stream.shutdown(Shutdown::Read);
        }
        Ok(())
    }
}

fn forward(client: TcpStream, target: u16, streams: &Streams) -> Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, target))?;
    let mut known = streams.lock().unwrap_or_else(PoisonError::into_inner);
    known.extend([client.try_clone()?, server.try_clone()?]);
    drop(known);
    for (mut from, mut to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
        thread::spawn(move || {
            // It ends with either end.
            _ = io::copy(&mut from, &mut to);
            _ = from.shutdown(Shutdown::Read);
        });
    }
    Ok(())
}
