//! How much may wait for a peer that reads slowly, and what becomes of the rest.

use std::sync::Arc;
use std::task::Waker;

use crate::protocol::frames::fragmentation::Frames;
use crate::session::output::backlog::Backlog;
use crate::session::output::level::{LevelChange, LevelMonitor};
use crate::session::output::queue::OutputQueue;
use crate::session::settings::{OUTPUT_LIMIT, OutputSettings};
use crate::session::state::State;
use crate::types::error::Error;
use crate::types::output_policy::OutputPolicy;

/// What is to become of a message that is sent.
pub(crate) enum Admission {
    /// It goes behind the output.
    Queue,
    /// It waits behind the output, and may be dropped.
    Defer,
    /// It is dropped.
    Drop,
    /// The connection ends.
    Refuse,
}

impl State {
    /// Returns whether everything is as it is most of the time: nothing was set, nothing waits apart,
    /// and so many bytes more may wait for the peer.
    #[inline]
    pub(crate) fn takes_fast_path(&self, needed: usize) -> bool {
        self.extra.is_none()
            && self.queue.has_room(needed)
            && self.queue.len().saturating_add(needed) <= OUTPUT_LIMIT
    }

    /// Decides about a message of so many bytes, and makes room for it as the policy says; `weight` is
    /// how much memory it takes here.
    ///
    /// The kernel is asked first to take something. Where nothing waits there is room for any message,
    /// and with a policy that drops others there always is room for the newest.
    pub(crate) fn admit(&mut self, needed: usize, weight: usize) -> Admission {
        if self.takes_fast_path(needed) {
            return Admission::Queue;
        }
        let OutputSettings { policy, limit, .. } = self.output_settings();
        let has_room = self.has_room(needed, weight);
        match policy {
            _ if has_room && !self.defers(policy, limit) => Admission::Queue,
            _ if has_room => Admission::Defer,
            OutputPolicy::Close => Admission::Refuse,
            OutputPolicy::DropNewest => {
                self.extra().dropped_messages += 1;
                Admission::Drop
            }
            OutputPolicy::DropOldest => {
                while !self.fits(needed, weight) && self.drop_oldest() {}
                Admission::Defer
            }
            OutputPolicy::KeepLatest => {
                self.drop_all();
                Admission::Defer
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
    pub(crate) fn defer(&mut self, length: usize, frames: Frames<'_>) {
        let mut backlog = self.extra().backlog.take().unwrap_or_default();
        backlog.push(length, |block| {
            for frame in frames {
                let key = self.next_key();
                frame.write_to(block, key);
            }
        });
        self.extra().backlog = Some(backlog);
        self.note_output();
    }

    /// Lets a message of many connections wait that may be dropped.
    pub(crate) fn defer_shared(&mut self, message: &Arc<[u8]>) {
        self.extra().backlog.get_or_insert_default().push_shared(message);
        self.note_output();
    }

    /// Puts messages that waited into the output, which was written; returns whether there were any.
    pub(crate) fn refill(&mut self) -> bool {
        if self.backlog_len() == 0 {
            return false;
        }
        let batch = batch_size(self.output_settings().limit);
        while self.release_oldest() && self.queue.len() < batch {}
        true
    }

    /// Puts all messages that waited into the output: nothing is dropped any more.
    pub(crate) fn release_all(&mut self) {
        while self.release_oldest() {}
    }

    /// Returns whether a message has been dropped, or would be if the connection ended now.
    pub(crate) fn loses_messages(&self) -> bool {
        let is_known = self.extra.as_ref().is_some_and(|extra| extra.loss.is_some());
        is_known || self.queue.has_messages() || self.backlog_len() > 0
    }

    /// Forgets all that waits for the peer, and notes it if messages were among that.
    pub(crate) fn clear_output(&mut self) {
        if self.loses_messages() {
            self.extra().loss.get_or_insert_with(|| Box::new(Error::NotConnected));
        }
        self.queue.clear();
        if let Some(extra) = &mut self.extra {
            extra.backlog = None;
        }
    }

    /// Returns how many bytes wait for the kernel to take them.
    pub(crate) fn output_len(&self) -> usize {
        self.queue.len() + self.backlog_len()
    }

    /// Notes in the gauge, if there is one, that there is more output.
    pub(crate) fn note_output(&mut self) {
        if self.extra.as_ref().is_some_and(|extra| extra.level.is_some()) {
            let length = self.output_len();
            self.with_level(|level, mark| level.note(length, mark));
        }
    }

    /// Looks at the gauge, if there is one, at the end of a turn.
    pub(crate) fn check_level(&mut self) -> LevelChange {
        let length = self.output_len();
        self.with_level(|level, mark| level.check(length, mark)).unwrap_or_default()
    }

    /// Takes those who wait for room, to be woken once nothing is locked.
    pub(crate) fn take_wakers(&mut self) -> Vec<Waker> {
        self.with_level(|level, _mark| level.take_wakers()).unwrap_or_default()
    }

    fn with_level<T>(
        &mut self,
        use_level: impl FnOnce(&mut LevelMonitor, usize) -> T,
    ) -> Option<T> {
        let extra = self.extra.as_mut()?;
        let mark = extra.settings.output.high_water_mark;
        Some(use_level(extra.level.as_mut()?, mark))
    }

    pub(crate) fn output_settings(&self) -> OutputSettings {
        self.extra.as_deref().map_or(OutputSettings::DEFAULT, |extra| extra.settings.output)
    }

    fn fits(&mut self, needed: usize, weight: usize) -> bool {
        self.queue.is_empty() || (self.is_within_limit(needed) && self.may_hold(weight))
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
    fn defers(&self, policy: OutputPolicy, limit: usize) -> bool {
        if self.backlog_len() > 0 {
            return true;
        }
        let may_drop = matches!(policy, OutputPolicy::DropOldest | OutputPolicy::KeepLatest);
        let is_blocked = || self.stream.as_ref().is_some_and(|stream| !stream.is_writable());
        may_drop
            && !self.queue.is_empty()
            && (is_blocked() || self.queue.len() >= batch_size(limit))
    }

    fn drop_oldest(&mut self) -> bool {
        let is_dropped = self.with_backlog(|backlog, _outbox| backlog.drop_first());
        if is_dropped {
            self.extra().dropped_messages += 1;
        }
        is_dropped
    }

    fn release_oldest(&mut self) -> bool {
        self.with_backlog(Backlog::move_first)
    }

    fn with_backlog(
        &mut self,
        change: impl FnOnce(&mut Backlog, &mut OutputQueue) -> bool,
    ) -> bool {
        let Some(extra) = &mut self.extra else { return false };
        let Some(backlog) = &mut extra.backlog else { return false };
        let is_changed = change(backlog, &mut self.queue);
        extra.backlog.take_if(|backlog| backlog.is_empty());
        is_changed
    }

    fn backlog_len(&self) -> usize {
        let backlog = self.extra.as_ref().and_then(|extra| extra.backlog.as_ref());
        backlog.map_or(0, |backlog| backlog.len())
    }
}

/// How much of the output may be beyond dropping: enough for a write that is worth its while, but
/// not all that may wait.
pub(crate) fn batch_size(limit: usize) -> usize {
    (limit / 2).min(BATCH)
}

const BATCH: usize = 64 * 1024;
