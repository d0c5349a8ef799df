//! What is sent: into the output, or to the kernel at once.

use std::sync::MutexGuard;

use crate::error::Error;
use crate::prepared_message::PreparedMessage;
use crate::protocol::fragmentation::Frames;
use crate::protocol::frame::Frame;
use crate::protocol::opcode::MessageKind;
use crate::protocol::role::Role;
use crate::send_status::SendStatus;
use crate::session::shared::{OUTPUT_LIMIT, Phase, Shared};
use crate::session::{Failure, Session};

impl Session {
    /// Queues a message, to be written at the end of the loop's turn.
    pub(crate) fn send(&self, kind: MessageKind, message: &[u8]) -> SendStatus {
        let mut shared = self.lock();
        let frame_size = shared.outgoing_frame_size();
        let is_big = message.len() >= WRITE_AT_ONCE && shared.outbox.is_empty();
        if shared.phase != Phase::Open {
            return SendStatus::NotConnected;
        }
        if !is_big && !shared.has_room(message.len()) {
            return self.refuse_output(shared);
        }
        for frame in Frames::of(kind, message, frame_size) {
            if is_big && shared.outbox.is_empty() {
                shared.write_at_once(&frame);
            } else {
                shared.push(&frame);
            }
        }
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
        } else if !shared.has_room(frame.len()) {
            return self.refuse_output(shared);
        } else if frame.len() >= WRITE_AT_ONCE {
            shared.outbox.push_shared(frame, 0);
        } else {
            shared.outbox.push_encoded(frame);
        }
        shared.wake();
        SendStatus::Queued
    }

    /// Queues a ping.
    pub(crate) fn ping(&self, payload: &[u8]) -> SendStatus {
        let mut shared = self.lock();
        if shared.phase != Phase::Open {
            return SendStatus::NotConnected;
        }
        if !shared.has_room(payload.len()) {
            return self.refuse_output(shared);
        }
        shared.push(&Frame::ping(payload));
        shared.wake();
        SendStatus::Queued
    }

    /// Hands to the kernel what it takes now, and returns whether anything was.
    pub(crate) fn flush(&self) -> bool {
        let mut shared = self.lock();
        let Shared { stream: Some(stream), outbox, .. } = &mut *shared else { return false };
        let written = outbox.write_to(stream, false);
        shared.note_written(written.count)
    }

    /// Returns how many bytes wait for the kernel to take them.
    pub(crate) fn bytes_to_write(&self) -> usize {
        self.lock().outbox.len()
    }

    /// Ends the connection of a peer that does not read what it is sent.
    fn refuse_output(&self, shared: MutexGuard<'_, Shared>) -> SendStatus {
        drop(shared);
        self.fail(Failure::Error(Error::OutputLimit { limit: OUTPUT_LIMIT }));
        SendStatus::OutputLimit { limit: OUTPUT_LIMIT }
    }
}

/// Messages of at least this size are handed to the kernel by the call that sends them.
const WRITE_AT_ONCE: usize = 16 * 1024;
