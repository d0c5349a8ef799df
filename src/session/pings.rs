//! Pings and pongs: the program's pings, and the answers to those of the peer.

use crate::net::stream::Stream;
use crate::protocol::frames::frame::Frame;
use crate::session::Session;
use crate::session::state::{Extra, Phase, State};
use crate::types::output::{OutputPolicy, SendStatus};

impl Session {
    /// Queues a ping.
    pub(crate) fn ping(&self, payload: &[u8]) -> SendStatus {
        let mut state = self.lock_to_push(State::control_frames);
        if state.phase != Phase::Open {
            return SendStatus::NotConnected;
        }
        if !state.has_room(payload.len(), payload.len()) {
            // No message is dropped for it.
            return match state.output_settings().policy {
                OutputPolicy::Close => self.refuse_output(state, payload.len()),
                _ => SendStatus::Dropped,
            };
        }
        state.push(&Frame::ping(payload));
        state.note_output();
        state.wake();
        SendStatus::Queued
    }

    /// Answers a ping; while no output is taken, only the latest (RFC 6455 §5.5.3).
    pub(super) fn answer_ping(&self, payload: &[u8]) {
        let mut state = self.lock_to_push(State::control_frames);
        if state.phase != Phase::Open {
            return;
        }
        if state.is_blocked() {
            state.extra().pending_pong = Some(payload.into());
        } else if state.queue.len() > LONG_QUEUE {
            // A pong behind that much output could come too late.
            state.take_pending_pong();
            let key = state.next_key();
            state.queue.push_urgent(&Frame::pong(payload), key);
        } else {
            // An earlier ping that was not answered yet need not be answered any more.
            state.take_pending_pong();
            state.push(&Frame::pong(payload));
        }
    }
}

impl State {
    /// Returns how many frames a write may push: the pong that is still to be sent.
    pub(super) fn pending_pongs(&self) -> usize {
        let has_pong = |extra: &Extra| extra.pending_pong.is_some();
        usize::from(self.phase == Phase::Open && self.extra.as_ref().is_some_and(has_pong))
    }

    /// Answers the latest ping in front of the output, once the kernel has room.
    ///
    /// It is one for each time that there is room, so that pongs do not pile up.
    #[inline]
    pub(super) fn push_pending_pong(&mut self) {
        let has_room = || self.stream.as_ref().is_some_and(Stream::is_writable);
        if self.extra.is_some()
            && has_room()
            && !self.queue.has_urgent()
            && let Some(payload) = self.take_pending_pong()
        {
            let key = self.next_key();
            self.queue.push_urgent(&Frame::pong(&payload), key);
        }
    }

    /// Takes the payload of the pong that is still to be sent.
    fn take_pending_pong(&mut self) -> Option<Box<[u8]>> {
        let extra = self.extra.as_mut()?;
        extra.pending_pong.take_if(|_| self.phase == Phase::Open)
    }
}

/// A pong overtakes the output queue when that is longer, in bytes.
const LONG_QUEUE: usize = 64 * 1024;
