//! One WebSocket connection: commands from any thread, and the task that drives it.
//!
//! [`Session`] takes commands from any thread; it never waits and never runs user code. The
//! [`ConnectionTask`] is the task on the loop that owns the input: its driver reads, decodes, reports
//! to its [`Observer`], and writes once at the end of each turn. Nothing here knows signals.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Waker;

use crate::net::stream::Stream;
#[cfg(feature = "tls")]
use crate::net::tls::TlsSession;
use crate::protocol::handshake::extensions::AgreedExtensions;
use crate::runtime::sync::{Mutex, MutexGuard};
use crate::session::state::{Kept, Phase, State};
use crate::types::close_code::CloseCode;
use crate::types::peer_credentials::PeerCredentials;
use crate::types::role::Role;
use crate::types::socket_state::SocketState;

mod attached;
mod buffers;
mod closing;
#[cfg(feature = "compression")]
mod compression;
mod delivery;
mod driver;
mod drivers;
mod held_memory;
mod idle;
mod keepalive;
mod linger;
mod mask_keys;
mod masking;
mod memory;
mod observer;
#[cfg(feature = "compression")]
mod outgoing;
mod output;
mod pings;
mod rate_meter;
mod rates;
mod reading;
mod settings;
mod state;
#[cfg(test)]
mod tests;
mod timeouts;
mod traffic;
mod turn;

pub(crate) use closing::SLOT_PANICKED;
pub(crate) use drivers::{ConnectionTask, Driven, Drivers};
pub(crate) use idle::PING_AFTER;
pub(crate) use keepalive::KEEPALIVE_PAYLOAD;
pub(crate) use observer::Observer;
pub(crate) use output::level::OutputLevel;
pub(crate) use settings::Settings;
pub(crate) use traffic::{Traffic, TrafficCounts};

/// A connection, as its handles and its driver share it.
pub(crate) struct Session {
    state: Mutex<State>,
    /// False from `open` to [`Phase::Ended`]; read for each message without a lock.
    has_ended: AtomicBool,
    /// Nothing is read until a program has taken the socket and could connect slots.
    ///
    /// Here, where it takes no memory; the lock of the state guards it.
    is_reading_started: AtomicBool,
    /// Another thread has used the state since this turn has the cork buffer.
    ///
    /// What that thread has sent comes before what this turn sends from now on.
    is_cork_shared: AtomicBool,
    /// The reasons for which nothing is read, as `reading` defines them.
    pauses: AtomicU32,
}

impl Session {
    /// Makes the session of a connection after its opening handshake.
    ///
    /// Without `settings` they are the defaults.
    pub(crate) fn new(
        role: Role,
        stream: Stream,
        settings: Option<Settings>,
        extensions: AgreedExtensions,
    ) -> Self {
        let session = Self::unconnected(role);
        if let Some(chosen) = settings {
            session.change_settings(|settings| *settings = chosen);
        }
        session.lock().open(stream, extensions);
        session.has_ended.store(false, Ordering::Release);
        session
    }

    /// Makes the session of a socket that has no connection yet.
    pub(crate) fn unconnected(role: Role) -> Self {
        Self {
            state: Mutex::new(State::new(role)),
            has_ended: AtomicBool::new(true),
            is_reading_started: AtomicBool::new(false),
            is_cork_shared: AtomicBool::new(false),
            pauses: AtomicU32::new(0),
        }
    }

    /// Begins to connect, unless there is a connection.
    ///
    /// The state of the last connection is dropped, but for the settings. Returns the wakers of
    /// the tasks that still wait for its end, to be woken without a lock.
    pub(crate) fn begin_connecting(&self) -> Option<Vec<Waker>> {
        let mut state = self.lock();
        (state.phase == Phase::Ended).then(|| {
            let wakers = state.take_wakers();
            state.begin_connecting();
            self.reset_reading();
            wakers
        })
    }

    /// Has tasks wait for room in the next connection, or no longer.
    ///
    /// Returns their wakers, to be woken without a lock.
    pub(crate) fn set_has_successor(&self, has_successor: bool) -> Vec<Waker> {
        let mut state = self.lock();
        state.extra().has_successor = has_successor;
        state.take_wakers()
    }

