//! The task of one connection: reads, tells, writes, and ends it.
//!
//! A turn delivers what one read brought, at most [`MESSAGES_PER_TURN`] messages of it, and then
//! writes once. What is left over waits for the next turn, behind the other connections.

use std::io;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::net::stream::Stream;
use crate::protocol::frames::copying::append_bytes;
use crate::protocol::frames::decoder::{Decoded, Decoder};
use crate::protocol::frames::event::Event;
use crate::protocol::frames::limits::Limits;
use crate::runtime::panics;
use crate::runtime::reactor::wake_later;
use crate::runtime::turn::{self};
use crate::session::buffers::{SharedPool, note_use, put_buffer, shared_pool, take_buffer};
use crate::session::linger::Linger;
use crate::session::memory::{HeldMemory, MIN_COUNTED};
use crate::session::observer::Observer;
use crate::session::state::Phase;
use crate::session::timeouts::{Deadlines, Expired, PeerActivity};
use crate::session::turn::{Changes, Notices, Received, TurnOutput, TurnStart};
use crate::session::{Failure, OutputLevel};
use crate::types::close_code::CloseCode;
use crate::types::error::Error;
use crate::types::socket_state::SocketState;

/// The task that owns the input of one connection, and keeps its observer alive.
pub(crate) struct Driver<O: Observer> {
    observer: Arc<O>,
    decoder: Decoder,
    undelivered: Option<Box<Undelivered>>,
    deadlines: Option<Box<Deadlines>>,
    /// What has come and is not delivered, as far as it is counted.
    held: HeldMemory,
    stage: Stage,
    is_started: bool,
    has_input_ended: bool,
    is_announced: bool,
}

/// What was read and did not fit in the turn's budget, from `start` on.
struct Undelivered {
    bytes: Vec<u8>,
    start: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Messages are delivered.
    Open,
    /// Nothing more is delivered; the output is still to be written.
    Over,
    /// Our sending direction has ended; the peer's end is awaited, so that the kernel does not
    /// throw our close frame away together with unread input.
    Draining,
    Ended,
}

/// The stream of a connection that has ended, if the peer may still read what was sent.
pub(super) type LingeringStream = Option<Stream>;

/// What a look at the input came to.
enum Input {
    Waiting,
    More,
    Ended,
    Failed(io::Error),
}

impl<O: Observer> Driver<O> {
    /// Makes the driver of an open connection; `leftover` came behind the opening handshake.
    pub(super) fn new(observer: Arc<O>, leftover: Vec<u8>) -> Self {
        let role = observer.session().role();
        Self {
            observer,
            decoder: Decoder::new(role, Limits::default()),
            undelivered: Undelivered::new(leftover, 0),
            deadlines: None,
            held: HeldMemory::default(),
            stage: Stage::Open,
            is_started: false,
            has_input_ended: false,
            is_announced: false,
        }
    }

    /// Takes a turn; ready when the connection has ended.
    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<LingeringStream> {
        if !mem::replace(&mut self.is_started, true) {
            self.observer.session().set_waker(cx.waker());
        }
        self.turn(cx)
    }

    /// Takes a turn; what its slots leave for another one comes behind the other connections.
    fn turn(&mut self, cx: &Context<'_>) -> Poll<LingeringStream> {
        let observer: Arc<O> = Arc::clone(&self.observer);
        let _in_turn = turn::begin(observer);
        let start = self.observer.session().begin_turn(self.wants_input());
        if start.has_changes
            && let Some(failure) = self.apply_changes()
        {
            return self.end(Some(failure), false);
        }
        // Given up at the end of the turn: the loop may have been held up, and not the peer.
        let expired = self.deadlines.as_deref().and_then(Deadlines::expired);
        if start.phase == Phase::Closing {
            self.announce_closing();
        }
        let received = start.received.as_ref();
        let is_alive = received.is_some_and(|received| received.is_alive);
        if start.phase == Phase::Closing {
            let length = received.and_then(|received| received.outcome.as_ref().ok());
            self.deadlines.get_or_insert_default().note_closing_input(length.copied());
        }
        let input = if start.is_reading_started { self.read(start) } else { Input::Waiting };
        self.count_input();

        let is_reported = self.observer.wants_bytes_written();
        let output = self.observer.session().write_turn(is_reported);
        let activity = PeerActivity { input: is_alive, progress: output.written > 0 };
        if output.ends_turn(is_reported) {
            return self.conclude(input, &output, activity, expired, None, cx);
        }
        let notices = output.has_notices.then(|| self.observer.session().take_notices());
        if output.written > 0 {
            self.tell(|observer| observer.bytes_written(output.written));
        }
        let failure = notices.and_then(|notices| self.report_notices(notices));
        let outcome = self.conclude(input, &output, activity, expired, failure, cx);
        if self.observer.session().end_turn() && outcome.is_pending() {
            wake_later(cx.waker());
        }
        outcome
    }

