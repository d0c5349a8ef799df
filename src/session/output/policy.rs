//! How much may wait for a peer that reads slowly, and what becomes of the rest.

use std::sync::Arc;
use std::task::Waker;

use crate::protocol::frames::fragmentation::Frames;
use crate::session::output::backlog::Backlog;
use crate::session::output::level::{Gauge, Reading};
use crate::session::output::queue::Outbox;
use crate::session::settings::{OUTPUT_LIMIT, OutputSettings};
use crate::session::state::Shared;
use crate::types::error::Error;
use crate::types::output_policy::OutputPolicy;

/// What is to become of a message that is sent.
pub(crate) enum Admission {
    /// It goes behind the output.
    Now,
    /// It waits behind the output, and may be dropped.
    Later,
    /// It is dropped.
    Dropped,
    /// The connection ends.
    TooMuch,
}

impl Shared {
    /// Returns whether everything is as it is most of the time: nothing was set, nothing waits apart,
    /// and so many bytes more may wait for the peer.
    #[inline]
    pub(crate) fn takes_all(&self, needed: usize) -> bool {
        self.rare.is_none()
            && self.outbox.has_room(needed)
            && self.outbox.len().saturating_add(needed) <= OUTPUT_LIMIT
    }

    /// Decides about a message of so many bytes, and makes room for it as the policy says; `weight` is
    /// how much memory it takes here.
    ///
    /// The kernel is asked first to take something. Where nothing waits there is room for any message,
    /// and with a policy that drops others there always is room for the newest.
    pub(crate) fn admit(&mut self, needed: usize, weight: usize) -> Admission {
        if self.takes_all(needed) {
            return Admission::Now;
        }
        let OutputSettings { policy, limit, .. } = self.output_settings();
        let has_room = self.has_room(needed, weight);
        match policy {
            _ if has_room && !self.puts_off(policy, limit) => Admission::Now,
            _ if has_room => Admission::Later,
            OutputPolicy::Close => Admission::TooMuch,
            OutputPolicy::DropNewest => {
                self.rare().dropped += 1;
                Admission::Dropped
            }
            OutputPolicy::DropOldest => {
                while !self.fits(needed, weight) && self.drop_oldest() {}
                Admission::Later
            }
            OutputPolicy::KeepLatest => {
                self.drop_all();
                Admission::Later
            }
        }
    }

    /// Returns whether so much more may wait for the peer; asks the kernel to take something first.
    pub(crate) fn has_room(&mut self, needed: usize, weight: usize) -> bool {
        self.fits(needed, weight) || {
            self.write_early();
            self.fits(needed, weight)
        }
    }

    /// Lets a message wait that may be dropped.
    pub(crate) fn put_off(&mut self, length: usize, frames: Frames<'_>) {
        let mut backlog = self.rare().backlog.take().unwrap_or_default();
        backlog.push(length, |block| {
            for frame in frames {
                let key = self.next_key();
                frame.write_to(block, key);
            }
        });
        self.rare().backlog = Some(backlog);
        self.note_output();
    }

    /// Lets a message of many connections wait that may be dropped.
    pub(crate) fn put_off_shared(&mut self, message: &Arc<[u8]>) {
        self.rare().backlog.get_or_insert_default().push_shared(message);
        self.note_output();
    }

    /// Puts messages that waited into the output, which was written; returns whether there were any.
    pub(crate) fn refill(&mut self) -> bool {
        if self.backlog_len() == 0 {
            return false;
        }
        let batch = batch(self.output_settings().limit);
        while self.release_oldest() && self.outbox.len() < batch {}
        true
    }

    /// Puts all messages that waited into the output: nothing is dropped any more.
    pub(crate) fn release_all(&mut self) {
        while self.release_oldest() {}
    }

    /// Returns whether a message has been dropped, or would be if the connection ended now.
    pub(crate) fn loses_messages(&self) -> bool {
        let is_known = self.rare.as_ref().is_some_and(|rare| rare.lost.is_some());
        is_known || self.outbox.has_messages() || self.backlog_len() > 0
    }

