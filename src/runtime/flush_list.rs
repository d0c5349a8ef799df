//! The flush list of a thread: connections with output that is written together.
//!
//! What is sent outside a connection's own turn, as a broadcast is, needs no turn of each
//! connection: one task of the thread writes the output of all that are in the list.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::runtime::panics;

/// A connection with output.
pub(crate) trait Flush {
    /// Writes the output that waits, or has the connection's own task do it.
    fn flush(&self);
    /// Has the connection's own task write the output.
    fn leave_to_task(&self);
}

/// The list of one thread.
struct FlushList {
    connections: RefCell<Vec<Arc<dyn Flush>>>,
    /// The task that flushes: none before its first turn, and after its end.
    task: RefCell<Option<Waker>>,
    /// The task was woken and has not run yet; false without one.
    is_woken: Cell<bool>,
}

/// Adds a connection of this thread, to be flushed behind the ready tasks.
///
/// Returns false, and does nothing, without a task that flushes.
pub(crate) fn add(connection: &Arc<impl Flush + 'static>) -> bool {
    let is_awake = wake();
    if is_awake {
        add_owned(Arc::clone(connection));
    }
    is_awake
}

/// Wakes the task that flushes, for connections that [`add_owned`] adds.
///
/// Returns false, and does nothing, without such a task.
pub(crate) fn wake() -> bool {
    FLUSH_LIST.try_with(|list| list.is_woken.get() || list.wake()).unwrap_or(false)
}

/// Adds a connection of this thread as [`add`] does, once the task was woken.
///
/// The handle is moved into the list, and not counted once more.
pub(crate) fn add_owned(connection: Arc<impl Flush + 'static>) {
    let _ = FLUSH_LIST.try_with(|list| list.connections.borrow_mut().push(connection));
}

/// Flushes the connections of this thread's list for ever; the body of a task.
pub(crate) async fn flush_listed() {
    let _end = End;
    poll_fn(|cx| {
        // At the thread's end the list is gone, and with it the output.
        let _ = FLUSH_LIST.try_with(|list| list.flush(cx.waker()));
        Poll::<()>::Pending
    })
    .await;
}

impl FlushList {
    /// Wakes the task that flushes, if there is one.
    fn wake(&self) -> bool {
        let task = self.task.borrow();
        let Some(task) = &*task else { return false };
        self.is_woken.set(true);
        task.wake_by_ref();
        true
    }

    fn flush(&self, waker: &Waker) {
        self.is_woken.set(false);
        if self.task.borrow().is_none() {
            self.task.replace(Some(waker.clone()));
        }
        let mut connections = self.connections.take();
        // To look for slots may drop those that have ended, and the last handle drops all. Either
        // may call the program: the handles are dropped once everything is written.
        for connection in &connections {
            if !panics::catch("the end of a slot", || connection.flush()) {
                connection.leave_to_task();
            }
        }
        for connection in connections.drain(..) {
            panics::catch("the end of a slot", || drop(connection));
        }
        // The allocation is used again, unless connections were added meanwhile.
        if connections.capacity() <= MAX_KEPT && self.connections.borrow().is_empty() {
            self.connections.replace(connections);
        }
    }
}

/// Flushes the list a last time when its task ends: nothing would do it any more.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        let ended = FLUSH_LIST.try_with(|list| {
            list.is_woken.set(false);
            (list.task.take(), list.connections.take())
        });
        for connection in ended.into_iter().flat_map(|(_task, connections)| connections) {
            panics::catch("the end of a slot", || connection.flush());
            panics::catch("the end of a slot", || drop(connection));
        }
    }
}

thread_local! {
    static FLUSH_LIST: FlushList = const {
        FlushList {
            connections: RefCell::new(Vec::new()),
            task: RefCell::new(None),
            is_woken: Cell::new(false),
        }
    };
}

/// The maximum room of the list that is kept for the next connections.
const MAX_KEPT: usize = 4096;

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Context;

    use super::*;
    use crate::testing::Count;

    #[derive(Default)]
    struct Flushes(AtomicUsize);

    impl Flush for Flushes {
        fn flush(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }

        fn leave_to_task(&self) {
            unreachable!("no flush panics");
        }
    }

    /// A connection whose flush panics.
    #[derive(Default)]
    struct Panics(AtomicUsize);

    impl Flush for Panics {
        fn flush(&self) {
            panic!("the end of a slot");
        }

        fn leave_to_task(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Otherwise its output would wait for the peer to send something.
    #[test]
    fn a_flush_that_panics_is_left_to_the_task_of_its_connection() {
        let (first, second) = (Arc::<Panics>::default(), Arc::<Flushes>::default());
        let mut task = pin!(flush_listed());
        let _: Poll<()> = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(add(&first) && add(&second));

        let _: Poll<()> = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));

        assert_eq!((first.0.load(Ordering::Relaxed), second.0.load(Ordering::Relaxed)), (1, 1));
        assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 1));
    }

    #[test]
    fn one_wake_up_of_the_task_flushes_all_connections() {
        let connections = [(); 3].map(|()| Arc::<Flushes>::default());
        assert!(!add(&connections[0]), "there is no task yet");
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut task = pin!(flush_listed());
        let _: Poll<()> = task.as_mut().poll(&mut Context::from_waker(&waker));

        let are_added = connections.iter().all(add);
        assert!(are_added && count.get() == 1);
        let _: Poll<()> = task.as_mut().poll(&mut Context::from_waker(&waker));

        let flushes = connections.map(|it| (it.0.load(Ordering::Relaxed), Arc::strong_count(&it)));
        assert_eq!(flushes, [(1, 1); 3]);
    }

    #[test]
    fn the_end_of_the_task_flushes_and_drops_the_list() {
        let connection = Arc::<Flushes>::default();
        {
            let mut task = Box::pin(flush_listed());
            let _: Poll<()> = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(add(&connection));
        }

        assert_eq!(connection.0.load(Ordering::Relaxed), 1);
        assert_eq!(Arc::strong_count(&connection), 1);
        assert!(!add(&connection));
    }
}
