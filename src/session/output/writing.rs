//! Writing: hands the output of a connection to the kernel.

use std::io::IoSlice;
use std::mem;
use std::sync::Arc;

use crate::net::stream::Stream;
use crate::protocol::frames::frame::Frame;
use crate::protocol::handshake::extensions::AgreedExtensions;
use crate::session::Session;
use crate::session::output::queue::contents::Written;
use crate::session::settings::Settings;
use crate::session::state::{Cork, Extra, Phase, Sending, State};
use crate::session::traffic::Traffic;
use crate::types::role::Role;

impl Session {
    /// Sets the limit of unsent output in the kernel, in bytes.
    pub(crate) fn set_send_buffer(&self, size: Option<usize>) {
        let mut state = self.lock();
        state.extra().settings.send_buffer = size;
        state.reset_send_buffer();
    }

    /// Hands to the kernel what it takes now, and returns whether that was anything.
    pub(crate) fn flush(&self) -> bool {
        self.lock().write_early()
    }

    /// Writes what was sent outside the driver's turns; only on the loop's thread.
    ///
    /// The driver continues with everything else: output that the kernel does not take, the end, and
    /// reports, of the bytes written too if that `is_reported`.
    pub(crate) fn flush_listed<'a>(
        &self,
        is_reported: bool,
        traffic: impl FnOnce() -> Option<&'a Traffic>,
    ) {
        let mut state = self.lock_corked();
        let has_ended = match state.cork {
            Cork::Listed => match state.write_listed(is_reported) {
                Some(written) => state.end_quietly(written, traffic),
                None => state.write_quietly(is_reported, traffic),
            },
            Cork::Off if state.is_woken && state.is_driven_here() => {
                state.write_quietly(is_reported, traffic)
            }
            // A turn of the driver has written the output, or will. Or a client was opened again, in
            // another thread.
            _ => return,
        };
        if !has_ended {
            state.wake_source();
        }
    }
}

impl State {
    /// Takes over a connection after its opening handshake.
    pub(crate) fn open(&mut self, stream: Stream, extensions: AgreedExtensions) {
        let AgreedExtensions {
            #[cfg(feature = "compression")]
            compression,
        } = extensions;
        self.stream = Some(stream);
        self.phase = Phase::Open;
        #[cfg(feature = "compression")]
        if let Some(agreed) = compression {
            self.set_compression(*agreed);
        }
        if self.settings().send_buffer != Settings::default().send_buffer {
            self.reset_send_buffer();
        }
    }

    /// Puts a frame behind the output that waits.
    #[inline]
    pub(crate) fn push(&mut self, frame: &Frame<'_>) {
        let key = self.next_key();
        self.queue.push(frame, key);
    }

    /// Wakes the driver.
    pub(in crate::session) fn wake_source(&self) {
        if let Some(stream) = &self.stream {
            stream.source().wake();
        }
    }

    /// Wakes the driver, unless it will run before it sleeps anyway.
    #[inline]
    pub(crate) fn wake(&mut self) {
        let Some(stream) = &self.stream else { return };
        let was_woken = mem::replace(&mut self.is_woken, true);
        match self.cork {
            Cork::On | Cork::Lent => {}
            // What the kernel does not take, and a failure, are left to the rest of the turn.
            Cork::Suspended | Cork::Held => {
                let written = self.write_output(false).count;
                self.report_later(written);
            }
            Cork::Off | Cork::Listed if was_woken => {}
            Cork::Off | Cork::Listed => stream.source().wake(),
        }
    }

    /// Counts a message, and has the output written at the end of the loop's turn.
    ///
    /// Outside the driver's turns the connection is added to the flush list of its thread: writing
    /// alone needs no turn. In other threads, and without such a list, the driver is woken.
    #[inline]
    pub(crate) fn wake_or_list(&mut self, add_to_flush_list: impl FnOnce() -> bool) {
        self.note_message();
        if matches!(self.cork, Cork::On | Cork::Lent) {
            self.is_woken = true;
        } else {
            self.wake_or_list_outside_turn(add_to_flush_list);
        }
    }