    /// Forgets all that waits for the peer, and notes it if messages were among that.
    pub(crate) fn clear_output(&mut self) {
        if self.loses_messages() {
            self.rare().lost.get_or_insert_with(|| Box::new(Error::NotConnected));
        }
        self.outbox.clear();
        if let Some(rare) = &mut self.rare {
            rare.backlog = None;
        }
    }

    /// Returns how many bytes wait for the kernel to take them.
    pub(crate) fn output_len(&self) -> usize {
        self.outbox.len() + self.backlog_len()
    }

    /// Notes in the gauge, if there is one, that there is more output.
    pub(crate) fn note_output(&mut self) {
        if self.rare.as_ref().is_some_and(|rare| rare.gauge.is_some()) {
            let length = self.output_len();
            self.with_gauge(|gauge, mark| gauge.note(length, mark));
        }
    }

    /// Looks at the gauge, if there is one, at the end of a turn.
    pub(crate) fn read_gauge(&mut self) -> Reading {
        let length = self.output_len();
        self.with_gauge(|gauge, mark| gauge.read(length, mark)).unwrap_or_default()
    }

    /// Takes those who wait for room, to be woken once nothing is locked.
    pub(crate) fn take_waiting(&mut self) -> Vec<Waker> {
        self.with_gauge(|gauge, _mark| gauge.take_waiting()).unwrap_or_default()
    }

    fn with_gauge<T>(&mut self, use_gauge: impl FnOnce(&mut Gauge, usize) -> T) -> Option<T> {
        let rare = self.rare.as_mut()?;
        let mark = rare.settings.output.high_water_mark;
        Some(use_gauge(rare.gauge.as_mut()?, mark))
    }

    pub(crate) fn output_settings(&self) -> OutputSettings {
        self.rare.as_deref().map_or(OutputSettings::DEFAULT, |rare| rare.settings.output)
    }

    fn fits(&mut self, needed: usize, weight: usize) -> bool {
        self.outbox.is_empty() || (self.is_within_limit(needed) && self.may_hold(weight))
    }

    /// Returns whether so much more may wait as far as this connection is concerned.
    pub(crate) fn is_within_limit(&self, needed: usize) -> bool {
        self.output_len().saturating_add(needed) <= self.output_settings().limit
    }

    /// Drops all messages that can be dropped.
    pub(crate) fn drop_all(&mut self) {
        while self.drop_oldest() {}
    }

    /// Returns whether the next message waits where it can still be dropped.
    ///
    /// With what the kernel takes at once this costs nothing: only when it is known to take nothing,
    /// or much is on its way already, messages are kept apart.
    fn puts_off(&self, policy: OutputPolicy, limit: usize) -> bool {
        if self.backlog_len() > 0 {
            return true;
        }
        let may_drop = matches!(policy, OutputPolicy::DropOldest | OutputPolicy::KeepLatest);
        let is_blocked = || self.stream.as_ref().is_some_and(|stream| !stream.is_writable());
        may_drop && !self.outbox.is_empty() && (is_blocked() || self.outbox.len() >= batch(limit))
    }

    fn drop_oldest(&mut self) -> bool {
        let is_dropped = self.with_backlog(|backlog, _outbox| backlog.drop_first());
        if is_dropped {
            self.rare().dropped += 1;
        }
        is_dropped
    }

    fn release_oldest(&mut self) -> bool {
        self.with_backlog(Backlog::move_first)
    }

    fn with_backlog(&mut self, change: impl FnOnce(&mut Backlog, &mut Outbox) -> bool) -> bool {
        let Some(rare) = &mut self.rare else { return false };
        let Some(backlog) = &mut rare.backlog else { return false };
        let is_changed = change(backlog, &mut self.outbox);
        rare.backlog.take_if(|backlog| backlog.is_empty());
        is_changed
    }

    fn backlog_len(&self) -> usize {
        let backlog = self.rare.as_ref().and_then(|rare| rare.backlog.as_ref());
        backlog.map_or(0, |backlog| backlog.len())
    }
}

/// How much of the output may be beyond dropping: enough for a write that is worth its while, but
/// not all that may wait.
pub(crate) fn batch(limit: usize) -> usize {
    (limit / 2).min(BATCH)
}

const BATCH: usize = 64 * 1024;
