//! The driver of one connection: takes its turns, sets deadlines, and ends it.
//!
//! A turn delivers the input of one read, a bounded number of messages of it, and then writes once.
//! Input that is left over waits for the next turn, behind the other connections.

use std::io;
use std::mem;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::net::stream::Stream;
use crate::protocol::frames::decoder::Decoder;
use crate::protocol::frames::limits::Limits;
use crate::runtime::panics;
use crate::runtime::reactor::wake_later;
use crate::session::closing::SLOT_PANICKED;
use crate::session::held_memory::HeldMemory;
use crate::session::linger::Linger;
use crate::session::observer::Observer;
use crate::session::output::level::OutputLevel;
use crate::session::state::{Failure, Phase};
use crate::session::timeouts::{Deadlines, Expired};
use crate::session::traffic::Traffic;
use crate::session::turn::{Changes, Notices, Rest, TurnInput, TurnOutput, TurnStart};
use crate::types::close_code::CloseCode;
use crate::types::error::Error;
use crate::types::role::Role;
use crate::types::socket_state::SocketState;

/// Owns the input of one connection, and keeps its observer alive.
pub(crate) struct Driver<O: Observer> {
    pub(super) observer: O::Handle,
    pub(super) decoder: Decoder,
    pub(super) undelivered: Option<Box<Undelivered>>,
    pub(super) deadlines: Option<Box<Deadlines>>,
    /// The memory of the input that is not delivered, as far as it is counted.
    pub(super) held: HeldMemory,
    pub(super) stage: Stage,
    is_started: bool,
    pub(super) has_input_ended: bool,
    is_announced: bool,
    /// How many messages a turn delivers; fewer than usual if there is a rate.
    pub(super) turn_limit: u8,
}

/// Input that a turn has left over, from `start` on.
pub(super) struct Undelivered {
    pub(super) bytes: Vec<u8>,
    pub(super) start: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Messages are delivered.
    Open,
    /// Nothing more is delivered; the output is still to be written.
    Over,
    /// Our sending direction has ended, and the end of the peer is awaited.
    ///
    /// The kernel would discard our close frame together with unread input.
    Draining,
    Ended,
}

/// The stream of a connection that has ended, if the peer may still read.
pub(super) type LingeringStream = Option<Stream>;

/// The result of reading and delivering in a turn.
pub(super) enum Input {
    Waiting,
    More,
    Ended,
    Failed(io::Error),
}

impl<O: Observer> Driver<O> {
    /// Makes the driver of an open connection.
    ///
    /// `leftover` is input behind the opening handshake.
    pub(super) fn new(observer: O::Handle, leftover: Vec<u8>) -> Self {
        let session = observer.session();
        let mut decoder = Decoder::new(session.role(), Limits::default());
        decoder.leave_big_pieces();
        #[cfg(feature = "compression")]
        if let Some(history) = session.received_history() {
            decoder.inflate_messages(history);
        }
        Self {
            observer,
            decoder,
            undelivered: Undelivered::new(leftover, 0),
            deadlines: None,
            held: HeldMemory::default(),
            stage: Stage::Open,
            is_started: false,
            has_input_ended: false,
            is_announced: false,
            turn_limit: MESSAGES_PER_TURN,
        }
    }

    /// Takes a turn for the task; ready when the connection has ended.
    ///
    /// From the first one on, events have turns of their own, with this `number`.
    pub(super) fn poll(&mut self, number: u32, waker: &Waker) -> Poll<LingeringStream> {
        if !mem::replace(&mut self.is_started, true) {
            self.observer.session().set_waker(waker, number);
        }
        self.turn(Some(waker))
    }

    /// Returns the waker of the task, while there is a connection.
    pub(super) fn waker(&self) -> Option<Waker> {
        self.observer.session().waker()
    }

    /// Returns whether an event is to have a turn of its own.
    ///
    /// Not before the first turn of the task, whose waker it may need. Nor when the task is about
    /// to continue with left-over input: a busy connection would have two turns at a time.
    pub(super) fn takes_event_turns(&self) -> bool {
        self.is_started && (self.undelivered.is_none() || !self.reads_on())
    }

    fn reads_on(&self) -> bool {
        self.observer.session().is_reading_started() && !self.is_paused()
    }