    /// Ends the connection, or makes ready for its next turn.
    fn conclude(
        &mut self,
        input: Input,
        output: &TurnOutput,
        activity: PeerActivity,
        expired: Option<Expired>,
        failure: Option<Failure>,
        cx: &Context<'_>,
    ) -> Poll<LingeringStream> {
        let is_closing = output.phase == Phase::Closing;
        let is_silent = !activity.input && !activity.progress;
        match (input, expired) {
            _ if failure.is_some() => self.end(failure, false),
            (_, Some(Expired::Limit)) => self.end(None, false),
            (_, Some(Expired::CloseFrame)) if !activity.input => self.end(None, false),
            (_, Some(Expired::ClosingOutput(timeout))) if !activity.progress => {
                self.end(Some(Failure::Error(Error::WriteTimeout(timeout))), false)
            }
            (_, Some(Expired::Output(timeout))) if output.has_more && is_silent => {
                self.end(Some(Failure::Error(Error::WriteTimeout(timeout))), false)
            }
            // A peer that sends no more may still read what was sent before our close frame.
            (Input::Ended, _) if is_closing && output.has_more => {
                self.has_input_ended = true;
                self.prepare_to_wait(output, activity, cx)
            }
            // Otherwise a peer may go once a close frame is on its way.
            (Input::Ended | Input::Failed(_), _) if is_closing => self.end(self.loss(), true),
            (Input::Waiting, _) if is_closing && output.is_broken => self.end(self.loss(), true),
            (Input::Ended, _) => self.end(Some(Failure::Error(Error::RemoteHostClosed)), true),
            (Input::Failed(error), _) => self.end(Some(self.failure(Some(error))), true),
            (Input::More, _) => {
                wake_later(cx.waker());
                self.prepare_to_wait(output, activity, cx)
            }
            (Input::Waiting, _) if output.is_broken => {
                let failure = self.failure(None);
                self.end(Some(failure), true)
            }
            (Input::Waiting, _) => self.prepare_to_wait(output, activity, cx),
        }
    }

    /// Returns why a connection ends on which reading or writing has failed.
    fn failure(&self, source: Option<io::Error>) -> Failure {
        let watched = self.deadlines.as_deref().and_then(Deadlines::kernel_timeout);
        let is_timeout = |source: &io::Error| source.kind() == io::ErrorKind::TimedOut;
        Failure::Error(match (source, watched) {
            (None, Some(timeout)) => Error::WriteTimeout(timeout),
            (Some(source), Some(timeout)) if is_timeout(&source) => Error::WriteTimeout(timeout),
            (Some(source), _) if !is_lost(&source) => {
                Error::Connection { source: Arc::new(source) }
            }
            _ => Error::RemoteHostClosed,
        })
    }

    /// Does what few turns begin with; returns why the connection is to end, if it is.
    #[cold]
    fn apply_changes(&mut self) -> Option<Failure> {
        let Changes { failure, limits } = self.observer.session().take_changes();
        if let Some(limits) = limits {
            self.decoder.set_limits(limits);
        }
        if self.held.is_condemned() {
            self.give_up_input();
        }
        failure
    }

    /// Counts what has come and is not delivered yet, if that is much.
    fn count_input(&mut self) {
        let carried =
            self.undelivered.as_ref().map_or(0, |undelivered| undelivered.bytes.capacity());
        let size = self.decoder.held_bytes() + carried;
        if (size >= MIN_COUNTED || self.held.size() > 0)
            && !self.observer.session().hold_input(&mut self.held, size)
        {
            self.give_up_input();
        }
    }

    /// Closes the connection, because the sockets of the loop hold too much.
    #[cold]
    fn give_up_input(&mut self) {
        let session = self.observer.session();
        self.decoder = Decoder::new(session.role(), Limits::default());
        (self.undelivered, self.held) = (None, HeldMemory::default());
        let limit = session.memory_budget();
        self.tell(|observer| observer.failed(Error::MemoryBudget { limit }));
        self.refuse(CloseCode::TRY_AGAIN_LATER, "too much memory is in use");
    }

