//! Sending: messages go into the output queue, or to the kernel at once.

use std::sync::Arc;

use crate::protocol::frames::fragmentation::Frames;
use crate::protocol::frames::frame::Frame;
use crate::protocol::frames::opcode::MessageKind;
use crate::protocol::prepared_message::PreparedMessage;
use crate::runtime::sync::MutexGuard;
use crate::session::Session;
use crate::session::output::policy::Admission;
use crate::session::state::{Failure, Phase, State};
use crate::types::error::Error;
use crate::types::output::SendStatus;
use crate::types::role::Role;

impl Session {
    /// Queues a message, to be written at the end of the loop's turn.
    ///
    /// `add_to_flush_list` is called outside the connection's own turn; see [`State::wake_or_list`].
    pub(crate) fn send(
        &self,
        kind: MessageKind,
        message: &[u8],
        add_to_flush_list: impl FnOnce() -> bool,
    ) -> SendStatus {
        let mut state = self.lock_to_push(|state| match state.phase {
            Phase::Open => Frames::of(kind, message, state.outgoing_frame_size()).count(),
            Phase::Connecting | Phase::Closing | Phase::Ended => 0,
        });
        if state.phase != Phase::Open {
            return SendStatus::NotConnected;
        }
        if message.len() < WRITE_AT_ONCE && state.takes_fast_path(message.len()) {
            state.push(&Frame::message(kind, message));
            state.wake_or_list(add_to_flush_list);
            return SendStatus::Queued;
        }
        let frame_size = state.outgoing_frame_size();
        let is_big = message.len() >= WRITE_AT_ONCE && state.queue.is_empty();
        let frames = Frames::of(kind, message, frame_size);
        let admission =
            if is_big { Admission::Queue } else { state.admit(message.len(), message.len()) };
        match admission {
            Admission::Queue => {}
            Admission::Defer => {
                state.defer(message.len(), frames);
                return SendStatus::Queued;
            }
            Admission::Drop => return SendStatus::Dropped,
            Admission::Refuse => return self.refuse_output(state, message.len()),
        }
        for frame in frames {
            if is_big && state.queue.is_empty() {
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
        add_to_flush_list: impl FnOnce() -> bool,
    ) -> SendStatus {
        let mut state = self.lock();
        let frame = message.frame();
        let frame_size = state.outgoing_frame_size().get();
        if frame_size < message.payload().len() || state.role == Role::Client {
            drop(state);
            return self.send(message.kind(), message.payload(), add_to_flush_list);
        }
        if state.phase != Phase::Open {
            return SendStatus::NotConnected;
        }
        if state.queue.is_empty() && frame.len() >= WRITE_AT_ONCE {
            state.write_shared(frame);
            if !state.queue.has_room(0) && !state.count_output() {
                return self.refuse_output(state, 0);
            }
        } else {
            match state.admit(frame.len(), shared_weight(frame)) {
                Admission::Queue => state.queue.push_prepared(frame),
                Admission::Defer => {
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

    /// Returns how many bytes wait for the kernel to take them.
    pub(crate) fn bytes_to_write(&self) -> usize {
        self.lock().output_len()
    }

    /// Returns how many messages the output policy has dropped.
    pub(crate) fn dropped_messages(&self) -> u64 {
        self.lock().extra.as_ref().map_or(0, |extra| extra.dropped_messages)
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

/// Returns the memory, in bytes, of a shared message in one connection more.
fn shared_weight(frame: &Arc<[u8]>) -> usize {
    frame.len() / (Arc::strong_count(frame) + 1)
}

/// Messages of at least this size go to the kernel at once, in bytes.
const WRITE_AT_ONCE: usize = 16 * 1024;
