//! Waiting for a condition that slots of this thread change.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::queue::dispatch::process_events;
use crate::sync::{Listener, thread_local};
use crate::thread::thread_state;

/// A function that waits until a deadline or a condition.
type Waiter = dyn Fn(Instant, &dyn Fn() -> bool);

/// Sets the function with which this thread waits for its slots.
///
/// [`SignalSpy::wait_for`](crate::SignalSpy) uses it. An event loop installs itself here, so that
/// its timers and sockets work while a test waits. The waiter gets a deadline and a condition; it
/// runs the loop until the condition holds or the deadline has passed. Only slots of this thread
/// change the condition: one check in each turn of the loop is enough.
///
/// The default runs the thread's queue, and sleeps while it is empty.
///
/// # Qt
///
/// `QSignalSpy::wait()` runs a `QEventLoop`.
///
/// # Examples
///
/// ```
/// use std::time::Instant;
///
/// use slotwork_signals::{Signal, SignalSpy, process_events, set_waiter};
///
/// set_waiter(|deadline, is_done| {
///     while !is_done() && Instant::now() < deadline {
///         process_events();
///     }
/// });
///
/// let signal = Signal::<i32>::new();
/// let spy = SignalSpy::new(&signal);
/// signal.emit(&1);
/// assert!(spy.wait_for(1).is_ok());
/// ```
pub fn set_waiter(waiter: impl Fn(Instant, &dyn Fn() -> bool) + 'static) {
    let before = WAITER.try_with(|current| current.replace(Some(Rc::new(waiter))));
    drop(before);
}

/// Returns the deadline of a `timeout` that begins now.
pub(crate) fn deadline_after(timeout: Duration) -> Instant {
    let now = Instant::now();
    // Beyond the range of the clock: as good as no deadline.
    now.checked_add(timeout).unwrap_or(now + FOR_EVER)
}

/// Runs this thread's slots until `is_done` or `deadline`; returns `is_done`.
pub(crate) fn wait_until(deadline: Instant, is_done: &dyn Fn() -> bool) -> bool {
    let waiter = WAITER.try_with(|current| current.borrow().clone()).ok().flatten();
    match waiter {
        Some(waiter) => waiter(deadline, is_done),
        None => run_and_sleep(deadline, is_done),
    }
    is_done()
}

/// Runs the thread's queue and sleeps while it is empty.
fn run_and_sleep(deadline: Instant, is_done: &dyn Fn() -> bool) {
    let Some(mailbox) = thread_state::mailbox() else { return };
    while !is_done() && Instant::now() < deadline {
        let listener = mailbox.wake_up().listen();
        // Made before the queue is checked, so that no post is missed.
        if thread_state::has_posts() {
            process_events();
        } else {
            listener.wait_deadline(deadline);
        }
    }
}

thread_local! {
    static WAITER: RefCell<Option<Rc<Waiter>>> = const { RefCell::new(None) };
}

/// A century.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
