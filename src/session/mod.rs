//! One open WebSocket connection: what all threads may ask of it, and the task that does it.
//!
//! [`Session`] takes commands from any thread; it never waits and never runs user code. The
//! [`ConnectionTask`] is the task on the loop that owns the input: it reads, decodes, tells its
//! [`Observer`] what happened, and writes once at the end of each turn. Nothing here knows signals.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use crate::net::stream::Stream;
#[cfg(feature = "tls")]
use crate::net::tls::TlsSession;
use crate::protocol::frames::frame::Frame;
use crate::session::idle::KeepaliveAction;
use crate::session::settings::Timeouts;
use crate::session::state::{Phase, State};
use crate::types::close_code::CloseCode;
use crate::types::error::Error;
use crate::types::role::Role;
use crate::types::send_status::SendStatus;
use crate::types::socket_state::SocketState;

mod buffers;
mod driver;
mod idle;
mod linger;
mod masking;
mod memory;
mod observer;
mod output;
mod reading;
mod settings;
mod state;
mod task;
#[cfg(test)]
mod tests;
mod timeouts;
mod turn;

pub(crate) use idle::PING_AFTER;
pub(crate) use observer::Observer;
pub(crate) use output::level::OutputLevel;
pub(crate) use settings::Settings;
pub(crate) use task::ConnectionTask;

/// The side of a connection that every thread reaches.
pub(crate) struct Session {
    state: Mutex<State>,
    /// Set together with [`Phase::Ended`], to be asked for each message without a lock.
    has_ended: AtomicBool,
    /// Why nothing is read, in the terms of the module `reading`.
    pauses: AtomicU32,
}

/// Why a connection ends without a closing handshake.
enum Failure {
    /// `abort` was called, after `close` or before.
    Aborted { is_closing: bool },
    /// Something went wrong that is to be reported.
    Error(Error),
}

impl Session {
    /// Makes the session of a connection whose opening handshake is done.
    pub(crate) fn new(role: Role, stream: Stream) -> Self {
        let session = Self::unconnected(role);
        session.lock().open(stream);
        session.has_ended.store(false, Ordering::Release);
        session
    }

    /// Makes the session of a socket that has no connection yet.
    pub(crate) fn unconnected(role: Role) -> Self {
        Self {
            state: Mutex::new(State::new(role)),
            has_ended: AtomicBool::new(true),
            pauses: AtomicU32::new(0),
        }
    }

    /// Begins to connect, unless there is a connection; what became of the last one is forgotten.
    pub(crate) fn begin_connecting(&self) -> bool {
        let mut state = self.lock();
        let may_connect = state.phase == Phase::Ended;
        if may_connect {
            // Those who still wait for the end of the last connection look anew.
            let wakers = state.take_wakers();
            state.begin_connecting();
            drop(state);
            wakers.into_iter().for_each(Waker::wake);
        }
        may_connect
    }

    /// Takes over a connection whose opening handshake is done, unless that was called off.
    pub(crate) fn open(&self, stream: Stream) -> bool {
        let mut state = self.lock();
        let is_wanted = state.phase == Phase::Connecting;
        if is_wanted {
            state.open(stream);
            self.has_ended.store(false, Ordering::Release);
            wake_all(state);
        }
        is_wanted
    }

    /// Gives up connecting; returns whether that was under way.
    pub(crate) fn stop_connecting(&self, code: CloseCode, reason: &str) -> bool {
        let mut state = self.lock();
        let was_connecting = state.phase == Phase::Connecting;
        if was_connecting {
            state.phase = Phase::Ended;
            state.extra().close = Some((code, reason.into()));
            wake_all(state);
        }
        was_connecting
    }

    /// Returns which end of the connection this is.
    pub(crate) fn role(&self) -> Role {
        self.lock().role
    }

    /// Begins the closing handshake; does nothing when it has begun already.
    pub(crate) fn close(&self, code: CloseCode, reason: &str) -> SendStatus {
        let mut state = self.lock_to_push(State::control_frames);
        if state.phase != Phase::Open {
            return SendStatus::NotConnected;
        }
        state.begin_closing(code, reason);
        state.wake();
        SendStatus::Queued
    }

