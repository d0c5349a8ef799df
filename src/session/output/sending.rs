//! What is sent: into the output, or to the kernel at once.

use std::sync::{Arc, MutexGuard};

use crate::protocol::frames::fragmentation::Frames;
use crate::protocol::frames::frame::Frame;
use crate::protocol::frames::opcode::MessageKind;
use crate::protocol::prepared_message::PreparedMessage;
use crate::session::output::policy::Admission;
use crate::session::state::{Phase, Shared};
use crate::session::{Failure, Session};
use crate::types::error::Error;
use crate::types::output_policy::OutputPolicy;
use crate::types::role::Role;
use crate::types::send_status::SendStatus;

impl Session {
    /// Queues a message, to be written at the end of the loop's turn.
    pub(crate) fn send(&self, kind: MessageKind, message: &[u8]) -> SendStatus {
        let mut shared = self.lock_to_push(|shared| match shared.phase {
            Phase::Open => Frames::of(kind, message, shared.outgoing_frame_size()).count(),
            Phase::Connecting | Phase::Closing | Phase::Ended => 0,
        });
        if shared.phase != Phase::Open {
            return SendStatus::NotConnected;
        }
        if message.len() < WRITE_AT_ONCE && shared.takes_all(message.len()) {
            shared.push(&Frame::message(kind, message));
            shared.wake();
            return SendStatus::Queued;
        }
        let frame_size = shared.outgoing_frame_size();
        let is_big = message.len() >= WRITE_AT_ONCE && shared.outbox.is_empty();
        let frames = Frames::of(kind, message, frame_size);
        let admission =
            if is_big { Admission::Now } else { shared.admit(message.len(), message.len()) };
        match admission {
            Admission::Now => {}
            Admission::Later => {
                shared.put_off(message.len(), frames);
                return SendStatus::Queued;
            }
            Admission::Dropped => return SendStatus::Dropped,
            Admission::TooMuch => return self.refuse_output(shared, message.len()),
        }
        for frame in frames {
            if is_big && shared.outbox.is_empty() {
                shared.write_at_once(&frame);
            } else {
                shared.push(&frame);
            }
        }
        if !shared.outbox.has_room(0) && !shared.count_output() {
            return self.refuse_output(shared, 0);
        }
        shared.note_output();
        shared.wake();
        SendStatus::Queued
    }

    /// Queues a message that is encoded already.
    pub(crate) fn send_prepared(&self, message: &PreparedMessage) -> SendStatus {
        let mut shared = self.lock();
        let frame = message.frame();
        let frame_size = shared.outgoing_frame_size().get();
        if frame_size < message.payload().len() || shared.role == Role::Client {
            drop(shared);
            return self.send(message.kind(), message.payload());
        }
        if shared.phase != Phase::Open {
            return SendStatus::NotConnected;
        }
        if shared.outbox.is_empty() && frame.len() >= WRITE_AT_ONCE {
            shared.write_shared(frame);
            if !shared.outbox.has_room(0) && !shared.count_output() {
                return self.refuse_output(shared, 0);
            }
        } else {
            match shared.admit(frame.len(), shared_weight(frame)) {
                Admission::Now => shared.outbox.push_prepared(frame),
                Admission::Later => {
                    shared.put_off_shared(frame);
                    return SendStatus::Queued;
                }
                Admission::Dropped => return SendStatus::Dropped,
                Admission::TooMuch => return self.refuse_output(shared, frame.len()),
            }
        }
        shared.note_output();
        shared.wake();
        SendStatus::Queued
    }

    /// Queues a ping.
    pub(crate) fn ping(&self, payload: &[u8]) -> SendStatus {
        let mut shared = self.lock_to_push(Shared::control_frames);
        if shared.phase != Phase::Open {
            return SendStatus::NotConnected;
        }
        if !shared.has_room(payload.len(), payload.len()) {
            // No message is dropped for it.
            return match shared.output_settings().policy {
                OutputPolicy::Close => self.refuse_output(shared, payload.len()),
                _ => SendStatus::Dropped,
            };
        }
        shared.push(&Frame::ping(payload));
        shared.note_output();
        shared.wake();
        SendStatus::Queued
    }

    /// Hands to the kernel what it takes now, and returns whether anything was.
    pub(crate) fn flush(&self) -> bool {
        self.lock().write_early()
    }

    /// Returns how many bytes wait for the kernel to take them.
    pub(crate) fn bytes_to_write(&self) -> usize {
        self.lock().output_len()
    }

    /// Returns how many messages were dropped because the peer reads too slowly.
    pub(crate) fn dropped_messages(&self) -> u64 {
        self.lock().rare.as_ref().map_or(0, |rare| rare.dropped)
    }

    /// Lets the observer be told from now on how much output waits.
    pub(crate) fn watch_output(&self) {
        let mut shared = self.lock();
        shared.rare().gauge.get_or_insert_default();
        shared.note_output();
    }

    /// Ends the connection of a peer that does not read what it is sent: the last of that would have
    /// been so many bytes.
    fn refuse_output(&self, shared: MutexGuard<'_, Shared>, needed: usize) -> SendStatus {
        let (limit, is_within_limit) =
            (shared.output_settings().limit, shared.is_within_limit(needed));
        drop(shared);
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

/// Returns how much memory a message of many connections takes in one more of them.
fn shared_weight(frame: &Arc<[u8]>) -> usize {
    frame.len() / (Arc::strong_count(frame) + 1)
}

/// Messages of at least this size are handed to the kernel by the call that sends them.
const WRITE_AT_ONCE: usize = 16 * 1024;
