//! The memory budget for the histories of a server's connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the memory that the histories of a server's connections may take.
#[derive(Clone, Debug, Default)]
pub(crate) struct HistoryBudget {
    used: Arc<AtomicUsize>,
}

/// Memory that is reserved for one connection, given back by its drop.
#[derive(Debug)]
pub(crate) struct Reservation {
    used: Arc<AtomicUsize>,
    size: usize,
}

impl HistoryBudget {
    /// Reserves `size` bytes; `None` if more than `limit` would be in use.
    pub(crate) fn reserve(&self, size: usize, limit: usize) -> Option<Reservation> {
        let fits = |used: usize| used.checked_add(size).filter(|sum| *sum <= limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
        Some(Reservation { used: Arc::clone(&self.used), size })
    }
}

impl Reservation {
    /// Gives `size` of its bytes back.
    pub(crate) fn give_back(&mut self, size: usize) {
        let size = size.min(self.size);
        self.size -= size;
        self.used.fetch_sub(size, Ordering::Relaxed);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.used.fetch_sub(self.size, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_given_back() {
        let budget = HistoryBudget::default();

        let first = budget.reserve(60, 100).unwrap();
        assert!(budget.reserve(41, 100).is_none());
        let second = budget.reserve(40, 100).unwrap();
        drop(first);

        assert!(budget.reserve(60, 100).is_some());
        let mut second = second;
        second.give_back(15);
        assert!(budget.reserve(76, 100).is_none());
        assert!(budget.reserve(75, 100).is_some());
        drop(second);
        assert!(budget.reserve(100, 100).is_some());
    }
}
