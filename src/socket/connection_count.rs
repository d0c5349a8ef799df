//! Counts the connections of a server that serves on several threads.
//!
//! A connection counts for its thread from the moment in which it is handed to it until it ends, so
//! that threads can be compared at any time. A server without threads counts nothing here.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The connections of all threads of a server.
#[derive(Debug, Default)]
pub(crate) struct ServerCount {
    handshakes: AtomicUsize,
    sockets: AtomicUsize,
}

/// The connections of one thread of a server.
#[derive(Debug, Default)]
pub(crate) struct ThreadCount {
    /// Handshakes and sockets together: a handshake that succeeds changes nothing.
    connections: AtomicUsize,
    server: Arc<ServerCount>,
}

/// The part of a connection in the counts, until it has a socket or ends.
#[derive(Debug)]
pub(crate) struct Counted {
    /// `None` when the connection counts as a socket.
    thread: Option<Arc<ThreadCount>>,
    /// Whether it has its place among the sockets.
    is_reserved: Cell<bool>,
}

impl ServerCount {
    pub(crate) fn handshakes(&self) -> usize {
        self.handshakes.load(Ordering::Relaxed)
    }
}

impl ThreadCount {
    pub(crate) fn new(server: Arc<ServerCount>) -> Self {
        Self { connections: AtomicUsize::new(0), server }
    }

    /// Returns the number of handshakes and sockets.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Counts a connection whose handshake is about to begin.
    pub(crate) fn add(self: &Arc<Self>) -> Counted {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.server.handshakes.fetch_add(1, Ordering::Relaxed);
        Counted { thread: Some(Arc::clone(self)), is_reserved: Cell::new(false) }
    }

    /// Counts a socket no more.
    pub(super) fn remove_socket(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
        self.server.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Counted {
    /// Returns whether the server has fewer sockets than `limit`.
    pub(crate) fn has_room(&self, limit: usize) -> bool {
        let sockets = self.thread.as_ref().map(|thread| &thread.server.sockets);
        sockets.is_none_or(|sockets| sockets.load(Ordering::Relaxed) < limit)
    }

    /// Reserves room for one more socket of the server, unless there are `limit`.
    pub(crate) fn reserve(&self, limit: usize) -> bool {
        let Some(thread) = &self.thread else { return true };
        if self.is_reserved.get() {
            return true;
        }
        let one_more = |sockets| (sockets < limit).then(|| sockets + 1);
        let sockets = &thread.server.sockets;
        let reserved = sockets.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        self.is_reserved.set(reserved.is_ok());
        reserved.is_ok()
    }

    /// Lets the connection count as a socket, which removes itself at its end.
    pub(crate) fn into_socket(mut self) {
        // Without a limit, nothing was reserved.
        self.reserve(usize::MAX);
        if let Some(thread) = self.thread.take() {
            thread.server.handshakes.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        thread.connections.fetch_sub(1, Ordering::Relaxed);
        thread.server.handshakes.fetch_sub(1, Ordering::Relaxed);
        if self.is_reserved.get() {
            thread.server.sockets.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_that_becomes_a_socket_changes_only_its_kind() {
        let server = Arc::<ServerCount>::default();
        let thread = Arc::new(ThreadCount::new(Arc::clone(&server)));

        let counted = thread.add();
        assert_eq!((thread.connections(), server.handshakes()), (1, 1));
        counted.into_socket();
        assert_eq!((thread.connections(), server.handshakes()), (1, 0));
        thread.remove_socket();

        assert_eq!(thread.connections(), 0);
        assert_eq!(server.sockets.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn sockets_of_all_threads_share_one_limit() {
        let server = Arc::<ServerCount>::default();
        let [one, other] = [(); 2].map(|()| Arc::new(ThreadCount::new(Arc::clone(&server))));
        let (first, second) = (one.add(), other.add());

        assert!(first.has_room(1) && first.reserve(1) && first.reserve(1));
        assert!(!second.has_room(1) && !second.reserve(1));
        drop(first);
        assert!(second.reserve(1));
        drop(second);

        assert_eq!((one.connections(), other.connections(), server.handshakes()), (0, 0, 0));
        assert_eq!(server.sockets.load(Ordering::Relaxed), 0);
    }
}
