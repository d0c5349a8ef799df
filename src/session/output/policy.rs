//! The output policy: decides about messages when too much output waits.

use std::sync::Arc;

use crate::protocol::frames::fragmentation::Frames;
use crate::session::output::backlog::Backlog;
use crate::session::output::queue::OutputQueue;
use crate::session::settings::OutputSettings;
use crate::session::state::State;
use crate::types::output::OutputPolicy;

/// The decision about a message that is to be sent.
pub(crate) enum Admission {
    /// It is put into the output queue.
    Queue,
    /// It is put into the backlog behind the queue, and may be dropped.
    Defer,
    /// It is dropped.
    Drop,
    /// It is refused, and the connection ends.
    Refuse,
}

impl State {
    /// Returns whether a message of `needed` bytes takes the fast path into the queue.
    ///
    /// The settings are the defaults then, there is no backlog, and there is room for the message.
    #[inline]
    pub(crate) fn takes_fast_path(&self, needed: usize) -> bool {
        self.extra.is_none() && self.queue.is_short(needed)
    }

    /// Decides about a message of `needed` bytes, and makes room for it.
    ///
    /// `weight` returns the memory that it takes here. The kernel is offered the output first. Where no
    /// output waits there is room for any message, and with a policy that drops others there always
    /// is room for the newest.
    #[inline]
    pub(crate) fn admit(&mut self, needed: usize, weight: impl FnOnce() -> usize) -> Admission {
        if self.takes_fast_path(needed) {
            return Admission::Queue;
        }
        self.admit_by_policy(needed, weight())
    }

    fn admit_by_policy(&mut self, needed: usize, weight: usize) -> Admission {
        let OutputSettings { policy, limit, .. } = self.output_settings();
        let has_room = self.has_room(needed, weight);
        match policy {
            _ if has_room && !self.defers(policy, limit) => Admission::Queue,
            _ if has_room => Admission::Defer,
            OutputPolicy::Close => Admission::Refuse,
            OutputPolicy::DropNewest => {
                self.extra().note_drop();
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

    /// Returns whether `needed` bytes more may wait.
    ///
    /// If they may not, the output is offered to the kernel first.
    pub(crate) fn has_room(&mut self, needed: usize, weight: usize) -> bool {
        self.fits(needed, weight) || {
            self.write_early();
            self.fits(needed, weight)
        }
    }

    /// Puts a message into the backlog.
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
        self.note_message();
    }

    /// Puts a message with a key into the backlog.
    pub(crate) fn defer_keyed(&mut self, key: u64, message: &Arc<[u8]>) {
        self.extra().backlog.get_or_insert_default().push_keyed(key, message);
        self.note_output();
        self.note_message();
    }

    /// Puts a message of many connections into the backlog.
    pub(crate) fn defer_shared(&mut self, message: &Arc<[u8]>) {
        self.extra().backlog.get_or_insert_default().push_shared(message);
        self.note_output();
        self.note_message();
    }

    /// Moves messages from the backlog into the queue; returns whether any were.
    pub(crate) fn refill(&mut self) -> bool {
        if self.backlog_len() == 0 {
            return false;
        }
        let batch = batch_size(self.output_settings().limit);
        while self.release_oldest() && self.queue.len() < batch {}
        true
    }

    /// Moves the whole backlog into the queue: nothing is dropped any more.
    pub(crate) fn release_all(&mut self) {
        while self.release_oldest() {}
    }

    /// Drops the whole backlog, and counts its messages.
    pub(crate) fn drop_all(&mut self) {
        while self.drop_oldest() {}
    }

    /// Returns whether `needed` bytes more are within the limit of this connection.
    pub(crate) fn is_within_limit(&self, needed: usize) -> bool {
        self.output_len().saturating_add(needed) <= self.output_settings().limit
    }

    fn fits(&mut self, needed: usize, weight: usize) -> bool {
        self.queue.is_empty() || (self.is_within_limit(needed) && self.may_hold(weight))
    }

    /// Returns whether the next message goes into the backlog, where it can be dropped.
    ///
    /// With what the kernel takes at once this costs nothing: there is a backlog only when the
    /// kernel is known to take nothing, or the queue is long already.
    fn defers(&self, policy: OutputPolicy, limit: usize) -> bool {
        if self.backlog_len() > 0 {
            return true;
        }
        let may_drop = matches!(policy, OutputPolicy::DropOldest | OutputPolicy::KeepLatest);
        may_drop && self.is_slow(limit)
    }

    /// Whether output waits, and the kernel takes none or the queue is long already.
    pub(crate) fn is_slow(&self, limit: usize) -> bool {
        !self.queue.is_empty() && (self.is_blocked() || self.queue.len() >= batch_size(limit))
    }

    fn drop_oldest(&mut self) -> bool {
        let is_dropped = self.with_backlog(|backlog, _queue| backlog.drop_first());
        if is_dropped {
            self.extra().note_drop();
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
        let Some(extra) = self.extra.as_mut() else { return false };
        let Some(backlog) = &mut extra.backlog else { return false };
        let is_changed = change(backlog, &mut self.queue);
        extra.backlog.take_if(|backlog| backlog.is_empty());
        is_changed
    }
}

/// Returns how many bytes the queue takes from the backlog at a time.
///
/// They cannot be dropped any more: it is enough for an efficient write, but not all that may wait.
pub(crate) fn batch_size(limit: usize) -> usize {
    (limit / 2).min(MAX_BATCH)
}

const MAX_BATCH: usize = 64 * 1024;
