//! How long a connection waits for its peer: write timeout and closing timeout.
//!
//! Both run from the peer's last sign of life, which is input or progress of the output. A slow peer
//! is not a dead one.

use std::task::Waker;
use std::time::{Duration, Instant};

use crate::runtime::clock;
use crate::runtime::timers::{Deadline, after};
use crate::session::settings::Timeouts;

/// The deadlines of one connection. An idle one waits for nothing and has none.
pub(super) struct Deadlines {
    stall: Option<Stall>,
    closing: Option<Closing>,
    /// How much input is still awaited since the closing handshake has begun, in bytes.
    closing_budget: usize,
    /// When the peer has to have ended after the closing handshake.
    drained_by: Option<Instant>,
    deadline: Deadline,
    /// When the task is woken next.
    wakes_at: Option<Instant>,
}

/// Output that waits for the peer.
struct Stall {
    timeout: Duration,
    last_progress: Instant,
    last_sign: Instant,
    /// The kernel measures what the peer acknowledges, which is more precise than what can be seen
    /// from here: how much room the kernel has.
    is_watched_by_kernel: bool,
    /// The closing handshake has begun, and does not wait for ever for a peer that only sends.
    is_closing: bool,
}

/// A close frame that was written and not answered.
struct Closing {
    timeout: Duration,
    last_sign: Instant,
    latest: Instant,
}

/// What the peer did in a turn.
#[derive(Clone, Copy)]
pub(super) struct PeerActivity {
    pub(super) input: bool,
    /// The kernel took output, for which it had no room before.
    pub(super) progress: bool,
}

/// What was waited for in vain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    /// Progress of the output, or any input, for so long.
    Output(Duration),
    /// The peer's close frame, or any input.
    CloseFrame,
    /// The end of what has a limit whatever the peer sends.
    Limit,
    /// Progress of the output while the connection closes, whatever the peer sends.
    ClosingOutput(Duration),
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            stall: None,
            closing: None,
            closing_budget: CLOSING_INPUT,
            drained_by: None,
            deadline: Deadline::new(),
            wakes_at: None,
        }
    }
}

impl Deadlines {
    /// Notes that output waits, and what the peer did in this turn. `set_user_timeout` asks the
    /// kernel to end a connection whose peer acknowledges nothing, and returns whether it can.
    pub(super) fn set_output_deadline(
        &mut self,
        activity: PeerActivity,
        timeouts: Timeouts,
        is_closing: bool,
        set_user_timeout: impl Fn(Option<Duration>) -> bool,
    ) {
        let Some(timeout) = timeouts.write else {
            return self.clear_output_deadline(set_user_timeout);
        };
        let now = clock::now();
        let stall = self.stall.get_or_insert(Stall {
            timeout,
            last_progress: now,
            last_sign: now,
            is_watched_by_kernel: false,
            is_closing,
        });
        stall.timeout = timeout;
        stall.is_closing = is_closing && timeouts.closing.is_some();
        if activity.progress {
            stall.last_progress = now;
        }
        if activity.progress || activity.input {
            stall.last_sign = now;
            if std::mem::take(&mut stall.is_watched_by_kernel) {
                set_user_timeout(None);
            }
        } else if !stall.is_watched_by_kernel && now >= after(stall.last_sign, timeout / 2) {
            // It counts from when the peer stopped to acknowledge; input since then is life as well.
            let heard = stall.last_sign.saturating_duration_since(stall.last_progress);
            stall.is_watched_by_kernel = set_user_timeout(Some(timeout.saturating_add(heard)));
        }
    }

    /// Notes that no output waits for the peer.
    pub(super) fn clear_output_deadline(
        &mut self,
        set_user_timeout: impl Fn(Option<Duration>) -> bool,
    ) {
        if self.stall.take().is_some_and(|stall| stall.is_watched_by_kernel) {
            set_user_timeout(None);
        }
    }

