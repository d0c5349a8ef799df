//! The memory budget that the connections of one loop share.
//!
//! Big buffers are counted when they grow, shrink or stay behind, never each message, so holders
//! are few. Over the limit the holder of the most memory is evicted: its task frees the memory
//! when it runs.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use crate::runtime::sync::{Mutex, MutexGuard};

/// The memory of the connections of one loop, and its limit.
pub(crate) struct Budget {
    state: Mutex<State>,
}

struct State {
    /// In bytes, for all connections.
    limit: usize,
    used: usize,
    /// The holders that are not evicted, by the size they hold.
    holders: BTreeMap<(usize, u64), Arc<dyn Holder>>,
    /// The sizes of the evicted, which are to free their memory, and their sum.
    evicted: BTreeMap<u64, usize>,
    to_be_freed: usize,
    next_id: u64,
}

/// A connection that holds memory.
pub(crate) trait Holder: Send + Sync {
    /// Wakes the connection's task to release its memory.
    fn evict(&self);
}

/// The memory of one connection; dropping it counts the memory as freed.
pub(crate) struct Charge {
    budget: Arc<Budget>,
    holder: Arc<dyn Holder>,
    id: u64,
    size: usize,
}

impl Budget {
    /// Returns the limit in bytes; `None` is no limit.
    pub(crate) fn limit(&self) -> Option<usize> {
        let limit = self.lock().limit;
        (limit < usize::MAX).then_some(limit)
    }

    /// Sets the limit in bytes; it applies when a connection is about to hold more.
    pub(crate) fn set_limit(&self, limit: Option<usize>) {
        self.lock().limit = limit.unwrap_or(usize::MAX);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl Charge {
    /// Makes a charge of 0 bytes.
    pub(crate) fn new(budget: &Arc<Budget>, holder: Arc<dyn Holder>) -> Self {
        let mut state = budget.lock();
        let id = state.next_id;
        state.next_id += 1;
        state.holders.insert((0, id), Arc::clone(&holder));
        drop(state);
        Self { budget: Arc::clone(budget), holder, id, size: 0 }
    }

    /// Returns the size that was set last, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Sets the connection's size in bytes; returns whether it may hold that.
    ///
    /// It may not when the sum exceeds the limit and no other connection holds more. Those that
    /// hold more are evicted. Their memory is freed when their tasks run; while the sum
    /// exceeds twice the limit because of that, no connection may grow.
    pub(crate) fn set(&mut self, size: usize) -> bool {
        let mut state = self.budget.lock();
        let before = mem::replace(&mut self.size, size);
        state.used = state.used - before + size;
        if let Some(evicted) = state.evicted.get_mut(&self.id) {
            *evicted = size;
            state.to_be_freed = state.to_be_freed - before + size;
            return size <= before;
        }
        state.holders.remove(&(before, self.id));
        state.holders.insert((size, self.id), Arc::clone(&self.holder));
        let mut evicted = Vec::new();
        let mut may_hold = state.used / 2 <= state.limit;
        while state.used - state.to_be_freed > state.limit {
            let Some(last) = state.holders.last_entry() else { break };
            let &(held, id) = last.key();
            if id == self.id {
                may_hold = false;
                break;
            }
            evicted.push(last.remove());
            state.evicted.insert(id, held);
            state.to_be_freed += held;
        }
        drop(state);
        for holder in evicted {
            holder.evict();
        }
        may_hold || size <= before
    }

    /// Evicts the connection, as another one that needs the memory would.
    pub(crate) fn evict(&self) {
        let mut state = self.budget.lock();
        if state.holders.remove(&(self.size, self.id)).is_some() {
            state.evicted.insert(self.id, self.size);
            state.to_be_freed += self.size;
        }
        drop(state);
        self.holder.evict();
    }

    /// Returns whether the connection is to release its memory.
    pub(crate) fn is_evicted(&self) -> bool {
        self.budget.lock().evicted.contains_key(&self.id)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut state = self.budget.lock();
        state.used -= self.size;
        if state.evicted.remove(&self.id).is_some() {
            state.to_be_freed -= self.size;
        }
        let holder = state.holders.remove(&(self.size, self.id));
        drop(state);
        drop(holder);
    }
}

impl Default for Budget {
    fn default() -> Self {
        let state = State {
            limit: DEFAULT_LIMIT,
            used: 0,
            holders: BTreeMap::new(),
            evicted: BTreeMap::new(),
            to_be_freed: 0,
            next_id: 0,
        };
        Self { state: Mutex::new(state) }
    }
}

/// 16 times the default output limit of a socket.
const DEFAULT_LIMIT: usize = 256 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts how often it was evicted.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Count {
        fn get(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    impl Holder for Count {
        fn evict(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn holder(budget: &Arc<Budget>) -> (Charge, Arc<Count>) {
        let count = Arc::new(Count::default());
        (Charge::new(budget, Arc::clone(&count) as Arc<dyn Holder>), count)
    }

    fn budget(limit: usize) -> Arc<Budget> {
        let budget = Arc::new(Budget::default());
        budget.set_limit(Some(limit));
        budget
    }

    #[test]
    fn the_one_that_holds_most_is_evicted_once() {
        let budget = budget(100);
        let ((mut big, big_count), (mut small, small_count)) = (holder(&budget), holder(&budget));
        assert!(big.set(60) && small.set(40) && !big.is_evicted());

        assert!(small.set(41) && small.set(42));

        assert!(big.is_evicted() && !small.is_evicted());
        assert_eq!((big_count.get(), small_count.get()), (1, 0));
        assert!(!big.set(61) && big.set(10));
        drop(big);
        assert!(small.set(100) && !small.set(101));
    }

    #[test]
    fn the_one_that_holds_most_may_not_hold_more() {
        let budget = budget(100);
        let ((mut big, count), (mut small, _)) = (holder(&budget), holder(&budget));
        assert!(big.set(60) && small.set(40));

        assert!(!big.set(61));
        assert!(big.set(60));

        assert!(!big.is_evicted() && count.get() == 0);
        drop(small);
        assert!(big.set(100));
    }

    #[test]
    fn evicted_connections_do_not_let_the_others_hold_more_than_twice_the_limit() {
        let budget = budget(100);
        let (mut holders, mut held) = (Vec::new(), 0);
        for _ in 0..100 {
            let (mut charge, _) = holder(&budget);
            if charge.set(30) {
                held += 30;
                holders.push(charge);
            }
        }

        assert!((70..=202).contains(&held), "{held}");
        drop(holders);
        assert_eq!(budget.lock().used, 0);
        assert!(budget.lock().holders.is_empty() && budget.lock().evicted.is_empty());
    }

    #[test]
    fn without_a_limit_everything_may_be_held() {
        let budget = budget(1);
        budget.set_limit(None);
        let (mut charge, _) = holder(&budget);

        assert!(charge.set(usize::MAX / 2));
        assert_eq!(budget.limit(), None);
    }
}
