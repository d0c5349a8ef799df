//! Waiting for a condition that slots of this thread change.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::queue::dispatch::process_events;
#[cfg(not(target_family = "wasm"))]
use crate::sync::Listener;
use crate::sync::thread_local;
#[cfg(not(target_family = "wasm"))]
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
/// The default runs the thread's queue, and sleeps while it is empty. On WebAssembly a wait runs the
/// queue until it is empty, and no other waiter is called: there is no thread that could add to it.
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

/// Runs slots until `is_done`, for `timeout` at most; returns `is_done`.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn wait_within(timeout: Duration, is_done: &dyn Fn() -> bool) -> bool {
    wait_until(deadline_after(timeout), is_done)
}

/// Runs slots until `is_done`, or none is queued; returns `is_done`.
///
/// A browser's thread may not sleep, and without threads none is queued meanwhile. There may be no
/// clock either.
#[cfg(target_family = "wasm")]
pub(crate) fn wait_within(_timeout: Duration, is_done: &dyn Fn() -> bool) -> bool {
    while !is_done() && process_events() > 0 {}
    is_done()
}

/// Returns the deadline of a `timeout` that begins now.
#[cfg(not(target_family = "wasm"))]
fn deadline_after(timeout: Duration) -> Instant {
    let now = Instant::now();
    // Beyond the range of the clock: as good as no deadline.
    now.checked_add(timeout).unwrap_or(now + FOR_EVER)
}

/// Runs this thread's slots until `is_done` or `deadline`; returns `is_done`.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn wait_until(deadline: Instant, is_done: &dyn Fn() -> bool) -> bool {
    let waiter = WAITER.try_with(|current| current.borrow().clone()).ok().flatten();
    match waiter {
        Some(waiter) => waiter(deadline, is_done),
        None => run_and_sleep(deadline, is_done),
    }
    is_done()
}

/// Runs the thread's queue and sleeps while it is empty.
#[cfg(not(target_family = "wasm"))]
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
#[cfg(not(target_family = "wasm"))]
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
