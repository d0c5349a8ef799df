//! What the tests share: a record of what slots were called with.

use std::cell::RefCell;
use std::rc::Rc;

/// What slots have written down, in order.
#[derive(Debug)]
pub(crate) struct Record<V>(Rc<RefCell<Vec<V>>>);

impl<V: 'static> Record<V> {
    pub(crate) fn new() -> Self {
        Self(Rc::default())
    }

    pub(crate) fn add(&self, value: V) {
        self.0.borrow_mut().push(value);
    }

    /// Returns what was written since the last call.
    pub(crate) fn take(&self) -> Vec<V> {
        self.0.take()
    }

    /// Returns how many handles to this record there are: slots that are dropped drop theirs.
    pub(crate) fn handles(&self) -> usize {
        Rc::strong_count(&self.0)
    }
}

impl<V> Clone for Record<V> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}
