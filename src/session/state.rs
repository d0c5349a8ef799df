//! What the handles of a connection and its driver share, behind one lock.

use std::io::IoSlice;
use std::mem;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::net::stream::Stream;
use crate::protocol::frames::close_frame::ClosePayload;
use crate::protocol::frames::frame::Frame;
use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::mask::MaskingKey;
use crate::protocol::random;
use crate::session::Failure;
use crate::session::idle::{IdleChecks, Unconfirmed};
use crate::session::output::queue::{OutputQueue, Written};
use crate::session::settings::{Extra, OUTGOING_FRAME_SIZE, Settings};
use crate::types::close_code::CloseCode;
use crate::types::error::Error;
use crate::types::role::Role;

/// The state of a connection.
pub(super) struct State {
    /// Gone once the connection has ended.
    pub(super) stream: Option<Stream>,
    pub(super) queue: OutputQueue,
    pub(super) extra: Option<Box<Extra>>,
    pub(super) phase: Phase,
    /// Nothing is read before somebody took the socket and could connect slots.
    pub(super) is_reading_started: bool,
    pub(super) cork: Cork,
    /// The driver has been woken and has not looked yet, or has to look again after its turn.
    pub(super) is_woken: bool,
    /// Bytes that were written outside the driver's turns, for it to report.
    unreported: u32,
    pub(super) sending: Sending,
    pub(super) idle: IdleChecks,
    pub(super) unconfirmed: Unconfirmed,
    pub(super) role: Role,
}

/// When output is handed to the kernel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cork {
    /// In the driver's next turn, for which it is woken.
    Off,
    /// At the end of the turn that the driver is in.
    On,
    /// At once: the driver's turn waits for a loop that runs inside a slot.
    Suspended,
    /// The same, and it was logged that input waits for the end of that slot.
    Held,
}

/// What became of the output in the driver's last turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    Free,
    /// The kernel has not taken all.
    Blocked,
    /// A write failed: nothing can be sent any more, but what has arrived can be read.
    Broken,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The opening handshake is under way.
    Connecting,
    Open,
    /// Our close frame is in the outbox, or was sent: nothing may follow it.
    Closing,
    Ended,
}

impl State {
    /// Makes the state of a socket that has no connection yet.
    pub(super) fn new(role: Role) -> Self {
        Self {
            stream: None,
            queue: OutputQueue::default(),
            extra: None,
            phase: Phase::Ended,
            is_reading_started: false,
            cork: Cork::Off,
            is_woken: false,
            unreported: 0,
            sending: Sending::Free,
            idle: IdleChecks::default(),
            unconfirmed: Unconfirmed::default(),
            role,
        }
    }

    /// Takes over a connection whose opening handshake is done.
    pub(super) fn open(&mut self, stream: Stream) {
        self.stream = Some(stream);
        self.phase = Phase::Open;
        if self.settings().send_buffer != Settings::default().send_buffer {
            self.reset_send_buffer();
        }
    }

    /// Makes ready for a new connection; what was set stays.
    pub(super) fn begin_connecting(&mut self) {
        let extra = self.extra.take().map(|extra| Box::new(extra.without_past()));
        *self = Self { extra, phase: Phase::Connecting, ..Self::new(self.role) };
    }

    pub(super) fn is_readable(&self) -> bool {
        self.stream.as_ref().is_some_and(Stream::is_readable)
    }

    /// Puts a frame behind what waits.
    #[inline]
    pub(super) fn push(&mut self, frame: &Frame<'_>) {
        let key = self.next_key();
        self.queue.push(frame, key);
    }

    /// Returns a key that no peer can foresee, or none for a server (RFC 6455 §5.3).
    #[inline]
    pub(super) fn next_key(&mut self) -> Option<MaskingKey> {
        match self.role {
            Role::Server => None,
            Role::Client => Some(self.take_key().unwrap_or_else(random::bytes)),
        }
    }

    /// Returns how many control frames may be pushed in one go: one, while anything is sent.
    pub(super) fn control_frames(&self) -> usize {
        usize::from(self.phase == Phase::Open)
    }

    /// Returns how many frames a write may push: the pong that is still to be sent.
    pub(super) fn pending_pongs(&self) -> usize {
        let has_pong = |extra: &Extra| extra.pending_pong.is_some();
        usize::from(self.phase == Phase::Open && self.extra.as_deref().is_some_and(has_pong))
    }

    pub(super) fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    pub(super) fn close(&self) -> Option<(CloseCode, &str)> {
        let (code, reason) = self.extra.as_ref()?.close.as_ref()?;
        Some((*code, reason))
    }

    /// Returns why messages were dropped with the connection, if any were.
    pub(super) fn loss(&self) -> Option<Error> {
        self.extra.as_ref()?.loss.as_deref().cloned()
    }

    pub(super) fn settings(&self) -> Settings {
        self.extra.as_ref().map(|extra| extra.settings).unwrap_or_default()
    }

    /// Returns how long a message may be that is sent in one frame.
    pub(super) fn outgoing_frame_size(&self) -> NonZeroUsize {
        let set = |extra: &Extra| extra.settings.outgoing_frame_size;
        self.extra.as_deref().map_or(OUTGOING_FRAME_SIZE, set)
    }