    /// Takes over a connection after its opening handshake.
    ///
    /// Returns false if connecting was stopped.
    pub(crate) fn open(&self, stream: Stream, extensions: AgreedExtensions) -> bool {
        let mut state = self.lock();
        let is_wanted = state.phase == Phase::Connecting;
        if is_wanted {
            state.open(stream, extensions);
            self.has_ended.store(false, Ordering::Release);
            wake_all(state);
        }
        is_wanted
    }

    /// Stops connecting; returns whether that was under way.
    pub(crate) fn stop_connecting(&self, code: CloseCode, reason: &str) -> bool {
        let wakers = self.lock().stop_connecting(code, reason);
        let was_connecting = wakers.is_some();
        wakers.into_iter().flatten().for_each(Waker::wake);
        was_connecting
    }

    /// Stops connecting in favour of another attempt, if it is connecting.
    ///
    /// Returns wakers to be woken without a lock.
    pub(crate) fn give_way(&self) -> Option<Vec<Waker>> {
        let mut state = self.lock();
        let wakers = state.stop_connecting(CloseCode::ABNORMAL_DISCONNECTION, "")?;
        state.extra().has_successor = true;
        Some(wakers)
    }

    /// Changes the settings, from the next message sent and the next read on.
    pub(crate) fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        let mut state = self.lock();
        let extra = state.extra();
        change(&mut extra.settings);
        extra.has_new_limits = true;
    }

    /// Returns the settings, or their defaults.
    pub(crate) fn settings(&self) -> Settings {
        self.lock().settings()
    }

    /// Returns which end of the connection this is.
    pub(crate) fn role(&self) -> Role {
        self.lock().role
    }

    pub(crate) fn state(&self) -> SocketState {
        match self.lock().phase {
            Phase::Connecting => SocketState::Connecting,
            Phase::Open => SocketState::Connected,
            Phase::Closing => SocketState::Closing,
            Phase::Ended => SocketState::Unconnected,
        }
    }

    /// Returns the address of this end, also of a connection that has ended.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        let state = self.lock();
        let ended = || state.extra.as_ref()?.ended_stream.as_ref();
        match state.stream.as_ref().or_else(ended) {
            Some(stream) => stream.local_address().ok(),
            None => match state.extra.as_ref()?.kept {
                Some(Kept::LocalAddress(address)) => Some(address),
                _ => None,
            },
        }
    }

    /// Returns the credentials of the peer, also of a connection that has ended.
    pub(crate) fn peer_credentials(&self) -> Option<PeerCredentials> {
        let state = self.lock();
        let ended = || state.extra.as_ref()?.ended_stream.as_ref();
        match state.stream.as_ref().or_else(ended) {
            Some(stream) => stream.peer_credentials(),
            None => match state.extra.as_ref()?.kept {
                Some(Kept::Credentials(credentials)) => Some(credentials),
                _ => None,
            },
        }
    }

    /// Returns what TLS has agreed on; `None` without TLS, and after the end.
    #[cfg(feature = "tls")]
    pub(crate) fn tls_session(&self) -> Option<TlsSession> {
        self.lock().stream.as_ref()?.tls_session()
    }

    /// Returns whether the connection is driven by the calling thread, or has ended.
    pub(crate) fn is_of_this_thread(&self) -> bool {
        self.lock().stream.as_ref().is_none_or(|stream| stream.source().is_of_this_thread())
    }

    /// Sets the waker of the driver's task, and the driver's number for events.
    fn set_waker(&self, waker: &Waker, number: u32) {
        if let Some(stream) = &self.lock().stream {
            stream.source().set_waker(waker);
            stream.source().set_event_number(Some(number));
        }
    }

    /// Returns the waker of the driver's task.
    fn waker(&self) -> Option<Waker> {
        self.lock_corked().stream.as_ref()?.source().waker()
    }

    /// Has the driver take a turn.
    fn wake_driver(&self) {
        self.lock().wake_source();
    }

    /// Returns whether nothing may be delivered any more.
    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    fn is_reading_started(&self) -> bool {
        self.is_reading_started.load(Ordering::Relaxed)
    }

    /// Locks the state, and moves what its thread has for it into the queue.
    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock_corked();
        if state.cork.is_beside_queue() {
            self.uncork(&mut state);
        }
        state
    }

    /// Locks the state, and leaves what its thread has for it there.
    #[inline]
    fn lock_corked(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// Wakes the tasks that wait for the output or the end, outside the lock.
fn wake_all(mut state: MutexGuard<'_, State>) {
    let wakers = state.take_wakers();
    drop(state);
    wakers.into_iter().for_each(Waker::wake);
}