    /// Takes a turn; ready when the connection has ended.
    ///
    /// An event has no `waker`: the one of the task is looked up if the turn needs it. Calls that
    /// its slots leave for another turn run behind the other connections.
    pub(super) fn turn(&mut self, waker: Option<&Waker>) -> Poll<LingeringStream> {
        let start = if self.decoder.is_in_payload()
            && let Some(start) = self.begin_turn_in_payload()
        {
            start
        } else {
            self.observer.session().begin_turn(self.wants_input())
        };
        let TurnStart { input, is_reading_started, is_readable, phase, has_changes } = start;
        if has_changes || phase == Phase::Closing || self.deadlines.is_some() {
            let start = TurnStart { input, is_reading_started, is_readable, phase, has_changes };
            return self.with_waker(waker, |this, waker| this.unusual_turn(start, waker));
        }
        let TurnInput { received, has_arrived: has_input } = input;
        let input =
            if is_reading_started { self.read(received, is_readable) } else { Input::Waiting };
        self.count_input();
        let is_reported = self.observer.wants_bytes_written();
        if matches!(input, Input::Waiting | Input::More)
            && self.observer.session().end_quiet_turn(is_reported, || self.observer.traffic())
        {
            if matches!(input, Input::More) {
                return self.with_waker(waker, |_, waker| {
                    wake_later(waker);
                    Poll::Pending
                });
            }
            return Poll::Pending;
        }
        self.with_waker(waker, |this, waker| this.end_turn(input, has_input, None, waker))
    }

    /// Continues a turn that needs the task's waker.
    ///
    /// In the turn of an event it is looked up now, and the task is woken when the connection ends.
    #[cold]
    fn with_waker(
        &mut self,
        waker: Option<&Waker>,
        turn: impl FnOnce(&mut Self, &Waker) -> Poll<LingeringStream>,
    ) -> Poll<LingeringStream> {
        if let Some(waker) = waker {
            return turn(self, waker);
        }
        let waker = self.waker().unwrap_or_else(|| Waker::noop().clone());
        let outcome = turn(self, &waker);
        if outcome.is_ready() {
            waker.wake();
        }
        outcome
    }

    /// Continues a turn with changes, in the closing, or with a deadline.
    #[inline(never)]
    fn unusual_turn(&mut self, start: TurnStart, waker: &Waker) -> Poll<LingeringStream> {
        if start.has_changes
            && let Some(failure) = self.apply_changes()
        {
            return self.end(Some(failure), false);
        }
        // It takes effect at the end of the turn: the loop may have been held up, and not the peer.
        let expired = self.deadlines.as_deref().and_then(Deadlines::expired);
        if start.phase == Phase::Closing {
            self.announce_closing();
            let received = start.input.received.as_ref();
            let length = received.and_then(|received| received.outcome.as_ref().ok());
            self.deadlines.get_or_insert_default().note_closing_input(length.copied().unwrap_or(0));
        }
        let TurnInput { received, has_arrived: has_input } = start.input;
        let input = if start.is_reading_started {
            self.read_unusually(received, start.is_readable)
        } else {
            Input::Waiting
        };
        self.count_input();
        self.end_turn(input, has_input, expired, waker)
    }

    /// Writes the output of a turn, and reports what there is to report.
    #[inline(never)]
    fn end_turn(
        &mut self,
        input: Input,
        has_input: bool,
        expired: Option<Expired>,
        waker: &Waker,
    ) -> Poll<LingeringStream> {
        let is_reported = self.observer.wants_bytes_written();
        let traffic = self.observer.traffic();
        let is_last = self.stage == Stage::Over;
        let output = self.observer.session().write_turn(has_input, is_last, is_reported, traffic);
        if output.rest == Rest::ShutDown {
            self.stage = Stage::Draining;
        }
        if output.ends_turn(is_reported) {
            return self.conclude(input, &output, expired, None, waker);
        }
        let notices = output.has_notices.then(|| self.observer.session().take_notices());
        if output.written > 0 {
            self.report(|observer| observer.bytes_written(output.written));
        }
        let failure = notices.and_then(|notices| self.report_notices(notices));
        let outcome = self.conclude(input, &output, expired, failure, waker);
        if self.observer.session().end_turn() && outcome.is_pending() {
            wake_later(waker);
        }
        outcome
    }

