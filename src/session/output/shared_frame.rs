//! The shared frame of a thread: a message that many connections send at the end of the loop's turn.
//!
//! A broadcast sends one frame to connections of which most have no other output. Those need no
//! queue, and no share of the message: the flush list of the thread writes the frame to each. What
//! else a connection does with its output first moves the frame to its queue.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// Lends the frame to one connection more; false while connections have another one.
#[inline]
pub(crate) fn lend(frame: &Arc<[u8]>) -> bool {
    let lend = |shared: &SharedFrame| {
        let is_lent = match &*shared.frame.borrow() {
            Some(current) => Arc::ptr_eq(current, frame),
            None => false,
        };
        if !is_lent {
            if shared.borrowers.get() > 0 {
                return false;
            }
            shared.frame.replace(Some(Arc::clone(frame)));
        }
        shared.borrowers.set(shared.borrowers.get() + 1);
        true
    };
    // At the thread's end the queue takes it.
    SHARED.try_with(lend).unwrap_or(false)
}

/// Passes the frame to `take`, and takes it back from one connection.
///
/// Returns `None` at the thread's end, when no connection has it.
#[inline]
pub(crate) fn take_back<T>(take: impl FnOnce(&Arc<[u8]>) -> T) -> Option<T> {
    let take_back = |shared: &SharedFrame| {
        let taken = shared.frame.borrow().as_ref().map(take);
        shared.borrowers.set(shared.borrowers.get().saturating_sub(1));
        if shared.borrowers.get() == 0 {
            shared.frame.take();
        }
        taken
    };
    SHARED.try_with(take_back).ok().flatten()
}

struct SharedFrame {
    frame: RefCell<Option<Arc<[u8]>>>,
    /// How many connections have it.
    borrowers: Cell<usize>,
}

thread_local! {
    static SHARED: SharedFrame =
        const { SharedFrame { frame: RefCell::new(None), borrowers: Cell::new(0) } };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_is_kept_until_the_last_connection_gives_it_back() {
        let (first, second): (Arc<[u8]>, Arc<[u8]>) = (Arc::new([1]), Arc::new([2]));
        assert!(lend(&first) && lend(&first));
        assert!(!lend(&second), "connections have the first one");

        assert_eq!(take_back(|frame| frame.to_vec()), Some(vec![1]));
        assert!(!lend(&second), "a connection has the first one");
        assert_eq!(take_back(|frame| frame.to_vec()), Some(vec![1]));
        assert_eq!(Arc::strong_count(&first), 1);

        assert!(lend(&second));
        assert_eq!(take_back(|frame| frame.to_vec()), Some(vec![2]));
    }
}
