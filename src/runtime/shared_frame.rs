//! The shared frame of a thread: a message that many connections send.
//!
//! They send it at the end of the loop's turn. A broadcast sends one frame to connections of which
//! most have no other output. Those need no queue, and no share of the message: the flush list of the
//! thread writes the frame to each. Before anything else uses such a connection, in any thread, it
//! takes the frame into its queue.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use crate::runtime::sync::{Mutex, Ordering};

/// The frame of one thread, as its connections reach it from all threads.
#[derive(Default)]
pub(crate) struct SharedFrame {
    /// It stays until the next one if all connections have taken it.
    frame: Mutex<Option<Arc<[u8]>>>,
    /// How many connections have taken the frame into their queues.
    taken: AtomicUsize,
}

impl SharedFrame {
    /// Lends a frame to one connection more; false while others still have another one.
    ///
    /// Only on the thread whose frame this is.
    #[inline]
    pub(crate) fn lend(self: &Arc<Self>, frame: &Arc<[u8]>) -> bool {
        let lend = |lent: &Lent| {
            let is_other = |current: &Current| !Arc::ptr_eq(&current.frame, frame);
            if lent.current.borrow().as_ref().is_none_or(is_other) {
                if lent.has_borrowers() {
                    return false;
                }
                lent.end();
                lent.begin(self, frame);
            }
            lent.count.set(lent.count.get() + 1);
            true
        };
        // At the thread's end the queue takes it.
        LENT.try_with(lend).unwrap_or(false)
    }

    /// Takes the frame for the queue of a borrower; in any thread.
    pub(crate) fn take(&self) -> Option<Arc<[u8]>> {
        let frame = self.frame.lock().clone();
        // Behind the look at the frame, which another one may replace from now on.
        self.taken.fetch_add(1, Ordering::Release);
        frame
    }

    #[inline]
    fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }
}

/// Passes the frame of this thread to `write`, for a connection that gives it back.
///
/// Returns `None` at the thread's end: the connection has to [take](SharedFrame::take) it.
#[inline]
pub(crate) fn give_back<T>(write: impl FnOnce(&Arc<[u8]>) -> T) -> Option<T> {
    let give_back = |lent: &Lent| {
        let current = lent.current.borrow();
        let Current { frame, shared } = current.as_ref()?;
        let borrower = Borrower(&lent.count);
        let written = write(frame);
        drop(borrower);
        if lent.count.get() == shared.taken() {
            drop(current);
            lent.end();
        }
        Some(written)
    };
    LENT.try_with(give_back).ok().flatten()
}

/// What the thread itself knows of its frame.
struct Lent {
    current: RefCell<Option<Current>>,
    /// How many connections have borrowed the frame, those included that have taken it.
    count: Cell<usize>,
}

struct Current {
    frame: Arc<[u8]>,
    shared: Arc<SharedFrame>,
}

impl Lent {
    fn has_borrowers(&self) -> bool {
        let current = self.current.borrow();
        self.count.get() != current.as_ref().map_or(0, |current| current.shared.taken())
    }

    fn begin(&self, shared: &Arc<SharedFrame>, frame: &Arc<[u8]>) {
        *shared.frame.lock() = Some(Arc::clone(frame));
        self.current
            .replace(Some(Current { frame: Arc::clone(frame), shared: Arc::clone(shared) }));
    }

    /// Drops the frame, which no connection has any more.
    fn end(&self) {
        self.count.set(0);
        if let Some(Current { shared, .. }) = self.current.take() {
            shared.frame.lock().take();
            shared.taken.store(0, Ordering::Relaxed);
        }
    }
}

/// A connection that gives the frame back, also when writing panics.
struct Borrower<'l>(&'l Cell<usize>);

impl Drop for Borrower<'_> {
    fn drop(&mut self) {
        let Self(count) = self;
        count.set(count.get() - 1);
    }
}

thread_local! {
    static LENT: Lent = const {
        Lent { current: RefCell::new(None), count: Cell::new(0) }
    };
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn frame(byte: u8) -> Arc<[u8]> {
        Arc::new([byte])
    }

    fn give_back_bytes() -> Option<Vec<u8>> {
        give_back(|frame| frame.to_vec())
    }

    #[test]
    fn the_frame_is_kept_until_the_last_connection_gives_it_back() {
        let shared = Arc::<SharedFrame>::default();
        let (first, second) = (frame(1), frame(2));
        assert!(shared.lend(&first) && shared.lend(&first));
        assert!(!shared.lend(&second), "connections have the first one");

        assert_eq!(give_back_bytes(), Some(vec![1]));
        assert!(!shared.lend(&second), "a connection has the first one");
        assert_eq!(give_back_bytes(), Some(vec![1]));
        assert_eq!(Arc::strong_count(&first), 1);

        assert!(shared.lend(&second));
        assert_eq!(give_back_bytes(), Some(vec![2]));
    }

    #[test]
    fn connections_may_take_the_frame_in_any_thread() {
        let shared = Arc::<SharedFrame>::default();
        let (first, second) = (frame(1), frame(2));
        for _ in 0..3 {
            assert!(shared.lend(&first));
        }

        assert_eq!(shared.take().as_deref(), Some(&[1][..]));
        assert!(!shared.lend(&second), "connections have the first one");
        assert_eq!(give_back_bytes(), Some(vec![1]));
        let taken = thread::scope(|scope| scope.spawn(|| shared.take()).join()).unwrap();
        assert_eq!(taken.as_deref(), Some(&[1][..]));

        assert!(shared.lend(&second), "no connection has the first one");
        assert_eq!(give_back_bytes(), Some(vec![2]));
    }

    /// A connection that was not flushed any more still has its message, as a loss.
    #[test]
    fn the_end_of_the_thread_leaves_the_frame_to_connections() {
        let shared = Arc::<SharedFrame>::default();
        let frame = frame(1);
        let is_lent = thread::scope(|scope| scope.spawn(|| shared.lend(&frame)).join()).unwrap();

        assert!(is_lent);
        assert_eq!(shared.take(), Some(frame));
    }

    #[test]
    fn a_write_that_panics_gives_the_frame_back() {
        let shared = Arc::<SharedFrame>::default();
        let (first, second) = (frame(1), frame(2));
        assert!(shared.lend(&first));

        let write = || give_back(|_frame| -> () { panic!("a stream") });
        assert!(std::panic::catch_unwind(write).is_err());

        assert!(shared.lend(&second));
        assert_eq!(give_back_bytes(), Some(vec![2]));
    }
}
