//! Sending: messages go into the output queue, or to the kernel at once.

use std::sync::Arc;

use crate::protocol::frames::fragmentation::Frames;
use crate::protocol::frames::frame::Frame;
use crate::protocol::frames::opcode::MessageKind;
use crate::protocol::prepared_message::PreparedMessage;
use crate::runtime::sync::MutexGuard;
use crate::session::Session;
#[cfg(feature = "compression")]
use crate::session::buffers::put_compressed;
use crate::session::output::cork_buffer;
use crate::session::output::policy::Admission;
use crate::session::state::{Cork, Failure, Phase, Sending, State};
use crate::session::traffic::Traffic;
use crate::types::error::Error;
use crate::types::output::SendStatus;
use crate::types::role::Role;
use crate::types::stats::SocketStats;

impl Session {
    /// Queues a message, to be written at the end of the loop's turn.
    ///
    /// `add_to_flush_list` is called outside the connection's own turn; see [`State::wake_or_list`].
    #[inline]
    pub(crate) fn send(
        &self,
        kind: MessageKind,
        message: &[u8],
        add_to_flush_list: impl FnOnce() -> bool,
    ) -> SendStatus {
        if message.len() <= cork_buffer::LONGEST && self.send_corked(&Frame::message(kind, message))
        {
            return SendStatus::Queued;
        }
        self.send_uncorked(kind, message, add_to_flush_list)
    }

    /// Queues a message that is not put into the cork buffer.
    ///
    /// By itself, so that the caller is small.
    #[inline(never)]
    fn send_uncorked(
        &self,
        kind: MessageKind,
        message: &[u8],
        add_to_flush_list: impl FnOnce() -> bool,
    ) -> SendStatus {
        let state = self.lock_to_push(|state| state.frame_count(kind, message));
        if state.phase != Phase::Open {
            return SendStatus::NotConnected;
        }
        #[cfg(feature = "compression")]
        if state.compresses(message.len()) {
            return self.send_compressed(state, kind, message, add_to_flush_list);
        }
        self.send_plain(state, kind, message, add_to_flush_list)
    }

    /// Queues a message as it is, on an open connection.
    #[inline]
    fn send_plain(
        &self,
        mut state: MutexGuard<'_, State>,
        kind: MessageKind,
        message: &[u8],
        add_to_flush_list: impl FnOnce() -> bool,
    ) -> SendStatus {
        if message.len() < WRITE_AT_ONCE && state.takes_fast_path(message.len()) {
            state.push(&Frame::message(kind, message));
            state.wake_or_list(add_to_flush_list);
            return SendStatus::Queued;
        }
        let frame_size = state.outgoing_frame_size();
        let is_big = state.writes_at_once(message.len());
        let frames = Frames::of(kind, message, frame_size);
        let admission =
            if is_big { Admission::Queue } else { state.admit(message.len(), || message.len()) };
        match admission {
            Admission::Queue => {}
            Admission::Defer => {
                state.defer(message.len(), frames);
                return SendStatus::Queued;
            }
            Admission::Drop => return SendStatus::Dropped,
            Admission::Refuse => return self.refuse_output(state, message.len()),
        }
        self.queue_frames(state, frames, is_big, add_to_flush_list)
    }

    /// Queues a message that is compressed first, on an open connection.
    ///
    /// Its admission is by its plain length. One that may be dropped refers to no other, and none
    /// refers to it.
    #[cfg(feature = "compression")]
    fn send_compressed(
        &self,
        mut state: MutexGuard<'_, State>,
        kind: MessageKind,
        message: &[u8],
        add_to_flush_list: impl FnOnce() -> bool,
    ) -> SendStatus {
        let admission = state.admit(message.len(), || message.len());
        match admission {
            Admission::Queue => {}
            Admission::Defer => state.end_sent_history(),
            Admission::Drop => return SendStatus::Dropped,
            Admission::Refuse => return self.refuse_output(state, message.len()),
        }
        let frame_size = state.outgoing_frame_size();
        let compressed = state.compress(message);
        let frames = match &compressed {
            Some(bytes) => Frames::of_compressed(kind, bytes, frame_size),
            None => Frames::of(kind, message, frame_size),
        };
        let length = compressed.as_ref().map_or(message.len(), Vec::len);
        let status = if matches!(admission, Admission::Defer) {
            state.defer(length, frames);
            SendStatus::Queued
        } else {
            let is_big = state.writes_at_once(length);
            self.queue_frames(state, frames, is_big, add_to_flush_list)
        };
        if let Some(bytes) = compressed {
            put_compressed(bytes);
        }
        status
    }

