//! One open WebSocket connection: what all threads may ask of it, and the task that does it.
//!
//! [`Session`] takes commands from any thread; it never waits and never runs user code. The
//! [`Driver`] is the task on the loop that owns the input: it reads, decodes, tells its
//! [`Observer`] what happened, and writes once at the end of each turn. Nothing here knows signals.

use std::io::{self, IoSlice};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::close_code::CloseCode;
use crate::error::Error;
use crate::protocol::close_frame::ClosePayload;
use crate::protocol::frame::Frame;
use crate::send_status::SendStatus;
use crate::session::outbox::Outbox;
use crate::socket_state::SocketState;
use crate::stream::Stream;

mod buffers;
mod driver;
mod outbox;

pub(crate) use driver::{Driver, Observer};

/// The side of a connection that every thread reaches.
pub(crate) struct Session {
    shared: Mutex<Shared>,
    /// Set together with [`Phase::Ended`], to be asked for each message without a lock.
    has_ended: AtomicBool,
}

struct Shared {
    /// Gone once the connection has ended.
    stream: Option<Stream>,
    outbox: Outbox,
    phase: Phase,
    /// The code and the reason with which the connection ends, once they are known.
    close: Option<(CloseCode, Box<str>)>,
    /// Nothing is read before somebody took the socket and could connect slots.
    is_taken: bool,
    cork: Cork,
    /// The driver has been woken and has not looked yet, or has to look again after its turn.
    is_woken: bool,
    /// Bytes that were written outside the driver's turns, for it to report.
    unreported: usize,
    /// What answers the latest ping, once the peer takes output again.
    late_pong: Option<Box<[u8]>>,
    /// A write failed: nothing can be sent any more, but what has arrived can be read.
    is_broken: bool,
    /// Why the connection shall end without a closing handshake.
    failure: Option<Failure>,
}

/// When output is handed to the kernel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cork {
    /// In the driver's next turn, for which it is woken.
    Off,
    /// At the end of the turn that the driver is in.
    On,
    /// At once: the driver's turn waits for a loop that runs inside a slot.
    Suspended,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Our close frame is in the outbox, or was sent: nothing may follow it.
    Closing,
    Ended,
}

/// Why a connection ends without a closing handshake.
enum Failure {
    /// `abort` was called.
    Aborted,
    /// Something went wrong that is to be reported.
    Error(Error),
}

/// What the driver has to know when it begins a turn.
struct Start {
    is_taken: bool,
    is_closing: bool,
    failure: Option<Failure>,
}

/// What came of the output at the end of a turn.
struct Output {
    /// How many bytes the kernel has taken since the last turn.
    written: usize,
    has_more: bool,
    is_closing: bool,
    is_broken: bool,
    failure: Option<Failure>,
}

impl Session {
    /// Makes the session of a connection whose opening handshake is done.
    pub(crate) fn new(stream: Stream) -> Self {
        let shared = Shared {
            stream: Some(stream),
            outbox: Outbox::default(),
            phase: Phase::Open,
            close: None,
            is_taken: false,
            cork: Cork::Off,
            is_woken: false,
            unreported: 0,
            late_pong: None,
            is_broken: false,
            failure: None,
        };
        Self { shared: Mutex::new(shared), has_ended: AtomicBool::new(false) }
    }

    /// Queues a message or a ping, to be written at the end of the loop's turn.
    pub(crate) fn send(&self, frame: &Frame<'_>) -> SendStatus {
        let mut shared = self.lock();
        if shared.phase != Phase::Open {
            return SendStatus::NotConnected;
        }
        if shared.outbox.is_empty() && frame.payload.len() >= WRITE_AT_ONCE {
            shared.write_at_once(frame);
        } else if shared.has_room(frame.payload.len()) {
            shared.outbox.push(frame);
        } else {
            drop(shared);
            self.fail(Failure::Error(Error::OutputLimit { limit: OUTPUT_LIMIT }));
            return SendStatus::OutputLimit { limit: OUTPUT_LIMIT };
        }
        shared.wake();
        SendStatus::Queued
    }

    /// Begins the closing handshake; does nothing when it has begun already.
    pub(crate) fn close(&self, code: CloseCode, reason: &str) -> SendStatus {
        let mut shared = self.lock();
        if shared.phase != Phase::Open {
            return SendStatus::NotConnected;
        }
        shared.begin_closing(code, reason);
        shared.wake();
        SendStatus::Queued
    }