    /// Notes that our close frame is written, and what the peer did in this turn.
    pub(super) fn set_close_deadline(&mut self, activity: PeerActivity, timeouts: Timeouts) {
        let Some(timeout) = timeouts.closing else { return };
        let now = clock::now();
        let latest = after(now, timeout.max(LONGEST_CLOSING));
        let closing = self.closing.get_or_insert(Closing { timeout, last_sign: now, latest });
        if activity.input {
            closing.last_sign = now;
        }
    }

    /// Notes how much came while the connection was closing.
    pub(super) fn note_closing_input(&mut self, length: Option<usize>) {
        self.closing_budget = self.closing_budget.saturating_sub(length.unwrap_or(0));
    }

    /// Gives the peer so long to end from now on, unless that has begun already.
    pub(super) fn set_drain_deadline(&mut self, duration: Duration) {
        self.closing = None;
        self.drained_by.get_or_insert_with(|| after(clock::now(), duration));
    }

    /// Has the task woken when the next of the times passes; returns whether there is one.
    pub(super) fn wait(&mut self, waker: &Waker) -> bool {
        let stall = self.stall.as_ref().map(Stall::next);
        let closing = self.closing.as_ref().map(Closing::end);
        let next = [stall, closing, self.drained_by].into_iter().flatten().min();
        // A deadline that has moved on is left where it is, and looked at when the task wakes.
        let is_set = self.wakes_at.is_some_and(|at| next >= Some(at) && at > clock::now());
        if !is_set {
            self.deadline.set(next, waker);
            self.wakes_at = next;
        }
        next.is_some()
    }

    /// Returns what was waited for in vain, if anything was.
    pub(super) fn expired(&self) -> Option<Expired> {
        let now = clock::now();
        let has_passed = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if let Some(stall) = &self.stall {
            if now >= stall.end() {
                return Some(Expired::Output(stall.timeout));
            }
            if has_passed(stall.limit()) {
                return Some(Expired::ClosingOutput(stall.timeout));
            }
        }
        if let Some(closing) = &self.closing
            && now >= closing.end()
        {
            return Some(if now >= closing.latest { Expired::Limit } else { Expired::CloseFrame });
        }
        let is_over = has_passed(self.drained_by) || self.closing_budget == 0;
        is_over.then_some(Expired::Limit)
    }

    /// Returns the write timeout when the kernel has been asked to measure it.
    pub(super) fn kernel_timeout(&self) -> Option<Duration> {
        let stall = self.stall.as_ref()?;
        stall.is_watched_by_kernel.then_some(stall.timeout)
    }
}

impl Stall {
    /// Returns when to look next, if nothing happens.
    fn next(&self) -> Instant {
        let half = after(self.last_sign, self.timeout / 2);
        let next =
            if self.is_watched_by_kernel || half <= clock::now() { self.end() } else { half };
        self.limit().map_or(next, |limit| limit.min(next))
    }

    /// Returns when the connection ends without a sign of life.
    ///
    /// The kernel ends it in time. Some kernels do not count peers that acknowledge without
    /// reading; a very slow reader shows no progress here for a while.
    fn end(&self) -> Instant {
        let factor = if self.is_watched_by_kernel { UNSEEN_PROGRESS } else { 1 };
        after(self.last_sign, self.timeout.saturating_mul(factor))
    }

    /// Returns how long a closing handshake waits for output to be taken, whatever the peer sends.
    fn limit(&self) -> Option<Instant> {
        let longest = self.timeout.saturating_mul(UNSEEN_PROGRESS).max(LONGEST_CLOSING);
        self.is_closing.then(|| after(self.last_progress, longest))
    }
}

impl Closing {
    fn end(&self) -> Instant {
        after(self.last_sign, self.timeout).min(self.latest)
    }
}

/// How long a closing handshake takes at the most, from when our close frame was written.
const LONGEST_CLOSING: Duration = Duration::from_secs(60);
/// How much may come while a connection closes, in bytes: more than a message and what is on its way.
const CLOSING_INPUT: usize = 64 * 1024 * 1024;
/// How much longer than the write timeout progress may be invisible while the kernel measures it.
const UNSEEN_PROGRESS: u32 = 4;
