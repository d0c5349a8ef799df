//! Conflation: the latest message of each key waits for a slow peer.

use std::sync::Arc;

use crate::protocol::frames::fragmentation::Frames;
use crate::protocol::prepared_message::PreparedMessage;
use crate::session::Session;
use crate::session::output::policy::Admission;
use crate::session::output::sending::shared_weight;
use crate::session::state::{Phase, State};
use crate::types::output::SendStatus;
use crate::types::role::Role;

impl Session {
    /// Queues a message, which replaces the one with the same key that waits.
    ///
    /// Only messages for slow peers wait so that they can be replaced. The new message takes the
    /// place of the old one, so messages with one key arrive in order, and those with different keys
    /// need not. Otherwise as [`send_prepared`](Self::send_prepared).
    pub(crate) fn send_conflated(
        &self,
        key: u64,
        message: &PreparedMessage,
        add_to_flush_list: impl Fn() -> bool,
    ) -> SendStatus {
        let mut state = self.lock_to_push(|state| state.conflated_frames(message));
        if !state.conflates() {
            drop(state);
            return self.send_prepared(message, add_to_flush_list);
        }
        // What is replaced would be missing in the peer's history.
        #[cfg(feature = "compression")]
        state.end_sent_history();
        let frame = state.encoded(message);
        if state.replace(key, &frame) {
            state.note_message();
            return SendStatus::Queued;
        }
        match state.admit(frame.len(), || shared_weight(&frame)) {
            // The kernel has taken output meanwhile.
            Admission::Queue if !state.conflates() => {
                state.queue.push_prepared(&frame);
                state.note_output();
                state.wake_or_list(add_to_flush_list);
            }
            Admission::Queue | Admission::Defer => state.defer_keyed(key, &frame),
            Admission::Drop => return SendStatus::Dropped,
            Admission::Refuse => return self.refuse_output(state, frame.len()),
        }
        SendStatus::Queued
    }

    /// Returns how many messages a later one with the same key has replaced.
    pub(crate) fn conflated_messages(&self) -> u64 {
        self.lock().extra.as_ref().map_or(0, |extra| extra.conflated_messages)
    }
}

impl State {
    /// Returns whether a message with a key goes into the backlog.
    ///
    /// There it can be replaced. As with a policy that drops messages: the kernel is known to take
    /// nothing, or the queue is long already.
    fn conflates(&self) -> bool {
        self.phase == Phase::Open
            && (self.backlog_len() > 0 || self.is_slow(self.output_settings().limit))
    }

    /// Replaces the message with this key that waits, if the new one has room.
    fn replace(&mut self, key: u64, message: &Arc<[u8]>) -> bool {
        let backlog = |state: &Self| state.extra.as_ref()?.backlog.as_ref()?.keyed_len(key);
        let Some(former) = backlog(self) else { return false };
        // To make room may write the former one.
        let more = message.len().saturating_sub(former);
        if more > 0 && !self.has_room(more, more) {
            return false;
        }
        let Some(extra) = self.extra.as_mut() else { return false };
        let is_replaced =
            extra.backlog.as_mut().is_some_and(|backlog| backlog.replace(key, message));
        extra.conflated_messages += u64::from(is_replaced);
        is_replaced
    }

    /// Returns the frames of a message as this end sends them.
    fn encoded(&mut self, message: &PreparedMessage) -> Arc<[u8]> {
        let is_one_frame = message.payload().len() <= self.outgoing_frame_size().get();
        if self.role == Role::Server && is_one_frame {
            #[cfg(feature = "compression")]
            if !self.compresses_alone(message)
                && let Some(frame) = self.compressed(message)
            {
                return Arc::clone(frame);
            }
            return Arc::clone(message.frame());
        }
        let mut bytes = Vec::new();
        let frame_size = self.outgoing_frame_size();
        for frame in Frames::of(message.kind(), message.payload(), frame_size) {
            let key = self.next_key();
            frame.write_to(&mut bytes, key);
        }
        bytes.into()
    }

    /// Returns how many frames a message has that goes into the backlog.
    fn conflated_frames(&self, message: &PreparedMessage) -> usize {
        if self.conflates() { self.frame_count(message.kind(), message.payload()) } else { 0 }
    }
}
