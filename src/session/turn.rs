//! What a driver and its session exchange during one turn.
//!
//! Most turns deliver a few messages, and nothing else: they lock the session once at each end.

use std::io;

use log::warn;

use crate::net::stream::Stream;
use crate::protocol::frames::frame_header::LONGEST_HEADER;
use crate::protocol::frames::limits::Limits;
use crate::runtime::reactor::Readiness;
use crate::session::Session;
use crate::session::buffers::ReadBuffer;
use crate::session::output::cork_buffer;
use crate::session::output::level::LevelChange;
use crate::session::state::{Cork, Extra, Failure, Phase, Sending, State};
use crate::session::timeouts::PeerActivity;
use crate::session::traffic::Traffic;

/// The beginning of a turn.
pub(super) struct TurnStart {
    pub(super) input: TurnInput,
    pub(super) is_reading_started: bool,
    /// There may be more to read: with TLS, a read may have brought no data.
    pub(super) is_readable: bool,
    pub(super) phase: Phase,
    /// There are [`Changes`].
    pub(super) has_changes: bool,
}

/// What a turn begins with.
#[derive(Default)]
pub(super) struct TurnInput {
    /// The result of a read; `None` without one, and when the message has it.
    pub(super) received: Option<Received>,
    /// Bytes have arrived, if only a part of a TLS record: a sign of life.
    pub(super) has_arrived: bool,
}

/// The result of one read.
pub(super) struct Received {
    pub(super) buffer: ReadBuffer,
    /// The number of bytes read: `WouldBlock` without input, 0 at the end.
    pub(super) outcome: io::Result<usize>,
}

/// Changes since the last turn, with which few turns begin.
pub(super) struct Changes {
    pub(super) failure: Option<Failure>,
    /// New limits for input since the last turn, and whether it is measured.
    pub(super) limits: Option<(Limits, bool)>,
}

/// The result of writing at the end of a turn.
pub(super) struct TurnOutput {
    /// How many bytes the kernel has taken since the last turn.
    pub(super) written: usize,
    pub(super) activity: PeerActivity,
    pub(super) rest: Rest,
    pub(super) phase: Phase,
    pub(super) is_broken: bool,
    /// There are [`Notices`], or may be.
    pub(super) has_notices: bool,
}

/// What a turn has not written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    More,
    None,
    /// Nothing, and the sending direction has ended.
    ShutDown,
}

/// What is to be reported at the end of few turns.
pub(super) struct Notices {
    pub(super) level: LevelChange,
    pub(super) failure: Option<Failure>,
}

impl Received {
    /// Returns whether there are messages, which are not too big for the cork buffer.
    fn is_short(&self) -> bool {
        const LONGEST: usize = cork_buffer::LONGEST + LONGEST_HEADER;
        self.outcome.as_ref().is_ok_and(|length| *length <= LONGEST)
    }
}

impl TurnOutput {
    /// Returns whether output waits for the kernel to take it.
    pub(super) fn has_more(&self) -> bool {
        self.rest == Rest::More
    }

    /// Returns whether the turn has ended, because nothing is to be reported any more.
    pub(super) fn ends_turn(&self, is_reported: bool) -> bool {
        let is_usual = self.phase == Phase::Open && !self.is_broken && !self.has_notices;
        is_usual && (self.written == 0 || !is_reported)
    }
}

impl Session {
    /// Begins a turn of the driver: what is sent from now on is written at its end.
    ///
    /// Reads once, if the driver `wants_input` and there may be some.
    pub(super) fn begin_turn(&self, wants_input: bool) -> TurnStart {
        self.begin_turn_with(wants_input, State::read)
    }

    /// Begins a turn as [`begin_turn`](Self::begin_turn) does, and reads into the `room` of a message.
    ///
    /// Returns how many bytes that were, too.
    #[cold]
    pub(super) fn begin_direct_turn(
        &self,
        wants_input: bool,
        room: &mut [u8],
    ) -> (TurnStart, usize) {
        let mut count = 0;
        let start = self.begin_turn_with(wants_input, |state| match state.read_into(room) {
            (Ok(length @ 1..), has_arrived) => {
                count = length;
                TurnInput { received: None, has_arrived }
            }
            (outcome, has_arrived) => {
                let received = Some(Received { buffer: ReadBuffer::take(), outcome });
                TurnInput { received, has_arrived }
            }
        });
        (start, count)
    }

    #[inline]
    fn begin_turn_with(
        &self,
        wants_input: bool,
        read: impl FnOnce(&mut State) -> TurnInput,
    ) -> TurnStart {
        let state = &mut *self.lock();
        state.is_woken = false;
        state.cork = Cork::On;
        let is_reading_started = self.is_reading_started();
        let readiness = state.stream.as_ref().map(Stream::readiness);
        let is_evicted = readiness.is_some_and(Readiness::is_evicted);
        let has_changes = is_evicted || state.extra.as_ref().is_some_and(Extra::has_changes);
        let may_read = wants_input
            && is_reading_started
            && !has_changes
            && readiness.is_some_and(Readiness::is_readable);
        let input = if may_read { read(state) } else { TurnInput::default() };
        if input.received.as_ref().is_some_and(Received::is_short) {
            self.lend_cork_buffer(state);
        }
        TurnStart {
            input,
            is_reading_started,
            is_readable: state.is_readable(),
            phase: state.phase,
            has_changes,
        }
    }

