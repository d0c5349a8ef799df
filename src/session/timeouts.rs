//! Write timeout and closing timeout, and how they expire.
//!
//! Both run from the peer's last sign of life, which is input or progress of the output. A slow peer
//! is not a dead one.

use std::task::Waker;
use std::time::{Duration, Instant};

use crate::runtime::clock;
use crate::runtime::timers::{Deadline, after};
use crate::session::Session;
use crate::session::settings::Timeouts;

/// The deadlines of one connection; an idle one has none.
pub(super) struct Deadlines {
    stall: Option<Stall>,
    closing: Option<CloseWait>,
    /// How much input a closing connection still reads, in bytes.
    closing_budget: usize,
    /// When the connection ends after the closing handshake.
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
    /// The kernel measures what the peer acknowledges.
    ///
    /// That is more precise than the room in the kernel, which is visible from here.
    is_watched_by_kernel: bool,
    /// The closing handshake has begun, which has a limit for a peer that only sends.
    is_closing: bool,
}

/// A close frame that was written and not answered.
struct CloseWait {
    timeout: Duration,
    last_sign: Instant,
    begin: Instant,
}

/// The signs of life of the peer in a turn.
#[derive(Clone, Copy)]
pub(super) struct PeerActivity {
    pub(super) input: bool,
    /// The kernel took output, for which it had no room before.
    pub(super) progress: bool,
}

/// A timeout that has expired, by what did not happen in time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    /// Progress of the output, or any input; with the write timeout.
    Output(Duration),
    /// The peer's close frame, or any input.
    CloseFrame,
    /// The end of the closing, whatever the peer sends.
    Limit,
    /// Progress of the output of a closing connection; with the write timeout.
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

impl Session {
    /// Changes the timeouts, from now on.
    pub(crate) fn change_timeouts(&self, change: impl FnOnce(&mut Timeouts)) {
        self.change_settings(|settings| change(&mut settings.timeouts));
        self.wake_driver();
    }

    pub(super) fn timeouts(&self) -> Timeouts {
        self.lock().settings().timeouts
    }

    /// Has the kernel end the connection if the peer acknowledges no output.
    ///
    /// Returns whether the system can do this.
    pub(super) fn set_user_timeout(&self, timeout: Option<Duration>) -> bool {
        self.lock().stream.as_ref().is_some_and(|stream| stream.set_user_timeout(timeout))
    }
}

impl Deadlines {
    /// Sets the deadline for output that waits.
    ///
    /// `set_user_timeout` has the kernel end the connection if the peer acknowledges nothing, and
    /// returns whether it can.
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
            // It counts from when the peer stopped acknowledging; input since then is a sign of life.
            let heard = stall.last_sign.saturating_duration_since(stall.last_progress);
            stall.is_watched_by_kernel = set_user_timeout(Some(timeout.saturating_add(heard)));
        }
    }

    /// Clears the deadline for output: none waits.
    pub(super) fn clear_output_deadline(
        &mut self,
        set_user_timeout: impl Fn(Option<Duration>) -> bool,
    ) {
        if self.stall.take().is_some_and(|stall| stall.is_watched_by_kernel) {
            set_user_timeout(None);
        }
    }

    /// Sets the deadline for the peer's close frame: ours is written.
    pub(super) fn set_close_deadline(&mut self, activity: PeerActivity, timeouts: Timeouts) {
        let Some(timeout) = timeouts.closing else {
            self.closing = None;
            return;
        };
        let now = clock::now();
        let closing = self.closing.get_or_insert(CloseWait { timeout, last_sign: now, begin: now });
        closing.timeout = timeout;
        if activity.input {
            closing.last_sign = now;
        }
    }

    /// Counts input of a connection that closes, in bytes.
    pub(super) fn note_closing_input(&mut self, length: usize) {
        self.closing_budget = self.closing_budget.saturating_sub(length);
    }

    /// Sets the deadline for the end of the TCP connection, unless it is set already.
    pub(super) fn set_drain_deadline(&mut self, duration: Duration) {
        self.closing = None;
        self.drained_by.get_or_insert_with(|| after(clock::now(), duration));
    }

    /// Has the task woken at the next deadline; returns whether there is one.
    pub(super) fn wait(&mut self, waker: &Waker) -> bool {
        let stall = self.stall.as_ref().map(Stall::next);
        let closing = self.closing.as_ref().map(CloseWait::end);
        let next = [stall, closing, self.drained_by].into_iter().flatten().min();
        // A deadline that has moved on is not set anew until the task wakes.
        let is_set = self.wakes_at.is_some_and(|at| next >= Some(at) && at > clock::now());
        if !is_set {
            self.deadline.set(next, waker);
            self.wakes_at = next;
        }
        next.is_some()
    }

    /// Returns the timeout that has expired, if one has.
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
            return Some(if now >= closing.limit() { Expired::Limit } else { Expired::CloseFrame });
        }
        let is_over = has_passed(self.drained_by) || self.closing_budget == 0;
        is_over.then_some(Expired::Limit)
    }

    /// Returns the write timeout while the kernel measures it.
    pub(super) fn kernel_timeout(&self) -> Option<Duration> {
        let stall = self.stall.as_ref()?;
        stall.is_watched_by_kernel.then_some(stall.timeout)
    }
}

impl Stall {
    /// Returns when the task is to be woken next.
    fn next(&self) -> Instant {
        let half = after(self.last_sign, self.timeout / 2);
        let next =
            if self.is_watched_by_kernel || half <= clock::now() { self.end() } else { half };
        self.limit().map_or(next, |limit| limit.min(next))
    }

    /// Returns when the connection ends without a sign of life.
    ///
    /// While the kernel measures, it ends the connection in time. Some kernels do not count peers that
    /// acknowledge without reading; a very slow reader shows no progress here for a while.
    fn end(&self) -> Instant {
        let factor = if self.is_watched_by_kernel { UNSEEN_PROGRESS } else { 1 };
        after(self.last_sign, self.timeout.saturating_mul(factor))
    }

    /// Returns when a closing handshake ends without progress of the output.
    fn limit(&self) -> Option<Instant> {
        let longest = self.timeout.saturating_mul(UNSEEN_PROGRESS).max(LONGEST_CLOSING);
        self.is_closing.then(|| after(self.last_progress, longest))
    }
}

impl CloseWait {
    fn end(&self) -> Instant {
        after(self.last_sign, self.timeout).min(self.limit())
    }

    /// Returns the end of the closing, whatever the peer sends.
    fn limit(&self) -> Instant {
        after(self.begin, self.timeout.max(LONGEST_CLOSING))
    }
}

/// The maximum time of a closing handshake, from when our close frame was written.
///
/// It is the closing timeout if that is longer.
const LONGEST_CLOSING: Duration = Duration::from_secs(60);
/// The maximum input while a connection closes, in bytes.
///
/// It is more than a message and what is in flight.
const CLOSING_INPUT: usize = 64 * 1024 * 1024;
/// Progress may be invisible for so many write timeouts if the kernel measures.
const UNSEEN_PROGRESS: u32 = 4;