    /// Queues the frames of a message; if it `is_big`, they go to the kernel at once.
    fn queue_frames(
        &self,
        mut state: MutexGuard<'_, State>,
        frames: Frames<'_>,
        is_big: bool,
        add_to_flush_list: impl FnOnce() -> bool,
    ) -> SendStatus {
        for frame in frames {
            if is_big && state.has_no_output() {
                state.write_at_once(&frame);
            } else {
                state.push(&frame);
            }
        }
        if !state.queue.has_room(0) && !state.count_output() {
            return self.refuse_output(state, 0);
        }
        state.note_output();
        state.wake_or_list(add_to_flush_list);
        SendStatus::Queued
    }

    /// Queues a message that is encoded already, as [`send`](Self::send) does.
    pub(crate) fn send_prepared(
        &self,
        message: &PreparedMessage,
        add_to_flush_list: impl Fn() -> bool,
    ) -> SendStatus {
        let frame = message.frame();
        if frame.len() <= cork_buffer::LONGEST && self.send_corked_encoded(frame) {
            return SendStatus::Queued;
        }
        let mut state = self.lock();
        if state.encodes_alone(message) {
            drop(state);
            return self.send_alone(message, add_to_flush_list);
        }
        if state.phase != Phase::Open {
            return SendStatus::NotConnected;
        }
        if frame.len() < WRITE_AT_ONCE && state.list_shared(frame, &add_to_flush_list) {
            return SendStatus::Queued;
        }
        #[cfg(feature = "compression")]
        if let Some(frame) = state.compressed(message) {
            let note = |state: &mut State, is_deferred: bool| {
                if is_deferred {
                    state.end_sent_history();
                } else {
                    state.note_compressed(message.payload());
                }
            };
            return self.queue_shared(state, frame, note, add_to_flush_list);
        }
        self.queue_shared(state, frame, |_, _| {}, add_to_flush_list)
    }

    /// Queues a message that other connections send as well, on an open connection.
    ///
    /// `note` is called before, with true when it goes into the backlog, where it may be dropped.
    #[inline]
    fn queue_shared(
        &self,
        mut state: MutexGuard<'_, State>,
        frame: &Arc<[u8]>,
        note: impl FnOnce(&mut State, bool),
        add_to_flush_list: impl FnOnce() -> bool,
    ) -> SendStatus {
        if state.writes_at_once(frame.len()) {
            note(&mut state, false);
            state.write_shared(frame);
            if !state.queue.has_room(0) && !state.count_output() {
                return self.refuse_output(state, 0);
            }
        } else {
            match state.admit(frame.len(), || shared_weight(frame)) {
                Admission::Queue => {
                    note(&mut state, false);
                    state.queue.push_prepared(frame);
                }
                Admission::Defer => {
                    note(&mut state, true);
                    state.defer_shared(frame);
                    return SendStatus::Queued;
                }
                Admission::Drop => return SendStatus::Dropped,
                Admission::Refuse => return self.refuse_output(state, frame.len()),
            }
        }
        state.note_output();
        state.wake_or_list(add_to_flush_list);
        SendStatus::Queued
    }

