//! Keepalive: pings an idle peer, and ends the connection of a dead one.

use std::time::Duration;

use crate::protocol::frames::frame::Frame;
use crate::session::Session;
use crate::session::idle::KeepaliveAction;
use crate::session::output::writing::LOW_UNSENT_LIMIT;
use crate::session::state::{Failure, Phase, State};
use crate::types::error::Error;

impl Session {
    /// Pings an idle peer, and ends a dead connection; called at equal intervals.
    ///
    /// Input is a sign of life, and so is output that the kernel takes after it had no room. After
    /// [`PING_AFTER`](crate::session::PING_AFTER) calls in a row without one the peer is pinged (RFC
    /// 6455 §5.5.2). Then it has the same time again, from when the ping left, or more if much output
    /// is in front of the ping; without a sign of life the connection ends.
    pub(crate) fn check_alive(&self, interval: Duration) {
        let mut state = self.lock_to_push(State::control_frames);
        // Unread input may have the sign of life; a closing handshake has a deadline of its own.
        if state.phase != Phase::Open || !self.is_reading_started() || self.is_paused() {
            return;
        }
        // Until the ping has left, the write timeout decides.
        if state.has_unsent_ping() {
            return;
        }
        let State { idle, unconfirmed, .. } = &mut *state;
        match idle.count(|| unconfirmed.grace(interval)) {
            Some(KeepaliveAction::Ping) => state.push_keepalive_ping(),
            Some(KeepaliveAction::End) => {
                drop(state);
                self.fail(Failure::Error(Error::KeepaliveTimeout));
            }
            None => {}
        }
    }

    /// Handles a pong, which may be the answer to a keepalive ping.
    pub(super) fn note_pong(&self, payload: &[u8]) {
        if payload == KEEPALIVE_PAYLOAD {
            self.lock().unconfirmed.confirm();
        }
    }
}

impl State {
    /// Pings the peer in front of the output that waits (RFC 6455 §5.4, §5.5.2).
    ///
    /// The time that the peer has for its answer begins when the ping leaves, so the kernel takes
    /// it only once little is unsent in front of it.
    fn push_keepalive_ping(&mut self) {
        let key = self.next_key();
        self.unconfirmed.ping();
        self.queue.push_urgent(&Frame::ping(KEEPALIVE_PAYLOAD), key);
        if let Some(stream) = &self.stream {
            stream.set_unsent_limit(Some(LOW_UNSENT_LIMIT));
        }
        let written = self.write_output(false);
        self.note_written(written.count);
        if self.queue.has_urgent() {
            self.extra().has_unsent_ping = true;
        } else {
            self.reset_send_buffer();
        }
    }

    /// Returns whether a keepalive ping waits for the kernel to take it.
    pub(super) fn has_unsent_ping(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.has_unsent_ping)
    }
}

/// The payload of keepalive pings, which the pings of a program do not have.
pub(crate) const KEEPALIVE_PAYLOAD: &[u8] = b"\0keepalive";