    pub(super) fn take_changes(&self) -> Changes {
        let mut state = self.lock();
        let budget_failure = state.free_output();
        Changes {
            failure: state.take_failure().or(budget_failure),
            limits: state.take_new_limits(),
        }
    }

    /// Writes what the kernel takes, once the input of a turn is delivered.
    ///
    /// `is_reported` when the observer is to be called with how much that was. If it `is_last`, and
    /// all is written, the sending direction ends as well.
    pub(super) fn write_turn(
        &self,
        has_input: bool,
        is_last: bool,
        is_reported: bool,
        traffic: Option<&Traffic>,
    ) -> TurnOutput {
        let mut state = self.lock_to_push(State::pending_pongs);
        // An abort ends otherwise.
        let is_last = is_last && state.phase == Phase::Closing;
        state.is_woken = false;
        let written = state.write(is_last) + state.take_unreported();
        state.count_sent(written, traffic);
        state.count_leftover();
        let rest = match state.queue.is_empty() {
            // Before slots run: the kernel may hold the last bytes until then.
            true if is_last && state.shutdown_write() => Rest::ShutDown,
            true => Rest::None,
            false => Rest::More,
        };
        let output = TurnOutput {
            written,
            activity: PeerActivity { input: has_input, progress: written > 0 },
            rest,
            phase: state.phase,
            is_broken: state.sending == Sending::Broken,
            has_notices: state.extra.as_ref().is_some_and(Extra::has_notices),
        };
        if output.ends_turn(is_reported) {
            state.cork = Cork::Off;
        }
        output
    }

    /// Ends a turn after which all output is written and there is nothing to report.
    ///
    /// Otherwise returns false: [`write_turn`](Self::write_turn) continues.
    #[inline]
    pub(super) fn end_quiet_turn<'a>(
        &self,
        is_reported: bool,
        traffic: impl FnOnce() -> Option<&'a Traffic>,
    ) -> bool {
        let mut state = self.lock_corked();
        let corked = state.write_corked(is_reported);
        let has_ended = match corked {
            Some(written) => state.end_quietly(written, traffic),
            None => state.write_quietly(is_reported, traffic),
        };
        if has_ended {
            state.cork = Cork::Off;
        }
        has_ended
    }

    pub(super) fn take_notices(&self) -> Notices {
        let mut state = self.lock();
        Notices { level: state.check_level(), failure: state.take_failure() }
    }

    /// Ends a turn of the driver, and returns whether another one has to follow.
    ///
    /// The slots that were called at its end may have sent more.
    pub(super) fn end_turn(&self) -> bool {
        let mut state = self.lock();
        state.cork = Cork::Off;
        state.is_woken
    }

    /// Writes the output of the turn now, and what follows at once.
    ///
    /// Called again, it continues with what the kernel has not taken before; only on the loop's
    /// thread.
    pub(super) fn suspend_turn(&self) {
        let mut state = self.lock();
        match state.cork {
            Cork::Off | Cork::Listed => {}
            Cork::On | Cork::Lent => {
                state.cork = Cork::Suspended;
                state.wake();
            }
            // A failure is left to the rest of the turn.
            Cork::Suspended | Cork::Held => {
                let written = state.write_output(true).count;
                state.report_later(written);
                state.note_held_input();
            }
        }
    }
}

impl State {
    /// Logs once a turn, in debug builds, that input waits for a slot with a loop.
    ///
    /// A loop that waits for this input never ends.
    fn note_held_input(&mut self) {
        let has_input = || self.stream.as_ref().is_some_and(Stream::has_input);
        if cfg!(debug_assertions) && self.cork == Cork::Suspended && has_input() {
            self.cork = Cork::Held;
            warn!(
                "a socket has received more while its slot runs a loop: it waits for the slot's end"
            );
        }
    }

    /// Reads into the buffer of the thread.
    fn read(&mut self) -> TurnInput {
        let mut buffer = ReadBuffer::take();
        let (outcome, has_arrived) = self.read_into(buffer.as_mut_slice());
        TurnInput { received: Some(Received { buffer, outcome }), has_arrived }
    }

    /// Reads, and returns whether bytes have arrived, too.
    #[inline]
    fn read_into(&mut self, target: &mut [u8]) -> (io::Result<usize>, bool) {
        let Some(stream) = self.stream.as_mut() else {
            return (Err(io::ErrorKind::WouldBlock.into()), false);
        };
        let outcome = stream.try_read(target);
        let has_arrived = stream.has_received(&outcome);
        if has_arrived {
            self.idle.reset();
        }
        (outcome, has_arrived)
    }
}