    #[inline(never)]
    fn wake_or_list_outside_turn(&mut self, add_to_flush_list: impl FnOnce() -> bool) {
        if self.may_list() && add_to_flush_list() {
            self.is_woken = true;
        } else {
            self.wake();
        }
    }

    /// Returns whether the flush list of this thread may write the output.
    #[inline]
    pub(crate) fn may_list(&self) -> bool {
        self.cork == Cork::Off && !self.is_woken && self.is_driven_here()
    }

    /// Returns whether the calling thread drives the connection.
    #[inline]
    pub(crate) fn is_driven_here(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.source().is_of_this_thread())
    }

    /// Sets the limit of unsent output in the kernel to the one of the settings.
    pub(crate) fn reset_send_buffer(&mut self) {
        let size = self.settings().send_buffer;
        if let Some(extra) = self.extra.as_mut() {
            extra.has_unsent_ping = false;
        }
        if let Some(stream) = &self.stream
            && self.phase == Phase::Open
        {
            stream.set_send_buffer(size);
        }
    }

    /// Writes before the turn's end; returns whether the kernel took anything.
    pub(crate) fn write_early(&mut self) -> bool {
        let written = self.write_output(false);
        self.note_written(written.count)
    }

    /// Hands a big frame to the kernel without copying what it takes.
    pub(crate) fn write_at_once(&mut self, frame: &Frame<'_>) {
        if self.role == Role::Client {
            // It is masked in a copy: what could be saved is copied already.
            self.push(frame);
            self.write_early();
            return;
        }
        let Some(stream) = &mut self.stream else { return };
        let header = frame.header(None);
        let buffers = [IoSlice::new(header.as_bytes()), IoSlice::new(frame.payload)];
        let written = stream.try_write(&buffers).unwrap_or(0);
        self.unconfirmed.add(written);
        if written < header.as_bytes().len() + frame.payload.len() {
            self.queue.push_rest(header.as_bytes(), frame.payload, written);
        }
        self.note_written(written);
    }

    /// Hands a big frame of many connections to the kernel; the rest is shared.
    pub(crate) fn write_shared(&mut self, frame: &Arc<[u8]>) {
        let Some(stream) = &mut self.stream else { return };
        let written = stream.try_write(&[IoSlice::new(frame)]).unwrap_or(0);
        self.unconfirmed.add(written);
        if written < frame.len() {
            self.queue.push_shared(frame, written);
        }
        self.note_written(written);
    }

    /// Writes all output, if that is all there is to do: most turns end with it.
    ///
    /// Otherwise it returns false, and the driver does the rest in the usual way. Only on the loop's
    /// thread.
    #[inline]
    pub(crate) fn write_quietly<'a>(
        &mut self,
        is_reported: bool,
        traffic: impl FnOnce() -> Option<&'a Traffic>,
    ) -> bool {
        if !self.is_written_quietly(is_reported) {
            return false;
        }
        let written = self.write_only_chunk(false).unwrap_or_else(|| self.write_output(true));
        self.end_quietly(written, traffic)
    }

    /// Returns whether output is to be written now, and nothing else to be done.
    #[inline]
    pub(crate) fn is_written_quietly(&self, is_reported: bool) -> bool {
        !is_reported
            && self.phase == Phase::Open
            && self.sending == Sending::Free
            && self.extra.as_ref().is_none_or(Extra::is_quiet)
    }

    /// Counts what was written; returns whether that was all output.
    #[inline]
    pub(crate) fn end_quietly<'a>(
        &mut self,
        written: Written,
        traffic: impl FnOnce() -> Option<&'a Traffic>,
    ) -> bool {
        if written.has_failed || !self.queue.is_empty() {
            self.report_later(written.count);
            return false;
        }
        let (bytes, messages) = (self.unreported as usize + written.count, self.uncounted);
        (self.is_woken, self.unreported, self.uncounted) = (false, 0, 0);
        if let Some(traffic) = traffic() {
            traffic.add_sent(messages.into(), bytes);
        }
        true
    }

    /// Writes what the kernel takes, and returns how many bytes that was.
    ///
    /// Only the driver calls it, on the loop's thread. The end of the sending direction follows at once
    /// if it `is_last`.
    pub(crate) fn write(&mut self, is_last: bool) -> usize {
        self.push_pending_pong();
        let only_chunk = if is_last { self.write_only_chunk(true) } else { None };
        let written = only_chunk.unwrap_or_else(|| self.write_output(true));
        if self.sending == Sending::Blocked && written.count > 0 {
            // The kernel has room again because the peer has acknowledged output.
            self.idle.reset();
        }
        if written.has_failed {
            self.sending = Sending::Broken;
            self.clear_output();
        } else if self.sending != Sending::Broken {
            let is_blocked = !self.queue.is_empty();
            self.sending = if is_blocked { Sending::Blocked } else { Sending::Free };
        }
        if self.has_unsent_ping() && !self.queue.has_urgent() {
            self.reset_send_buffer();
        }
        written.count
    }

    /// Writes what the kernel takes of an output that is one chunk, without a backlog.
    ///
    /// Returns `None`, and does nothing, with any other.
    #[inline]
    fn write_only_chunk(&mut self, is_last: bool) -> Option<Written> {
        if self.backlog_len() > 0 {
            return None;
        }
        let written = self.queue.write_only_chunk(self.stream.as_mut()?, is_last)?;
        self.unconfirmed.add(written.count);
        Some(written)
    }

    /// Writes what the kernel takes of the output queue, and then of the backlog.
    pub(crate) fn write_output(&mut self, is_driver: bool) -> Written {
        let mut count = 0;
        if self.cork == Cork::Lent {
            // Another thread: what the connection's own has sent comes first.
            return Written { count, has_failed: false };
        }
        loop {
            let Some(stream) = &mut self.stream else {
                return Written { count, has_failed: false };
            };
            let written = self.queue.write_to(stream, is_driver);
            self.unconfirmed.add(written.count);
            count += written.count;
            let is_done = written.has_failed || !self.queue.is_empty() || !self.refill();
            if is_done {
                return Written { count, ..written };
            }
        }
    }

    /// Hands to the kernel as much as it ever takes: the rest is dropped then.
    ///
    /// Returns how many bytes that was.
    pub(crate) fn write_rest(&mut self) -> usize {
        let Some(stream) = &self.stream else { return 0 };
        stream.lift_unsent_limit();
        self.write_output(false).count
    }

    /// Has the driver report in its next turn what was written outside one.
    pub(crate) fn report_later(&mut self, written: usize) {
        let written = u32::try_from(written).unwrap_or(u32::MAX);
        self.unreported = self.unreported.saturating_add(written);
    }

    /// Takes the number of bytes that were written outside the driver's turns.
    pub(crate) fn take_unreported(&mut self) -> usize {
        usize::try_from(mem::take(&mut self.unreported)).unwrap_or(usize::MAX)
    }

    /// Counts a message that is accepted to be sent.
    ///
    /// A turn adds it to the server's traffic.
    #[inline]
    pub(crate) fn note_message(&mut self) {
        self.note_messages(1);
    }

    #[inline]
    pub(crate) fn note_messages(&mut self, number: u16) {
        let (count, is_full) = self.uncounted.overflowing_add(number);
        self.uncounted = count;
        if is_full {
            self.carry_uncounted();
        }
    }

    #[cold]
    fn carry_uncounted(&mut self) {
        self.extra().more_uncounted += u64::from(u16::MAX) + 1;
    }

    /// Counts the messages since the last call, and so many bytes that were written.
    pub(crate) fn count_sent(&mut self, bytes: usize, traffic: Option<&Traffic>) {
        let more = self.extra.as_mut().map_or(0, |extra| mem::take(&mut extra.more_uncounted));
        let messages = more + u64::from(mem::take(&mut self.uncounted));
        if let Some(traffic) = traffic {
            traffic.add_sent(messages, bytes);
        }
    }

    /// Has the driver report what was written; returns whether that was anything.
    ///
    /// A failure is left to it as well: its own next write, or read, meets it again.
    pub(crate) fn note_written(&mut self, written: usize) -> bool {
        self.report_later(written);
        if written > 0 || !self.queue.is_empty() {
            self.wake();
        }
        written > 0
    }
}

/// The limit of unsent output while it matters when a frame leaves, in bytes.
pub(crate) const LOW_UNSENT_LIMIT: usize = 16 * 1024;
