//! Broadcasts through handles: the least that a server does whose clients any thread may send to.
//!
//! Its list holds the clients weakly. A message is noted under the lock of each client, and written
//! under that lock at the end of the turn, together with what else was sent in it.

use std::io;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use mio::net::TcpStream;
use socket2::{SockRef, Socket};

/// The clients, and the frames of this turn.
#[derive(Default)]
pub(crate) struct Handles {
    clients: Vec<Weak<Handle>>,
    /// Those that the frames are for.
    listed: Vec<Arc<Handle>>,
    frames: Vec<u8>,
}

/// A client, as long as it is connected.
pub(crate) struct Handle(Mutex<State>);

struct State {
    socket: Socket,
    is_listed: bool,
}

impl Handles {
    /// Adds a client, which lasts as long as the result.
    pub(crate) fn add(&mut self, stream: &TcpStream) -> io::Result<Arc<Handle>> {
        let state = State { socket: SockRef::from(stream).try_clone()?, is_listed: false };
        let handle = Arc::new(Handle(Mutex::new(state)));
        self.clients.retain(|client| client.strong_count() > 0);
        self.clients.push(Arc::downgrade(&handle));
        Ok(handle)
    }

    /// Has a frame sent to all clients at the end of the turn.
    pub(crate) fn broadcast(&mut self, frame: &[u8]) {
        self.frames.extend_from_slice(frame);
        for client in self.clients.iter().filter_map(Weak::upgrade) {
            let is_listed = client.with(|state| mem::replace(&mut state.is_listed, true));
            if !is_listed {
                self.listed.push(client);
            }
        }
    }

    pub(crate) fn flush(&mut self) {
        for client in self.listed.drain(..) {
            client.with(|state| {
                state.is_listed = false;
                // A client that is gone is noticed by the next read.
                let _ = state.socket.send(&self.frames);
            });
        }
        self.frames.clear();
    }
}

impl Handle {
    fn with<T>(&self, call: impl FnOnce(&mut State) -> T) -> T {
        call(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
