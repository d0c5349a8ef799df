//! Waiting for something that a slot of this thread does.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::queue::dispatch::process_events;
use crate::sync::{Listener, thread_local};
use crate::thread::thread_state;

/// What [`set_waiter`] installs: it gets a deadline and what is waited for.
type Waiter = dyn Fn(Instant, &dyn Fn() -> bool);

/// Sets how this thread waits for its slots, as [`SignalSpy::wait_for`](crate::SignalSpy) does.
///
/// An event loop installs itself here, so that its timers and sockets work while a test waits. The
/// waiter gets a deadline and a condition; it runs the loop until the condition holds or the
/// deadline is over, and then returns. The condition changes only by slots that run in this thread:
/// it needs to be asked no more than once in each turn.
///
/// Without a waiter, the thread's queue is run and the thread sleeps in between.
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

/// Returns the instant at which `timeout` is over, if it begins now.
pub(crate) fn deadline_after(timeout: Duration) -> Instant {
    let now = Instant::now();
    // A time that the clock cannot hold is as good as for ever.
    now.checked_add(timeout).unwrap_or(now + FOR_EVER)
}

/// Runs this thread's slots until `is_done` or `deadline`; returns whether it is done.
pub(crate) fn wait_until(deadline: Instant, is_done: &dyn Fn() -> bool) -> bool {
    let waiter = WAITER.try_with(|current| current.borrow().clone()).ok().flatten();
    match waiter {
        Some(waiter) => waiter(deadline, is_done),
        None => run_queue(deadline, is_done),
    }
    is_done()
}

/// Runs the thread's queue and sleeps while it is empty.
fn run_queue(deadline: Instant, is_done: &dyn Fn() -> bool) {
    let Some(mailbox) = thread_state::mailbox() else { return };
    while !is_done() && Instant::now() < deadline {
        let listener = mailbox.wake_up().listen();
        // Listened first and looked then, so that no post comes in between.
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
