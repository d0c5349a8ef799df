//! What the handles of a socket share: its session, its signals, and what is known of its peer.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use slotwork_signals::Signal;

use crate::error::Error;
use crate::handshake::request::HandshakeRequest;
use crate::pong::Pong;
use crate::protocol::frame::Frame;
use crate::protocol::opcode::Opcode;
use crate::send_status::SendStatus;
use crate::session::{Driver, Observer, Session};
use crate::socket_state::SocketState;
use crate::ssl_mode::SslMode;
use crate::stream::Stream;

/// What all handles of a socket share, and what its session reports to.
pub(super) struct Inner {
    pub(super) session: Session,
    pub(super) request: HandshakeRequest,
    pub(super) mode: SslMode,
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) pinged: Mutex<Option<Instant>>,
    pub(super) error: Mutex<Option<Error>>,
    pub(super) text_message_received: Signal<str>,
    pub(super) binary_message_received: Signal<[u8]>,
    pub(super) pong: Signal<Pong>,
    pub(super) bytes_written: Signal<usize>,
    pub(super) about_to_close: Signal<()>,
    pub(super) state_changed: Signal<SocketState>,
    pub(super) error_occurred: Signal<Error>,
    pub(super) disconnected: Signal<()>,
}

/// What the server knows of a connection whose opening handshake is done.
pub(crate) struct Accepted {
    pub(crate) stream: Stream,
    pub(crate) request: HandshakeRequest,
    pub(crate) leftover: Vec<u8>,
    pub(crate) mode: SslMode,
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Inner {
    /// Makes what an accepted connection needs, and the task that drives it.
    pub(super) fn accepted(accepted: Accepted) -> (Arc<Self>, Driver<Self>) {
        let source = Arc::clone(accepted.stream.source());
        let inner = Arc::new(Self {
            session: Session::new(accepted.stream),
            request: accepted.request,
            mode: accepted.mode,
            peer: accepted.peer,
            local: accepted.local,
            pinged: Mutex::default(),
            error: Mutex::default(),
            text_message_received: Signal::new(),
            binary_message_received: Signal::new(),
            pong: Signal::new(),
            bytes_written: Signal::new(),
            about_to_close: Signal::new(),
            state_changed: Signal::new(),
            error_occurred: Signal::new(),
            disconnected: Signal::new(),
        });
        let driver = Driver::new(Arc::clone(&inner), source, accepted.leftover);
        (inner, driver)
    }

    /// Sends a message whole, in one frame.
    pub(super) fn send(&self, opcode: Opcode, payload: &[u8]) -> SendStatus {
        self.session.send(&Frame { opcode, is_final: true, payload })
    }
}

/// Emits what the session's task tells.
impl Observer for Inner {
    fn session(&self) -> &Session {
        &self.session
    }

    fn text_received(&self, message: &str) {
        self.text_message_received.emit(message);
    }

    fn binary_received(&self, message: &[u8]) {
        self.binary_message_received.emit(message);
    }

    fn pong_received(&self, payload: &[u8]) {
        let elapsed = lock(&self.pinged).map(|pinged| pinged.elapsed());
        self.pong.emit(&Pong { elapsed, payload: payload.into() });
    }

    fn bytes_written(&self, count: usize) {
        self.bytes_written.emit(&count);
    }

    fn closing(&self) {
        self.about_to_close.emit(&());
    }

    fn state_changed(&self, state: SocketState) {
        self.state_changed.emit(&state);
    }

    fn failed(&self, error: Error) {
        *lock(&self.error) = Some(error.clone());
        self.error_occurred.emit(&error);
    }

    fn ended(this: &Arc<Self>) {
        let ending = Ending(Arc::clone(this));
        ending.0.disconnected.emit(&());
    }
}

/// Frees the slots of a socket that has ended, also when one of them panics. Those in other threads
/// keep it until they have run.
struct Ending(Arc<Inner>);

impl Drop for Ending {
    fn drop(&mut self) {
        let Self(inner) = self;
        inner.text_message_received.finish(inner);
        inner.binary_message_received.finish(inner);
        inner.pong.finish(inner);
        inner.bytes_written.finish(inner);
        inner.about_to_close.finish(inner);
        inner.state_changed.finish(inner);
        inner.error_occurred.finish(inner);
        inner.disconnected.finish(inner);
    }
}

/// Locks what no panic can leave half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
