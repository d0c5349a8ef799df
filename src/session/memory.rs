//! The memory of a connection that the budget of its loop counts.

use crate::session::Session;
use crate::session::held_memory::{COUNTED_AHEAD, HeldMemory, MIN_COUNTED};
use crate::session::output::policy::batch_size;
use crate::session::state::{Failure, State};
use crate::types::error::Error;
use crate::types::output::OutputPolicy;

impl Session {
    /// Counts input that is not delivered yet; returns whether the budget allows it.
    pub(super) fn hold_input(&self, held: &mut HeldMemory, size: usize) -> bool {
        let size = if size < MIN_COUNTED { 0 } else { size };
        let state = self.lock();
        let Some(stream) = state.stream.as_ref().filter(|_| size != held.size()) else {
            return true;
        };
        held.set(size, stream.source())
    }

    /// Returns the memory budget of the loop, in bytes.
    pub(super) fn memory_budget(&self) -> usize {
        let state = self.lock();
        let limit = state.stream.as_ref().and_then(|stream| stream.source().budget().limit());
        limit.unwrap_or(usize::MAX)
    }
}

impl State {
    /// Returns whether the budget allows a message of `weight` bytes more.
    ///
    /// Some memory is counted ahead, so that few messages reach the budget.
    pub(super) fn may_hold(&mut self, weight: usize) -> bool {
        let before = self.queue.held();
        if self.output_len().saturating_add(weight) <= before + COUNTED_AHEAD {
            return true;
        }
        let size = self.weight().saturating_add(weight).next_multiple_of(COUNTED_AHEAD);
        if size <= before || self.hold(size) {
            return true;
        }
        self.hold(before);
        false
    }

    /// Counts the output that waits, and returns whether the budget allows it.
    pub(super) fn count_output(&mut self) -> bool {
        let size = self.weight() / PAGE * PAGE;
        size == self.queue.held() || self.hold(size)
    }

    /// Counts the output that a turn leaves behind.
    ///
    /// When that is too much, the next turn frees it.
    pub(super) fn count_leftover(&mut self) {
        if !self.queue.is_empty() && !self.count_output() {
            self.queue.evict();
        }
    }

    /// Frees output that is marked for eviction.
    ///
    /// That is the backlog, where the policy drops messages and that is enough, or else the
    /// connection, with the failure that is returned.
    pub(super) fn free_output(&mut self) -> Option<Failure> {
        let source = self.stream.as_ref()?.source();
        if !source.take_eviction() || !self.queue.is_evicted() {
            return None;
        }
        let limit = source.budget().limit().unwrap_or(usize::MAX);
        let output = self.output_settings();
        let drops = matches!(output.policy, OutputPolicy::DropOldest | OutputPolicy::KeepLatest);
        if drops {
            self.drop_all();
        }
        if drops && self.queue.len() <= batch_size(output.limit) {
            // Not evicted any more.
            self.hold(0);
            return None;
        }
        Some(Failure::Error(Error::MemoryBudget { limit }))
    }

    fn hold(&mut self, size: usize) -> bool {
        self.stream.as_ref().is_none_or(|stream| self.queue.hold(size, stream.source()))
    }

    /// Returns the memory of the output in bytes; shared messages count in parts.
    fn weight(&self) -> usize {
        let backlog = self.extra.as_ref().and_then(|extra| extra.backlog.as_ref());
        self.queue.weight() + backlog.map_or(0, |backlog| backlog.weight())
    }
}

/// Output at the end of a turn is counted in such steps, in bytes; less is not.
const PAGE: usize = 4096;