    pub(super) fn take_new_limits(&mut self) -> Option<Limits> {
        let extra = self.extra.as_mut()?;
        mem::take(&mut extra.has_new_limits).then_some(extra.settings.limits)
    }

    pub(super) fn take_failure(&mut self) -> Option<Failure> {
        self.extra.as_mut()?.failure.take()
    }

    /// Takes the payload of the pong that is still to be sent.
    pub(super) fn take_pending_pong(&mut self) -> Option<Box<[u8]>> {
        let extra = self.extra.as_mut()?;
        extra.pending_pong.take_if(|_| self.phase == Phase::Open)
    }

    /// Wakes the driver, unless it will look at everything before it sleeps anyway.
    #[inline]
    pub(super) fn wake(&mut self) {
        let Some(stream) = &self.stream else { return };
        let was_woken = mem::replace(&mut self.is_woken, true);
        match self.cork {
            Cork::On => {}
            // What the kernel does not take, and a failure, are left to the rest of the turn.
            Cork::Suspended | Cork::Held => {
                let written = self.write_output(false).count;
                self.report_later(written);
            }
            Cork::Off if was_woken => {}
            Cork::Off => stream.source().wake(),
        }
    }

    pub(super) fn begin_closing(&mut self, code: CloseCode, reason: &str) {
        self.phase = Phase::Closing;
        let payload = ClosePayload::new(code, reason);
        self.extra().close = Some((code, payload.reason().into()));
        self.release_all();
        if let Some(stream) = &self.stream {
            // The close frame then reaches the kernel shortly before it leaves for the peer.
            stream.set_unsent_limit(Some(LOW_UNSENT_LIMIT));
        }
        self.push(&Frame::close(&payload));
    }

    /// Pings the peer in front of the output that waits (RFC 6455 §5.4, §5.5.2).
    ///
    /// The time that the peer has for its answer begins when the ping leaves, so the kernel takes
    /// it only once little is unsent in front of it.
    pub(super) fn push_keepalive_ping(&mut self, payload: &[u8]) {
        let key = self.next_key();
        self.unconfirmed.ping();
        self.queue.push_urgent(&Frame::ping(payload), key);
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
        self.extra.as_deref().is_some_and(|extra| extra.has_unsent_ping)
    }

    /// Lets the kernel hold as much unsent output as was set.
    pub(super) fn reset_send_buffer(&mut self) {
        let size = self.settings().send_buffer;
        if let Some(extra) = &mut self.extra {
            extra.has_unsent_ping = false;
        }
        if let Some(stream) = &self.stream
            && self.phase == Phase::Open
        {
            stream.set_send_buffer(size);
        }
    }

    /// Hands to the kernel what it takes before the turn's end.
    pub(super) fn write_early(&mut self) -> bool {
        let written = self.write_output(false);
        self.note_written(written.count)
    }

    /// Hands a big frame to the kernel without copying what it takes.
    pub(super) fn write_at_once(&mut self, frame: &Frame<'_>) {
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

    /// Hands a big frame of many connections to the kernel; what it does not take is not copied.
    pub(super) fn write_shared(&mut self, frame: &Arc<[u8]>) {
        let Some(stream) = &mut self.stream else { return };
        let written = stream.try_write(&[IoSlice::new(frame)]).unwrap_or(0);
        self.unconfirmed.add(written);
        if written < frame.len() {
            self.queue.push_shared(frame, written);
        }
        self.note_written(written);
    }

    /// Writes what the kernel takes and returns how much that was; only on the loop's thread.
    pub(super) fn write(&mut self) -> usize {
        self.push_pending_pong();
        let written = self.write_output(true);
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

    /// Answers the latest ping in front of the output that waits, once the kernel has room again:
    /// one for each time that it has, so that pongs do not pile up.
    #[inline]
    fn push_pending_pong(&mut self) {
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

    /// Writes what the kernel takes, and then of the messages that wait behind it.
    #[inline]
    pub(super) fn write_output(&mut self, is_driver: bool) -> Written {
        let mut count = 0;
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

    /// Hands to the kernel as much as it ever takes, before the rest of the output is dropped.
    pub(super) fn write_rest(&mut self) {
        if let Some(stream) = &self.stream {
            stream.lift_unsent_limit();
            self.write_output(false);
        }
    }

    /// Leaves it to the driver's next turn to report what was written outside one.
    pub(super) fn report_later(&mut self, written: usize) {
        let written = u32::try_from(written).unwrap_or(u32::MAX);
        self.unreported = self.unreported.saturating_add(written);
    }

    /// Returns how much was written outside the driver's turns, and forgets it.
    pub(super) fn take_unreported(&mut self) -> usize {
        usize::try_from(mem::take(&mut self.unreported)).unwrap_or(usize::MAX)
    }

    /// Lets the driver report what was written outside its turns, and returns whether anything was.
    /// A failure is left to it as well: its own next write, or read, meets it again.
    pub(super) fn note_written(&mut self, written: usize) -> bool {
        self.report_later(written);
        if written > 0 || !self.queue.is_empty() {
            self.wake();
        }
        written > 0
    }
}

/// How much unsent output the kernel holds while it matters when a frame leaves, in bytes.
const LOW_UNSENT_LIMIT: usize = 16 * 1024;
