//! The memory that some buffers of a connection take of the loop's memory budget.
//!
//! Apart from `memory`, because the output queue has one: it knows neither session nor state.

use std::sync::Arc;

use crate::runtime::memory_budget::{Charge, Holder};
use crate::runtime::reactor::Source;

/// The memory of some buffers; there is a charge only while that is worth counting.
#[derive(Default)]
pub(super) struct HeldMemory(Option<Box<Charge>>);

impl HeldMemory {
    /// Returns the size that was set last.
    pub(super) fn size(&self) -> usize {
        self.0.as_ref().map_or(0, |charge| charge.size())
    }

    /// Sets the size, and returns whether the budget allows it; see [`Charge::set`].
    pub(super) fn set(&mut self, size: usize, source: &Source) -> bool {
        if size == 0 {
            self.0 = None;
            return true;
        }
        let make = || {
            let holder: Arc<dyn Holder> = Arc::new(source.handle());
            Box::new(Charge::new(source.budget(), holder))
        };
        self.0.get_or_insert_with(make).set(size)
    }

    /// Has the connection free the buffers.
    pub(super) fn evict(&self) {
        if let Some(charge) = &self.0 {
            charge.evict();
        }
    }

    /// Returns whether the connection is to free the buffers.
    pub(super) fn is_evicted(&self) -> bool {
        self.0.as_ref().is_some_and(|charge| charge.is_evicted())
    }
}

/// Output is counted in such steps while it grows, in bytes.
pub(super) const COUNTED_AHEAD: usize = 64 * 1024;
/// Input that is not delivered yet is counted from this size on, in bytes.
pub(super) const MIN_COUNTED: usize = 16 * 1024;