    /// Pings a peer that has been silent, and ends a dead one; called at equal intervals.
    ///
    /// Input is a sign of life, and so is output that the kernel takes after it had no room. After
    /// [`PING_AFTER`] calls in a row without one the peer is pinged (RFC 6455 §5.5.2), and after as
    /// many more, counted from when the ping left, the connection ends; later when the peer has to
    /// read much in front of the ping. The calls are `interval` apart.
    pub(crate) fn check_alive(&self, interval: Duration) {
        let mut state = self.lock_to_push(State::control_frames);
        // Unread input may have the sign of life; a closing handshake has a deadline of its own.
        if state.phase != Phase::Open || !state.is_reading_started || self.is_paused() {
            return;
        }
        // Until the ping has left, the write timeout decides.
        if state.has_unsent_ping() {
            return;
        }
        let State { idle, unconfirmed, .. } = &mut *state;
        match idle.count(|| unconfirmed.grace(interval)) {
            Some(KeepaliveAction::Ping) => state.push_keepalive_ping(KEEPALIVE_PAYLOAD),
            Some(KeepaliveAction::End) => {
                drop(state);
                self.fail(Failure::Error(Error::KeepaliveTimeout));
            }
            None => {}
        }
    }

    /// Ends the connection without a closing handshake.
    ///
    /// When that has begun already, the kernel is handed what it takes of the output before.
    pub(crate) fn abort(&self) {
        let mut state = self.lock();
        let is_closing = state.phase == Phase::Closing;
        if is_closing {
            state.write_rest();
        }
        drop(state);
        self.fail(Failure::Aborted { is_closing });
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
        match &state.stream {
            Some(stream) => stream.local_address().ok(),
            None => state.extra.as_ref()?.local_address,
        }
    }

    /// Returns what was agreed on for TLS; `None` without TLS, or once the connection has ended.
    #[cfg(feature = "tls")]
    pub(crate) fn tls_session(&self) -> Option<TlsSession> {
        self.lock().stream.as_ref()?.tls_session()
    }

    /// Returns the close code, once one is known.
    pub(crate) fn close_code(&self) -> Option<CloseCode> {
        self.lock().close().map(|(code, _)| code)
    }

    /// Returns the close reason; empty while none is known.
    pub(crate) fn close_reason(&self) -> String {
        self.lock().close().map(|(_, reason)| String::from(reason)).unwrap_or_default()
    }

    /// Returns what was set, or its defaults.
    pub(crate) fn settings(&self) -> Settings {
        self.lock().settings()
    }