    /// Ends the connection, or makes ready for its next turn.
    fn conclude(
        &mut self,
        input: Input,
        output: &TurnOutput,
        expired: Option<Expired>,
        failure: Option<Failure>,
        waker: &Waker,
    ) -> Poll<LingeringStream> {
        let is_closing = output.phase == Phase::Closing;
        let activity = output.activity;
        let is_idle = !activity.input && !activity.progress;
        match (input, expired) {
            _ if failure.is_some() => self.end(failure, false),
            (_, Some(Expired::Limit)) => self.end(None, false),
            (_, Some(Expired::CloseFrame)) if !activity.input => self.end(None, false),
            (_, Some(Expired::ClosingOutput(timeout))) if !activity.progress => {
                self.end(Some(Failure::Error(Error::WriteTimeout(timeout))), false)
            }
            (_, Some(Expired::Output(timeout))) if output.has_more() && is_idle => {
                self.end(Some(Failure::Error(Error::WriteTimeout(timeout))), false)
            }
            // A peer that sends no more may still read what was sent before our close frame.
            (Input::Ended, _) if is_closing && output.has_more() => {
                self.has_input_ended = true;
                self.prepare_to_wait(output, waker)
            }
            // Otherwise a peer may end the connection once a close frame is on its way.
            (Input::Ended | Input::Failed(_), _) if is_closing => self.end(self.loss(), true),
            (Input::Waiting, _) if is_closing && output.is_broken => self.end(self.loss(), true),
            (Input::Ended, _) => self.end(Some(Failure::Error(Error::RemoteHostClosed)), true),
            (Input::Failed(error), _) => self.end(Some(self.failure(Some(error))), true),
            (Input::More, _) => {
                wake_later(waker);
                self.prepare_to_wait(output, waker)
            }
            (Input::Waiting, _) if output.is_broken => {
                let failure = self.failure(None);
                self.end(Some(failure), true)
            }
            (Input::Waiting, _) => self.prepare_to_wait(output, waker),
        }
    }

    /// Returns the failure of a connection on which reading or writing has failed.
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

    /// Applies the changes since the last turn.
    ///
    /// Returns the failure, if the connection is to end.
    #[cold]
    fn apply_changes(&mut self) -> Option<Failure> {
        let Changes { failure, limits } = self.observer.session().take_changes();
        if let Some((limits, has_rates)) = limits {
            self.decoder.set_limits(limits);
            self.set_turn_limit(has_rates);
        }
        if self.held.is_evicted() {
            self.drop_input();
        }
        failure
    }

    /// Wakes tasks that wait for room, and reports the output level.
    ///
    /// Returns the failure, if the connection is to end.
    #[cold]
    fn report_notices(&self, notices: Notices) -> Option<Failure> {
        let Notices { level, failure } = notices;
        level.wakers.into_iter().for_each(Waker::wake);
        if level.has_risen {
            self.report(|observer| observer.output_level_changed(OutputLevel::High));
        }
        if level.has_fallen {
            self.report(|observer| observer.output_level_changed(OutputLevel::Drained));
        }
        failure
    }

    /// Continues the closing, and sets the deadlines until the next turn.
    fn prepare_to_wait(&mut self, output: &TurnOutput, waker: &Waker) -> Poll<LingeringStream> {
        let is_closing = output.phase == Phase::Closing;
        if is_closing {
            self.announce_closing();
        }
        if output.has_more() || is_closing {
            self.set_deadlines(output);
        } else if let Some(deadlines) = &mut self.deadlines {
            let session = self.observer.session();
            deadlines.clear_output_deadline(|timeout| session.set_user_timeout(timeout));
        }
        if let Some(deadlines) = &mut self.deadlines
            && !deadlines.wait(waker)
        {
            self.deadlines = None;
        }
        Poll::Pending
    }

    /// Continues the closing, and sets the deadlines for output and close frame.
    #[cold]
    fn set_deadlines(&mut self, output: &TurnOutput) {
        let session = self.observer.session();
        let set_user_timeout = |timeout| session.set_user_timeout(timeout);
        let timeouts = session.timeouts();
        let is_closing = output.phase == Phase::Closing;
        let activity = output.activity;
        let deadlines = self.deadlines.get_or_insert_default();
        if output.has_more() {
            return deadlines.set_output_deadline(activity, timeouts, is_closing, set_user_timeout);
        }
        deadlines.clear_output_deadline(set_user_timeout);
        if output.rest == Rest::ShutDown || self.stage == Stage::Over {
            deadlines.set_drain_deadline(DRAIN_TIMEOUT);
        }
        match self.stage {
            Stage::Open => deadlines.set_close_deadline(activity, timeouts),
            // TLS, or a stream of another library, may not be done.
            Stage::Over if session.shutdown_write() => self.stage = Stage::Draining,
            Stage::Over | Stage::Draining | Stage::Ended => {}
        }
    }

