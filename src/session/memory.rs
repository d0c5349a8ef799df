//! What a connection holds in memory, as the budget of its loop counts it.

use std::sync::Arc;

use crate::runtime::memory_budget::{Charge, Holder};
use crate::runtime::reactor::Source;
use crate::session::output::policy::batch_size;
use crate::session::state::State;
use crate::session::{Failure, Session};
use crate::types::error::Error;
use crate::types::output_policy::OutputPolicy;

/// What some buffers of a connection take; there is a charge only while that is worth counting.
#[derive(Default)]
pub(super) struct HeldMemory(Option<Box<Charge>>);

impl HeldMemory {
    /// Returns how much was noted last.
    pub(super) fn size(&self) -> usize {
        self.0.as_ref().map_or(0, |charge| charge.size())
    }

    /// Notes how much there is, and returns whether there may be so much; see [`Charge::set`].
    pub(super) fn set(&mut self, size: usize, source: &Arc<Source>) -> bool {
        if size == 0 {
            self.0 = None;
            return true;
        }
        let make = || {
            let holder = Arc::clone(source) as Arc<dyn Holder>;
            Box::new(Charge::new(source.budget(), holder))
        };
        self.0.get_or_insert_with(make).set(size)
    }

    /// Has the connection give up what this is about.
    pub(super) fn condemn(&self) {
        if let Some(charge) = &self.0 {
            charge.condemn();
        }
    }

    /// Returns whether the connection is to give up what this is about.
    pub(super) fn is_condemned(&self) -> bool {
        self.0.as_ref().is_some_and(|charge| charge.is_condemned())
    }
}

impl State {
    /// Returns whether the loop has room for a message that takes so much memory; some is counted
    /// ahead, so that few messages have to ask.
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

    /// Counts the output that waits, and returns whether so much may.
    pub(super) fn count_output(&mut self) -> bool {
        let size = self.weight() / PAGE * PAGE;
        size == self.queue.held() || self.hold(size)
    }

    /// Counts the output that a turn leaves behind. When that is too much, the next turn ends it.
    pub(super) fn count_leftover(&mut self) {
        if !self.queue.is_empty() && !self.count_output() {
            self.queue.condemn();
        }
    }

    /// Gives up output, when the loop holds too much: what waits and can be dropped, where the policy
    /// is to drop it, or else the connection, for the reason that is returned.
    pub(super) fn give_up_output(&mut self) -> Option<Failure> {
        let source = Arc::clone(self.stream.as_ref()?.source());
        if !source.take_condemned() || !self.queue.is_condemned() {
            return None;
        }
        let output = self.output_settings();
        let drops = matches!(output.policy, OutputPolicy::DropOldest | OutputPolicy::KeepLatest);
        if drops {
            self.drop_all();
        }
        if drops && self.queue.len() <= batch_size(output.limit) {
            // Not condemned any more.
            self.queue.hold(0, &source);
            return None;
        }
        let limit = source.budget().limit().unwrap_or(usize::MAX);
        Some(Failure::Error(Error::MemoryBudget { limit }))
    }

    fn hold(&mut self, size: usize) -> bool {
        self.stream.as_ref().is_none_or(|stream| self.queue.hold(size, stream.source()))
    }

    /// Returns how many bytes of memory the output takes; what is shared counts in parts.
    fn weight(&self) -> usize {
        let backlog = self.extra.as_ref().and_then(|extra| extra.backlog.as_ref());
        self.queue.weight() + backlog.map_or(0, |backlog| backlog.weight())
    }
}

impl Session {
    /// Counts the input that is not delivered yet, and returns whether there may be so much.
    pub(super) fn hold_input(&self, held: &mut HeldMemory, size: usize) -> bool {
        let size = if size < MIN_COUNTED { 0 } else { size };
        let state = self.lock();
        let Some(stream) = state.stream.as_ref().filter(|_| size != held.size()) else {
            return true;
        };
        held.set(size, stream.source())
    }

    /// Returns the most that the sockets of the loop may hold.
    pub(super) fn memory_budget(&self) -> usize {
        let state = self.lock();
        let limit = state.stream.as_ref().and_then(|stream| stream.source().budget().limit());
        limit.unwrap_or(usize::MAX)
    }
}

/// Output is counted in such steps while it grows.
pub(super) const COUNTED_AHEAD: usize = 64 * 1024;
/// What waits at the end of a turn is counted in such steps; less is not.
const PAGE: usize = 4096;
/// From how much on input is counted that is not delivered yet.
pub(super) const MIN_COUNTED: usize = 16 * 1024;