    /// Tells who waits for it that there is room for more, or none; returns why the connection is
    /// to end, if it is.
    #[cold]
    fn report_notices(&self, notices: Notices) -> Option<Failure> {
        let Notices { level, failure } = notices;
        level.wakers.into_iter().for_each(Waker::wake);
        if level.has_risen {
            self.tell(|observer| observer.output_level_changed(OutputLevel::High));
        }
        if level.has_fallen {
            self.tell(|observer| observer.output_level_changed(OutputLevel::Drained));
        }
        failure
    }

    /// Returns whether something is to be read before anything else is delivered.
    fn wants_input(&self) -> bool {
        !self.has_input_ended && self.undelivered.is_none() && !self.is_paused()
    }

    /// Delivers what was read, or goes on with what an earlier turn left over.
    fn read(&mut self, start: TurnStart) -> Input {
        if let Some(Received { mut buffer, outcome, .. }) = start.received {
            match outcome {
                Ok(0) => return Input::Ended,
                Ok(length) => {
                    let received = buffer.as_mut_slice().get_mut(..length).unwrap_or_default();
                    let consumed = self.deliver(received);
                    self.keep(received.get(consumed..).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Input::Failed(error),
            }
        } else if self.is_paused() {
            return self.look_at_end();
        } else if self.has_input_ended {
            return Input::Ended;
        } else if let Some(mut undelivered) = self.undelivered.take() {
            undelivered.start +=
                self.deliver(undelivered.bytes.get_mut(undelivered.start..).unwrap_or_default());
            if undelivered.start < undelivered.bytes.len() {
                self.undelivered = Some(undelivered);
            } else {
                put_buffer(undelivered.bytes);
            }
        }
        let has_more = self.undelivered.is_some() || start.is_readable;
        if has_more && !self.is_paused() { Input::More } else { Input::Waiting }
    }

    /// Notices that the connection has ended while nothing is read, unless there is input that was
    /// not delivered yet.
    fn look_at_end(&self) -> Input {
        let has_ended = self.undelivered.is_none() && self.observer.session().has_ended_unread();
        if has_ended { Input::Ended } else { Input::Waiting }
    }

    /// Keeps what the budget left over: the buffer it lies in is everybody's.
    fn keep(&mut self, rest: &[u8]) {
        if !rest.is_empty() {
            let mut bytes = take_buffer(rest.len());
            append_bytes(&mut bytes, rest);
            self.undelivered = Undelivered::new(bytes, 0);
        }
    }

    /// Delivers the messages in `received`, as many as the budget allows, and returns how many
    /// bytes were used up.
    fn deliver(&mut self, received: &mut [u8]) -> usize {
        self.decoder.report_frames(self.observer.wants_frames());
        let pool = shared_pool();
        let mut consumed = 0;
        let is_well = panics::catch("a slot of a socket", || {
            for _ in 0..MESSAGES_PER_TURN {
                let rest = received.get_mut(consumed..).unwrap_or_default();
                if rest.is_empty() || !self.delivers() || self.is_paused() {
                    break;
                }
                consumed += self.deliver_one(rest, &pool);
            }
        });
        if !is_well {
            self.refuse(CloseCode::BAD_OPERATION, "a slot panicked");
        }
        let mut pool = pool.borrow_mut();
        self.decoder.recycle(&mut pool);
        note_use(&mut pool);
        // Once it is over, nobody looks at the rest.
        if self.delivers() { consumed } else { received.len() }
    }

    /// Returns whether the next message is delivered: a slot may have called `abort` meanwhile.
    fn delivers(&self) -> bool {
        self.stage == Stage::Open && !self.observer.session().has_ended()
    }

    fn is_paused(&self) -> bool {
        self.observer.session().is_paused()
    }

    fn deliver_one(&mut self, input: &mut [u8], pool: &SharedPool) -> usize {
        let session = self.observer.session();
        let decoded = self.decoder.decode(input, &mut pool.borrow_mut());
        let Decoded { consumed, event } = match decoded {
            Ok(decoded) => decoded,
            Err(violation) => {
                self.refuse(violation.close_code(), violation.reason());
                return 0;
            }
        };
        match event {
            None => {}
            Some(Event::Message { message, last_frame }) => {
                self.observer.message_received(message, last_frame);
            }
            Some(Event::Frame(frame)) => self.observer.frame_received(frame),
            Some(Event::Ping(payload)) => session.answer_ping(payload),
            Some(Event::Pong(payload)) => {
                session.note_pong(payload);
                self.observer.pong_received(payload);
            }
            Some(Event::Close { code, reason }) => {
                session.answer_close(code.unwrap_or(CloseCode::MISSING_STATUS_CODE), reason);
                self.stage = Stage::Over;
            }
        }
        consumed
    }

    /// Closes the connection because of what came, or what it did: nothing more is delivered.
    fn refuse(&mut self, code: CloseCode, reason: &str) {
        self.observer.session().close(code, reason);
        self.stage = Stage::Over;
    }

    /// Goes on with the closing, and sets the time at which patience ends.
    fn prepare_to_wait(
        &mut self,
        output: &TurnOutput,
        activity: PeerActivity,
        cx: &Context<'_>,
    ) -> Poll<LingeringStream> {
        let is_closing = output.phase == Phase::Closing;
        if is_closing {
            self.announce_closing();
        }
        if output.has_more || is_closing {
            self.set_deadlines(output, activity);
        } else if let Some(deadlines) = &mut self.deadlines {
            let session = self.observer.session();
            deadlines.clear_output_deadline(|timeout| session.set_user_timeout(timeout));
        }
        if let Some(deadlines) = &mut self.deadlines
            && !deadlines.wait(cx.waker())
        {
            self.deadlines = None;
        }
        Poll::Pending
    }

    /// Goes on with the closing, and sets the deadlines for output that waits and for the close
    /// frame of the peer.
    #[cold]
    fn set_deadlines(&mut self, output: &TurnOutput, activity: PeerActivity) {
        let session = self.observer.session();
        let set_user_timeout = |timeout| session.set_user_timeout(timeout);
        let timeouts = session.timeouts();
        let is_closing = output.phase == Phase::Closing;
        let deadlines = self.deadlines.get_or_insert_default();
        if output.has_more {
            return deadlines.set_output_deadline(activity, timeouts, is_closing, set_user_timeout);
        }
        deadlines.clear_output_deadline(set_user_timeout);
        if self.stage == Stage::Over {
            deadlines.set_drain_deadline(DRAIN_TIMEOUT);
            if session.shutdown_write() {
                self.stage = Stage::Draining;
            }
        } else if self.stage == Stage::Open {
            deadlines.set_close_deadline(activity, timeouts);
        }
    }

    #[cold]
    fn announce_closing(&mut self) {
        if !mem::replace(&mut self.is_announced, true) {
            self.tell(Observer::closing);
            self.tell(|observer| observer.state_changed(SocketState::Closing));
        }
    }

    /// Returns what is to be reported of a peer that has gone while the connection was closing:
    /// nothing, unless messages that were sent are lost.
    fn loss(&self) -> Option<Failure> {
        let loses_messages = self.observer.session().loses_messages();
        loses_messages.then_some(Failure::Error(Error::RemoteHostClosed))
    }

    /// Ends the connection. Its descriptor remains open if the peer may still read what was sent:
    /// not when it `is_gone`.
    fn end(&mut self, failure: Option<Failure>, is_gone: bool) -> Poll<LingeringStream> {
        let is_clean = self.stage != Stage::Open;
        self.stage = Stage::Ended;
        let is_dropped = is_gone || matches!(failure, Some(Failure::Aborted { is_closing: false }));
        let stream = self.observer.session().end(is_clean, failure.as_ref(), !is_dropped);
        match failure {
            Some(Failure::Error(error)) => self.tell(|observer| observer.failed(error)),
            Some(Failure::Aborted { .. }) if !self.is_announced => self.tell(Observer::closing),
            Some(Failure::Aborted { .. }) | None => {}
        }
        self.tell(|observer| observer.state_changed(SocketState::Unconnected));
        self.tell(|_| O::ended(&self.observer));
        Poll::Ready(stream)
    }

    /// Calls the observer; a panic in it closes the connection.
    fn tell(&self, tell: impl FnOnce(&O)) {
        if !panics::catch("a slot of a socket", || tell(&self.observer)) {
            self.observer.session().close(CloseCode::BAD_OPERATION, "a slot panicked");
        }
    }
}

impl<O: Observer> Drop for Driver<O> {
    /// A task that is dropped, because its loop ends, takes its connection along, and says so.
    fn drop(&mut self) {
        if self.stage != Stage::Ended
            && let Poll::Ready(Some(stream)) = self.end(None, false)
        {
            Linger::end_now(stream);
        }
    }
}

impl Undelivered {
    /// Keeps the bytes from `start` on, if there are any.
    fn new(bytes: Vec<u8>, start: usize) -> Option<Box<Self>> {
        (start < bytes.len()).then(|| Box::new(Self { bytes, start }))
    }
}

/// Returns whether an error says no more than that the peer has ended the connection.
fn is_lost(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted)
}

/// How many messages one connection delivers in a turn, so that a busy one starves nobody.
const MESSAGES_PER_TURN: usize = 16;
/// How long the peer may take to end the TCP connection after the closing handshake.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