    /// Changes the settings, from the next message on that is sent and the next turn that reads.
    pub(crate) fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        let mut state = self.lock();
        let extra = state.extra();
        change(&mut extra.settings);
        extra.has_new_limits = true;
    }

    /// Names the task to wake when the connection can be read or written.
    fn set_waker(&self, waker: &Waker) {
        if let Some(stream) = &self.lock().stream {
            stream.source().set_waker(waker);
        }
    }

    /// Takes note of a pong, which may be the answer to a keepalive ping.
    fn note_pong(&self, payload: &[u8]) {
        if payload == KEEPALIVE_PAYLOAD {
            self.lock().unconfirmed.confirm();
        }
    }

    /// Answers a ping. While the peer takes nothing, only the latest one is remembered
    /// (RFC 6455 §5.5.3).
    fn answer_ping(&self, payload: &[u8]) {
        let mut state = self.lock_to_push(State::control_frames);
        if state.phase != Phase::Open {
            return;
        }
        let is_blocked = state.stream.as_ref().is_some_and(|stream| !stream.is_writable());
        if is_blocked {
            state.extra().pending_pong = Some(payload.into());
        } else if state.queue.len() > LONG_QUEUE {
            // Behind so much the peer could take its pong for lost.
            state.take_pending_pong();
            let key = state.next_key();
            state.queue.push_urgent(&Frame::pong(payload), key);
        } else {
            // An earlier ping that was not answered yet need not be answered any more.
            state.take_pending_pong();
            state.push(&Frame::pong(payload));
        }
    }

    /// Takes note of the peer's close frame, and answers it unless it is an answer
    /// (RFC 6455 §5.5.1).
    fn answer_close(&self, code: CloseCode, reason: &str) {
        let mut state = self.lock_to_push(State::control_frames);
        if state.phase == Phase::Open {
            state.begin_closing(code, reason);
        }
    }

    /// Ends our sending direction; the peer reads our close frame and then the end. Returns whether
    /// that is done.
    fn shutdown_write(&self) -> bool {
        // It fails only when the connection has ended already.
        self.lock().stream.as_mut().is_none_or(|stream| stream.shutdown_write().unwrap_or(true))
    }

    /// Returns whether the peer has ended the connection, or it has failed, and all input was read.
    fn has_ended_unread(&self) -> bool {
        self.lock().stream.as_ref().is_some_and(Stream::has_ended_unread)
    }

    /// Lets the kernel end the connection once the peer has acknowledged no output for so long;
    /// returns whether the system can do this.
    fn set_user_timeout(&self, timeout: Option<Duration>) -> bool {
        self.lock().stream.as_ref().is_some_and(|stream| stream.set_user_timeout(timeout))
    }

    fn timeouts(&self) -> Timeouts {
        self.lock().settings().timeouts
    }

    /// Changes how long is waited for the peer, from now on.
    pub(crate) fn change_timeouts(&self, change: impl FnOnce(&mut Timeouts)) {
        self.change_settings(|settings| change(&mut settings.timeouts));
        self.wake_driver();
    }

    /// Sets how much unsent output the kernel holds.
    pub(crate) fn set_send_buffer(&self, size: Option<usize>) {
        let mut state = self.lock();
        state.extra().settings.send_buffer = size;
        state.reset_send_buffer();
    }

    /// Ends the connection as soon as the driver looks; what waits for the peer is dropped.
    fn fail(&self, failure: Failure) {
        let mut state = self.lock();
        if state.phase != Phase::Ended {
            state.phase = Phase::Ended;
            state.extra().failure = Some(failure);
            state.clear_output();
            self.has_ended.store(true, Ordering::Release);
            state.wake();
            wake_all(state);
        }
    }

    /// Returns whether messages that were sent are dropped when the connection ends now.
    fn loses_messages(&self) -> bool {
        self.lock().loses_messages()
    }

    /// Ends the connection and returns its stream. Without a closing handshake the code is 1006.
    ///
    /// When it `lingers`, the rest of a closing handshake is handed to the kernel as far as possible.
    fn end(&self, is_clean: bool, failure: Option<&Failure>, lingers: bool) -> Option<Stream> {
        let mut state = self.lock();
        if lingers && state.phase == Phase::Closing {
            state.write_rest();
        }
        state.phase = Phase::Ended;
        state.clear_output();
        if let (Some(Failure::Error(error)), Some(loss)) = (failure, &mut state.extra().loss) {
            **loss = error.clone();
        }
        if !is_clean || state.close().is_none() {
            // RFC 6455 §7.1.5: no close frame of the peer was received.
            state.extra().close = Some((CloseCode::ABNORMAL_DISCONNECTION, "".into()));
        }
        let stream = state.stream.take();
        state.extra().local_address =
            stream.as_ref().and_then(|stream| stream.local_address().ok());
        self.has_ended.store(true, Ordering::Release);
        wake_all(state);
        stream.filter(|_| lingers)
    }

    /// Returns whether nothing may be delivered any more.
    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes those who wait for room, when nothing is locked any more.
fn wake_all(mut state: MutexGuard<'_, State>) {
    let wakers = state.take_wakers();
    drop(state);
    wakers.into_iter().for_each(Waker::wake);
}

/// From how much output on, in bytes, a pong overtakes it.
const LONG_QUEUE: usize = 64 * 1024;
/// By which the pong that answers a keepalive ping is told from those that the program asked for.
pub(crate) const KEEPALIVE_PAYLOAD: &[u8] = b"\0keepalive";