    #[cold]
    fn announce_closing(&mut self) {
        if !mem::replace(&mut self.is_announced, true) {
            self.report(Observer::closing);
            self.report(|observer| observer.state_changed(SocketState::Closing));
        }
    }

    /// Returns the failure of a connection that the peer has ended in the closing.
    ///
    /// There is one only if messages that were sent are lost.
    fn loss(&self) -> Option<Failure> {
        let loses_messages = self.observer.session().loses_messages();
        loses_messages.then_some(Failure::Error(Error::RemoteHostClosed))
    }

    /// Ends the connection, within a turn.
    ///
    /// Its descriptor remains open if the peer may still read what was sent: not when it `is_gone`.
    fn end(&mut self, failure: Option<Failure>, is_gone: bool) -> Poll<LingeringStream> {
        Poll::Ready(self.end_with(failure, is_gone, REFERENCES_IN_TURN))
    }

    /// Ends the connection.
    ///
    /// The driver and its entry have so many `references` to the observer.
    fn end_with(
        &mut self,
        failure: Option<Failure>,
        is_gone: bool,
        references: usize,
    ) -> LingeringStream {
        let is_clean = self.stage != Stage::Open;
        self.stage = Stage::Ended;
        let is_aborted = matches!(failure, Some(Failure::Aborted { is_closing: false }));
        let lingers = |_: &Stream| !is_gone && !is_aborted;
        let session = self.observer.session();
        let traffic = self.observer.traffic();
        session.end(is_clean, failure.as_ref(), !is_gone && !is_aborted, traffic);
        // A client may be opened again by its slots, and after an abort the peer waits for the end.
        let is_closed_first = is_aborted || session.role() == Role::Client;
        let first = if is_closed_first { session.take_ended(true).filter(lingers) } else { None };
        match failure {
            Some(Failure::Error(error)) => self.report(|observer| observer.failed(error)),
            Some(Failure::Aborted { .. }) if !self.is_announced => self.report(Observer::closing),
            Some(Failure::Aborted { .. }) | None => {}
        }
        self.report(|observer| observer.state_changed(SocketState::Unconnected));
        self.report(|_| O::ended(&self.observer));
        if is_closed_first {
            return first;
        }
        let has_handles = Arc::strong_count(&self.observer) > references;
        self.observer.session().take_ended(has_handles).filter(lingers)
    }

    /// Counts a panic of a slot.
    pub(super) fn note_panic(&self) {
        if let Some(traffic) = self.observer.traffic() {
            Traffic::note(&traffic.slot_panics);
        }
    }

    /// Calls the observer; a panic in it closes the connection.
    pub(super) fn report(&self, report: impl FnOnce(&O)) {
        if !panics::catch("a slot of a socket", || report(&self.observer)) {
            self.note_panic();
            self.observer.session().close(CloseCode::BAD_OPERATION, SLOT_PANICKED);
        }
    }
}

impl<O: Observer> Drop for Driver<O> {
    /// Ends the connection of a task that is dropped at its loop's end.
    fn drop(&mut self) {
        if self.stage != Stage::Ended
            && let Some(stream) = self.end_with(None, false, 1)
        {
            Linger::end_now(stream);
        }
    }
}

impl Undelivered {
    /// Keeps the bytes from `start` on, if there are any.
    pub(super) fn new(bytes: Vec<u8>, start: usize) -> Option<Box<Self>> {
        (start < bytes.len()).then(|| Box::new(Self { bytes, start }))
    }
}

/// Returns whether an error means only that the peer has ended the connection.
fn is_lost(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted)
}

/// The references to the observer within a turn: the driver's and its entry's.
const REFERENCES_IN_TURN: usize = 2;
/// The maximum time between the closing handshake and the end of the peer.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// The maximum number of messages in a turn: a busy connection starves no other.
pub(super) const MESSAGES_PER_TURN: u8 = 16;
