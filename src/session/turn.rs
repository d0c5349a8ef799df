//! What a driver and its session have to do with each other from the beginning of a turn to its end.
//!
//! Most turns bring a few messages, and nothing else: they lock the session once at each end.

use std::io;

use log::warn;

use crate::protocol::frames::limits::Limits;
use crate::session::buffers::ReadBuffer;
use crate::session::output::level::Reading;
use crate::session::settings::Rare;
use crate::session::state::{Cork, Phase, Sending, Shared};
use crate::session::{Failure, Session};

/// What the driver has to know when it begins a turn.
pub(super) struct Start {
    /// What was read, if it was time for that.
    pub(super) received: Option<Received>,
    pub(super) is_taken: bool,
    /// There may be more to read: of TLS, what was read may have been no data.
    pub(super) is_readable: bool,
    pub(super) phase: Phase,
    /// There are [`Orders`].
    pub(super) has_orders: bool,
}

/// What came of reading once.
pub(super) struct Received {
    pub(super) buffer: ReadBuffer,
    /// How many bytes of the buffer were filled. `WouldBlock` when nothing was there, 0 bytes are
    /// the end.
    pub(super) outcome: io::Result<usize>,
    /// Something came, be it a part of what TLS makes data of.
    pub(super) is_alive: bool,
}

/// What few turns begin with.
pub(super) struct Orders {
    pub(super) failure: Option<Failure>,
    /// The limits, when they were set since the last turn.
    pub(super) limits: Option<Limits>,
}

/// What came of the output at the end of a turn.
pub(super) struct Output {
    /// How many bytes the kernel has taken since the last turn.
    pub(super) written: usize,
    pub(super) has_more: bool,
    pub(super) phase: Phase,
    pub(super) is_broken: bool,
    /// There is [`News`], or may be.
    pub(super) has_news: bool,
}

/// What few turns end with.
pub(super) struct News {
    pub(super) reading: Reading,
    pub(super) failure: Option<Failure>,
}

impl Output {
    /// Returns whether the turn has ended, because nobody is to be told anything any more.
    pub(super) fn ends_turn(&self, is_heard: bool) -> bool {
        let is_quiet = self.phase == Phase::Open && !self.is_broken && !self.has_news;
        is_quiet && (self.written == 0 || !is_heard)
    }
}

impl Session {
    /// Begins a turn of the driver: what is sent from now on is written at its end. Reads once, if
    /// the driver `wants_input` and there may be some.
    pub(super) fn begin_turn(&self, wants_input: bool) -> Start {
        let shared = &mut *self.lock();
        shared.is_woken = false;
        shared.cork = Cork::On;
        let is_condemned = shared.stream.as_ref().is_some_and(|it| it.source().is_condemned());
        let has_orders = is_condemned || shared.rare.as_deref().is_some_and(Rare::has_orders);
        let may_read = wants_input && shared.is_taken && !has_orders && shared.is_readable();
        Start {
            received: if may_read { shared.read() } else { None },
            is_taken: shared.is_taken,
            is_readable: shared.is_readable(),
            phase: shared.phase,
            has_orders,
        }
    }

    pub(super) fn take_orders(&self) -> Orders {
        let mut shared = self.lock();
        let given_up = shared.give_up_output();
        Orders { failure: shared.take_failure().or(given_up), limits: shared.take_new_limits() }
    }

    /// Writes what the kernel takes, when all that was read in a turn is delivered; `is_heard` when
    /// somebody is told of it.
    pub(super) fn write_turn(&self, is_heard: bool) -> Output {
        let mut shared = self.lock_to_push(Shared::late_frames);
        shared.is_woken = false;
        let written = shared.write() + shared.take_unreported();
        shared.count_leftover();
        let output = Output {
            written,
            has_more: !shared.outbox.is_empty(),
            phase: shared.phase,
            is_broken: shared.sending == Sending::Broken,
            has_news: shared.rare.as_deref().is_some_and(Rare::has_news),
        };
        if output.ends_turn(is_heard) {
            shared.cork = Cork::Off;
        }
        output
    }

    pub(super) fn take_news(&self) -> News {
        let mut shared = self.lock();
        News { reading: shared.read_gauge(), failure: shared.take_failure() }
    }

    /// Ends a turn of the driver, and returns whether it has to look again: the slots that heard
    /// what was written may have sent more.
    pub(super) fn end_turn(&self) -> bool {
        let mut shared = self.lock();
        shared.cork = Cork::Off;
        shared.is_woken
    }

    /// Writes now what was to be written at the end of the turn, and from now on at once. Called
    /// again, it goes on with what the kernel has not taken before; only on the loop's thread.
    pub(super) fn suspend_turn(&self) {
        let mut shared = self.lock();
        match shared.cork {
            Cork::Off => {}
            Cork::On => {
                shared.cork = Cork::Suspended;
                shared.wake();
            }
            // A failure is left to the rest of the turn.
            Cork::Suspended | Cork::Held => {
                let written = shared.write_output(true).count;
                shared.report_later(written);
                shared.note_held_input();
            }
        }
    }
}

impl Shared {
    /// Logs, in debug builds and once a turn, that input waits for a slot which runs a loop: if that
    /// loop waits for it, nothing will ever end it.
    fn note_held_input(&mut self) {
        if cfg!(debug_assertions) && self.cork == Cork::Suspended && self.is_readable() {
            self.cork = Cork::Held;
            warn!(
                "a socket has received more while its slot runs a loop: it waits for the slot's end"
            );
        }
    }

    fn read(&mut self) -> Option<Received> {
        let stream = self.stream.as_mut()?;
        let mut buffer = ReadBuffer::take();
        let outcome = stream.try_read(buffer.as_mut_slice());
        let is_alive = stream.has_received(&outcome);
        if is_alive {
            self.silence.end();
        }
        Some(Received { buffer, outcome, is_alive })
    }
}