    /// Queues a message that other connections send as well, encoded for this one.
    fn send_alone(
        &self,
        message: &PreparedMessage,
        add_to_flush_list: impl FnOnce() -> bool,
    ) -> SendStatus {
        #[cfg(feature = "compression")]
        if !message.is_compressible() {
            let (kind, payload) = (message.kind(), message.payload());
            let state = self.lock_to_push(|state| state.frame_count(kind, payload));
            return match state.phase {
                Phase::Open => self.send_plain(state, kind, payload, add_to_flush_list),
                _ => SendStatus::NotConnected,
            };
        }
        self.send(message.kind(), message.payload(), add_to_flush_list)
    }

    /// Returns how many bytes wait for the kernel to take them.
    pub(crate) fn bytes_to_write(&self) -> usize {
        self.lock().output_len()
    }

    /// Counts the messages that the output policy drops for the server as well.
    pub(crate) fn count_drops(&self, traffic: &Traffic) {
        self.lock().extra().dropped_in_server = Some(Arc::clone(&traffic.dropped_messages));
    }

    /// Returns how many messages the output policy has dropped.
    pub(crate) fn dropped_messages(&self) -> u64 {
        self.lock().extra.as_ref().map_or(0, |extra| extra.dropped_messages)
    }

    /// Returns the statistics of this connection.
    pub(crate) fn stats(&self) -> SocketStats {
        let state = self.lock();
        let extra = state.extra.as_ref();
        SocketStats {
            bytes_to_write: state.output_len(),
            dropped_messages: extra.map_or(0, |extra| extra.dropped_messages),
            conflated_messages: extra.map_or(0, |extra| extra.conflated_messages),
            is_reading_held: self.is_paused(),
        }
    }

    /// Ends the connection of a slow peer for which `needed` bytes more are too much.
    pub(in crate::session) fn refuse_output(
        &self,
        state: MutexGuard<'_, State>,
        needed: usize,
    ) -> SendStatus {
        let (limit, is_within_limit) =
            (state.output_settings().limit, state.is_within_limit(needed));
        drop(state);
        let (error, status) = if is_within_limit {
            let limit = self.memory_budget();
            (Error::MemoryBudget { limit }, SendStatus::MemoryBudget { limit })
        } else {
            (Error::OutputLimit { limit }, SendStatus::OutputLimit { limit })
        };
        self.fail(Failure::Error(error));
        status
    }
}

impl State {
    /// Returns the maximum number of frames that a message takes; 0 if it is not sent.
    pub(crate) fn frame_count(&self, kind: MessageKind, message: &[u8]) -> usize {
        match self.phase {
            Phase::Open => Frames::of(kind, message, self.outgoing_frame_size()).count(),
            Phase::Connecting | Phase::Closing | Phase::Ended => 0,
        }
    }

    /// Returns whether a message of so many bytes goes to the kernel at once.
    ///
    /// A big one does where no output waits. What its own turn has sent so far is written first, on the
    /// turn's thread and for a server: clients mask in a copy anyway.
    fn writes_at_once(&mut self, length: usize) -> bool {
        if length < WRITE_AT_ONCE {
            return false;
        }
        let is_in_turn = self.cork == Cork::On && self.role == Role::Server;
        if is_in_turn
            && self.sending == Sending::Free
            && !self.queue.is_empty()
            && self.is_driven_here()
        {
            let written = self.write_output(true).count;
            self.note_written(written);
        }
        self.has_no_output()
    }

    /// Returns whether a shared message has to be encoded for this one alone.
    #[inline]
    fn encodes_alone(&self, message: &PreparedMessage) -> bool {
        let is_cut = self.outgoing_frame_size().get() < message.payload().len();
        #[cfg(feature = "compression")]
        let is_cut = is_cut || self.compresses_alone(message);
        is_cut || self.role == Role::Client
    }
}

/// Returns the memory, in bytes, of a shared message in one connection more.
pub(crate) fn shared_weight(frame: &Arc<[u8]>) -> usize {
    frame.len() / (Arc::strong_count(frame) + 1)
}

/// Messages of at least this size go to the kernel at once, in bytes.
const WRITE_AT_ONCE: usize = 16 * 1024;
