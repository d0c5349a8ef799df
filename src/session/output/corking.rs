//! Corking: what a turn's slots send goes through the cork buffer of their thread.
//!
//! [`Session::lock`] takes the buffer back before anything else uses the state on this thread. Other
//! threads find [`Cork::Lent`]: what they queue stays behind the buffer, and they have the turn take
//! it back before it sends again. So messages keep the order in which threads have agreed to send
//! them.
//!
//! A broadcast goes through the frame that the connections of a thread share, for those that have no
//! other output. They are [`Cork::Listed`] until the flush list writes it, and [`Session::lock`] first
//! takes the frame into the queue, in any thread.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::net::stream::Stream;
use crate::protocol::frames::frame::Frame;
use crate::runtime::shared_frame;
use crate::session::Session;
use crate::session::output::cork_buffer::{self, Owner};
use crate::session::output::queue::contents::Written;
use crate::session::state::{Cork, Extra, Phase, Sending, State};
use crate::types::role::Role;

impl Session {
    /// Has the slots of the turn that begins send through the cork buffer, if they can.
    pub(in crate::session) fn lend_cork_buffer(&self, state: &mut State) {
        if state.is_uncompressed_and_plain() && cork_buffer::lend(Owner::of(self)) {
            state.cork = Cork::Lent;
            self.is_cork_shared.store(false, Ordering::Relaxed);
        }
    }

    /// Puts a message into the cork buffer; false if it has to be queued.
    #[inline]
    pub(crate) fn send_corked(&self, frame: &Frame<'_>) -> bool {
        cork_buffer::push(Owner::of(self), frame, || self.is_cork_alone())
    }

    /// Puts an encoded message into the cork buffer, in the same way.
    #[inline]
    pub(crate) fn send_corked_encoded(&self, message: &[u8]) -> bool {
        cork_buffer::push_encoded(Owner::of(self), message, || self.is_cork_alone())
    }

    /// Moves what its thread has for this session in front of the queue.
    ///
    /// In another thread, has the turn do that before it sends again with the cork buffer.
    #[cold]
    pub(in crate::session) fn uncork(&self, state: &mut State) {
        if state.cork == Cork::Listed {
            return state.unlist();
        }
        if !cork_buffer::is_lent_to(Owner::of(self)) {
            return self.is_cork_shared.store(true, Ordering::Release);
        }
        state.cork = Cork::On;
        cork_buffer::take_back(|frames, messages| state.queue_corked(frames, 0, messages));
    }

    fn is_cork_alone(&self) -> bool {
        !self.is_cork_shared.load(Ordering::Acquire)
    }
}

impl State {
    /// Returns whether no output waits, also in the cork buffer of another thread.
    pub(crate) fn has_no_output(&self) -> bool {
        self.output_len() == 0 && self.cork != Cork::Lent
    }

    /// Has the flush list send an encoded message as the shared frame of this thread.
    ///
    /// Returns false, and does nothing, when it has to be queued: most connections of a broadcast
    /// have no other output.
    #[inline]
    pub(crate) fn list_shared(
        &mut self,
        frame: &Arc<[u8]>,
        add_to_flush_list: impl FnOnce() -> bool,
    ) -> bool {
        let may_lend = self.may_list() && self.is_uncompressed_and_plain();
        let is_lent = |stream: &Stream| stream.source().shared_frame().lend(frame);
        if !may_lend || !self.stream.as_ref().is_some_and(is_lent) {
            return false;
        }
        if !add_to_flush_list() {
            shared_frame::give_back(|_| ());
            return false;
        }
        (self.cork, self.is_woken) = (Cork::Listed, true);
        self.note_message();
        true
    }

    /// Returns whether short messages are sent as they are, without a check.
    fn is_uncompressed_and_plain(&self) -> bool {
        #[cfg(feature = "compression")]
        let is_compressed = self.extra.compression().is_some();
        #[cfg(not(feature = "compression"))]
        let is_compressed = false;
        self.phase == Phase::Open
            && self.sending == Sending::Free
            && self.role == Role::Server
            && self.queue.is_empty()
            && !is_compressed
            && self.extra.as_ref().is_none_or(Extra::is_plain)
    }

    /// Writes what the cork buffer has, if that is all output; only for the driver.
    ///
    /// Otherwise it is in front of the queue then, and the result is `None`.
    #[inline]
    pub(in crate::session) fn write_corked(&mut self, is_reported: bool) -> Option<Written> {
        if self.cork != Cork::Lent {
            return None;
        }
        self.cork = Cork::On;
        let is_alone = self.queue.is_empty() && self.is_written_quietly(is_reported);
        let written = cork_buffer::take_back(|frames, messages| {
            if is_alone {
                return Some(self.write_frames(frames, |state, count| {
                    if count < frames.len() {
                        state.queue_corked(frames, count, messages);
                    } else {
                        state.note_messages(messages);
                    }
                }));
            }
            self.queue_corked(frames, 0, messages);
            None
        });
        written.flatten()
    }

    /// Writes the shared frame, if nothing else is to be done; only for the flush list.
    ///
    /// Otherwise it is in the queue then, and the result is `None`.
    #[inline]
    pub(in crate::session) fn write_listed(&mut self, is_reported: bool) -> Option<Written> {
        if !self.is_written_quietly(is_reported) {
            self.unlist();
            return None;
        }
        let written = shared_frame::give_back(|frame| {
            self.cork = Cork::Off;
            self.write_frames(frame, |state, count| {
                if count < frame.len() {
                    state.queue.push_shared(frame, count);
                }
            })
        });
        if written.is_none() {
            self.unlist();
        }
        written
    }

    /// Takes the shared frame into the queue, which is empty; in any thread.
    #[cold]
    fn unlist(&mut self) {
        self.cork = Cork::Off;
        let source = self.stream.as_ref().map(Stream::source);
        if let Some(frame) = source.and_then(|source| source.shared_frame().take()) {
            self.queue.push_shared(&frame, 0);
        }
    }

    /// Writes what the kernel takes of the frames, and passes its length to `end`.
    #[inline]
    fn write_frames(&mut self, frames: &[u8], end: impl FnOnce(&mut Self, usize)) -> Written {
        let written = match &mut self.stream {
            Some(stream) if !frames.is_empty() => stream.try_write_here(frames),
            _ => Ok(0),
        };
        let (count, has_failed) = (*written.as_ref().unwrap_or(&0), written.is_err());
        self.unconfirmed.add(count);
        end(self, count);
        Written { count, has_failed }
    }

    /// Puts frames in front of the queue; the kernel has `written` bytes of them.
    #[cold]
    fn queue_corked(&mut self, frames: &[u8], written: usize, messages: u16) {
        if !frames.is_empty() {
            self.queue.push_front(frames, written);
            self.is_woken = true;
        }
        self.note_messages(messages);
    }
}