    /// Ends the connection without a closing handshake.
    pub(crate) fn abort(&self) {
        self.fail(Failure::Aborted);
    }

    /// Hands to the kernel what it takes now, and returns whether anything was.
    pub(crate) fn flush(&self) -> bool {
        let mut shared = self.lock();
        let Shared { stream: Some(stream), outbox, .. } = &mut *shared else { return false };
        let result = outbox.write_to(stream, false);
        shared.note_written(result)
    }

    /// Allows the driver to read, from the loop's next turn on.
    pub(crate) fn start_reading(&self) {
        let mut shared = self.lock();
        shared.is_taken = true;
        // Also a driver that is in a turn has to look again: it asks for this at the beginning.
        if let Some(stream) = &shared.stream {
            stream.source().wake();
        }
    }

    pub(crate) fn state(&self) -> SocketState {
        match self.lock().phase {
            Phase::Open => SocketState::Connected,
            Phase::Closing => SocketState::Closing,
            Phase::Ended => SocketState::Unconnected,
        }
    }

    /// Returns how many bytes wait for the kernel to take them.
    pub(crate) fn bytes_to_write(&self) -> usize {
        self.lock().outbox.len()
    }

    /// Returns the close code, once one is known.
    pub(crate) fn close_code(&self) -> Option<CloseCode> {
        self.lock().close.as_ref().map(|(code, _)| *code)
    }

    /// Returns the close reason; empty while none is known.
    pub(crate) fn close_reason(&self) -> String {
        self.lock().close.as_ref().map(|(_, reason)| String::from(&**reason)).unwrap_or_default()
    }

    /// Begins a turn of the driver: what is sent from now on is written at its end.
    fn begin_turn(&self) -> Start {
        let mut shared = self.lock();
        shared.is_woken = false;
        shared.cork = Cork::On;
        Start {
            is_taken: shared.is_taken,
            is_closing: shared.phase == Phase::Closing,
            failure: shared.failure.take(),
        }
    }

    /// Writes what the kernel takes, when all that was read in a turn is delivered.
    fn write_turn(&self) -> Output {
        let mut shared = self.lock();
        shared.is_woken = false;
        let written = shared.write();
        Output {
            written: mem::take(&mut shared.unreported) + written,
            has_more: !shared.outbox.is_empty(),
            is_closing: shared.phase == Phase::Closing,
            is_broken: shared.is_broken,
            failure: shared.failure.take(),
        }
    }

    /// Ends a turn of the driver, and returns whether it has to look again: the slots that heard
    /// what was written may have sent more.
    fn end_turn(&self) -> bool {
        let mut shared = self.lock();
        shared.cork = Cork::Off;
        shared.is_woken
    }

    /// Writes now what was to be written at the end of the turn, and from now on at once.
    fn suspend_turn(&self) {
        let mut shared = self.lock();
        if shared.cork == Cork::On {
            shared.cork = Cork::Suspended;
            shared.wake();
        }
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.lock().stream {
            Some(stream) => stream.try_read(buffer),
            None => Ok(0),
        }
    }

    /// Answers a ping. While the peer takes nothing, only the latest one is remembered
    /// (RFC 6455 §5.5.3).
    fn answer_ping(&self, payload: &[u8]) {
        let mut shared = self.lock();
        if shared.phase != Phase::Open {
            return;
        }
        let is_blocked = shared.stream.as_ref().is_some_and(|stream| !stream.is_writable());
        if is_blocked {
            shared.late_pong = Some(payload.into());
        } else {
            shared.outbox.push(&Frame::pong(payload));
        }
    }

    /// Takes note of the peer's close frame, and answers it unless it is an answer
    /// (RFC 6455 §5.5.1).
    fn answer_close(&self, code: CloseCode, reason: &str) {
        let mut shared = self.lock();
        if shared.phase == Phase::Open {
            shared.begin_closing(code, reason);
        }
    }

    /// Ends our sending direction; the peer reads our close frame and then the end.
    fn shutdown_write(&self) {
        if let Some(stream) = &mut self.lock().stream {
            // It fails only when the connection has ended already.
            let _ = stream.shutdown_write();
        }
    }

