//! What is sent: into the output, or to the kernel at once.

use std::sync::MutexGuard;

use crate::error::Error;
use crate::output_policy::OutputPolicy;
use crate::prepared_message::PreparedMessage;
use crate::protocol::fragmentation::Frames;
use crate::protocol::frame::Frame;
use crate::protocol::opcode::MessageKind;
use crate::protocol::role::Role;
use crate::send_status::SendStatus;
use crate::session::admission::Admission;
use crate::session::shared::{Phase, Shared};
use crate::session::{Failure, Session};

impl Session {
    /// Queues a message, to be written at the end of the loop's turn.
    pub(crate) fn send(&self, kind: MessageKind, message: &[u8]) -> SendStatus {
        let mut shared = self.lock();
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
        let admission = if is_big { Admission::Now } else { shared.admit(message.len()) };
        match admission {
            Admission::Now => {}
            Admission::Later => {
                shared.put_off(message.len(), frames);
                return SendStatus::Queued;
            }
            Admission::Dropped => return SendStatus::Dropped,
            Admission::TooMuch => return self.refuse_output(shared),
        }
        for frame in frames {
            if is_big && shared.outbox.is_empty() {
                shared.write_at_once(&frame);
            } else {
                shared.push(&frame);
            }
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
        } else {
            match shared.admit(frame.len()) {
                Admission::Now => shared.outbox.push_prepared(frame),
                Admission::Later => {
                    shared.put_off_shared(frame);
                    return SendStatus::Queued;
                }
                Admission::Dropped => return SendStatus::Dropped,
                Admission::TooMuch => return self.refuse_output(shared),
            }
        }
        shared.note_output();
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
            // No message is dropped for it.
            return match shared.output_settings().policy {
                OutputPolicy::Close => self.refuse_output(shared),
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

    /// Ends the connection of a peer that does not read what it is sent.
    fn refuse_output(&self, shared: MutexGuard<'_, Shared>) -> SendStatus {
        let limit = shared.output_settings().limit;
        drop(shared);
        self.fail(Failure::Error(Error::OutputLimit { limit }));
        SendStatus::OutputLimit { limit }
    }
}

/// Messages of at least this size are handed to the kernel by the call that sends them.
const WRITE_AT_ONCE: usize = 16 * 1024;