    /// Ends the connection as soon as the driver looks; what waits for the peer is dropped.
    fn fail(&self, failure: Failure) {
        let mut shared = self.lock();
        if shared.phase != Phase::Ended {
            shared.phase = Phase::Ended;
            shared.failure = Some(failure);
            shared.outbox.clear();
            self.has_ended.store(true, Ordering::Release);
            shared.wake();
        }
    }

    /// Ends the connection and frees its descriptor. Without a closing handshake the code is 1006.
    fn end(&self, is_clean: bool) {
        let mut shared = self.lock();
        shared.phase = Phase::Ended;
        shared.outbox.clear();
        if !is_clean || shared.close.is_none() {
            // RFC 6455 §7.1.5: no close frame of the peer was received.
            shared.close = Some((CloseCode::ABNORMAL_DISCONNECTION, "".into()));
        }
        let stream = shared.stream.take();
        drop(shared);
        self.has_ended.store(true, Ordering::Release);
        drop(stream);
    }

    /// Returns whether nothing may be delivered any more.
    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Wakes the driver, unless it will look at everything before it sleeps anyway.
    fn wake(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        let was_woken = mem::replace(&mut self.is_woken, true);
        match self.cork {
            Cork::On => {}
            // What the kernel does not take, and a failure, are left to the rest of the turn.
            Cork::Suspended => self.unreported += self.outbox.write_to(stream, false).unwrap_or(0),
            Cork::Off if was_woken => {}
            Cork::Off => stream.source().wake(),
        }
    }

    fn begin_closing(&mut self, code: CloseCode, reason: &str) {
        self.phase = Phase::Closing;
        self.close = Some((code, reason.into()));
        self.outbox.push(&Frame::close(&ClosePayload::new(code, reason)));
    }

    /// Returns whether so much more may wait for the peer; asks the kernel to take something first.
    fn has_room(&mut self, needed: usize) -> bool {
        let fits = |outbox: &Outbox| outbox.len().saturating_add(needed) <= OUTPUT_LIMIT;
        if !fits(&self.outbox)
            && let Some(stream) = &mut self.stream
        {
            let result = self.outbox.write_to(stream, false);
            self.note_written(result);
        }
        fits(&self.outbox)
    }

    /// Hands a big frame to the kernel without copying what it takes.
    fn write_at_once(&mut self, frame: &Frame<'_>) {
        let Some(stream) = &mut self.stream else { return };
        let header = frame.header(None);
        let buffers = [IoSlice::new(header.as_bytes()), IoSlice::new(frame.payload)];
        let result = stream.try_write(&buffers);
        let written = *result.as_ref().unwrap_or(&0);
        if written < header.as_bytes().len() + frame.payload.len() {
            self.outbox.push_rest(header.as_bytes(), frame.payload, written);
        }
        self.note_written(result);
    }

    /// Writes what the kernel takes and returns how much that was; only on the loop's thread.
    fn write(&mut self) -> usize {
        let Some(stream) = &mut self.stream else { return 0 };
        let mut result = self.outbox.write_to(stream, true);
        // One for each time that the peer has taken something, so that they do not pile up.
        if let Ok(written) = result
            && (written > 0 || self.outbox.is_empty())
            && let Some(payload) = self.late_pong.take_if(|_| self.phase == Phase::Open)
        {
            self.outbox.push(&Frame::pong(&payload));
            result = self.outbox.write_to(stream, true).map(|more| written + more);
        }
        result.unwrap_or_else(|_| {
            self.is_broken = true;
            self.outbox.clear();
            0
        })
    }

    /// Lets the driver report what was written outside its turns. A failure is left to it as well:
    /// its own next write, or read, meets it again.
    fn note_written(&mut self, result: io::Result<usize>) -> bool {
        let written = result.unwrap_or(0);
        self.unreported += written;
        if written > 0 || !self.outbox.is_empty() {
            self.wake();
        }
        written > 0
    }
}

/// Messages of at least this size are handed to the kernel by the call that sends them.
const WRITE_AT_ONCE: usize = 16 * 1024;
/// How many bytes may wait for a peer that does not read.
const OUTPUT_LIMIT: usize = 16 * 1024 * 1024;
