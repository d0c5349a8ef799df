//! The nesting limit of event loops in a thread.
//!
//! A slot that runs a loop may be called again inside that loop, for the next message of another
//! peer. Without a limit, peers could exhaust the stack.

use std::cell::Cell;
use std::hint::black_box;
use std::marker::PhantomData;
use std::ptr;

use crate::sync::thread_local;

/// Sets the maximum nesting depth of loops in slots of the calling thread.
///
/// The default is 100; the outermost loop does not count. The stack is limited too, to 10 KiB times
/// the limit and at least 1 MB, so slots with large frames reach it earlier. The default fits into
/// the 2 MiB stack of a thread; a higher limit needs a larger stack.
///
/// The limit applies to [`process_events`], polls of a [`dispatch`] future, the wait of a
/// [`SignalSpy`], and event loops of this thread. Beyond it a loop is refused, with a warning in
/// the log: `process_events` does nothing, a spy returns an error at once, a `dispatch` future
/// panics.
///
/// # Qt
///
/// Qt has no counterpart: nested `QEventLoop`s overflow the stack.
///
/// # Examples
///
/// ```
/// use slotwork_signals::{Signal, max_nesting, process_events, set_max_nesting};
///
/// set_max_nesting(1);
/// assert_eq!(max_nesting(), 1);
///
/// let changed = Signal::<i32>::new();
/// changed.queued().connect(|value| println!("{value}: {} inside", process_events()));
/// (1..=3).for_each(|value| changed.emit(&value));
/// // The slot of 1 runs those of 2 and 3, in which no further loop may run.
/// assert_eq!(process_events(), 1);
/// ```
///
/// [`process_events`]: crate::process_events
/// [`dispatch`]: crate::dispatch
/// [`SignalSpy`]: crate::SignalSpy
pub fn set_max_nesting(limit: usize) {
    let _ = LIMIT.try_with(|current| current.set(limit));
}

/// Returns the maximum nesting depth of loops in slots of the calling thread.
///
/// # Qt
///
/// Qt has no counterpart.
pub fn max_nesting() -> usize {
    LIMIT.try_with(Cell::get).unwrap_or(DEFAULT_LIMIT)
}

/// Sets the maximum stack of the loops in slots of the calling thread, in bytes.
///
/// For a thread with a small stack. The limit of [`set_max_nesting`] stays. `None` is no further limit.
pub fn limit_nesting_stack(bytes: Option<usize>) {
    let _ = STACK.try_with(|current| current.set(bytes.unwrap_or(usize::MAX)));
}

/// A loop that counts as running in this thread until this is dropped.
#[derive(Debug)]
#[must_use = "the loop counts as ended when this is dropped"]
pub struct RunningLoop(PhantomData<*const ()>);

impl RunningLoop {
    /// Counts a loop; returns `None`, and logs a warning, at the nesting limit.
    #[inline]
    pub fn begin() -> Option<Self> {
        let begin = |running: &Cell<Running>| {
            let Running { count, outermost } = running.get();
            let outermost = if count == 0 { stack_address() } else { outermost };
            let may_begin = count == 0 || has_room(count, outermost);
            if may_begin {
                running.set(Running { count: count + 1, outermost });
            }
            may_begin
        };
        RUNNING.try_with(begin).unwrap_or(true).then(|| Self(PhantomData))
    }
}

impl Drop for RunningLoop {
    #[inline]
    fn drop(&mut self) {
        let end = |running: &Cell<Running>| {
            let Running { count, outermost } = running.get();
            running.set(Running { count: count.saturating_sub(1), outermost });
        };
        let _ = RUNNING.try_with(end);
    }
}

/// Returns whether a further loop may run; logs a warning if not.
pub(crate) fn may_begin() -> bool {
    let Running { count, outermost } = RUNNING.try_with(Cell::get).unwrap_or_default();
    count == 0 || has_room(count, outermost)
}

/// Returns whether a loop may run inside `count` others; logs a warning if not.
#[cold]
fn has_room(count: usize, outermost: usize) -> bool {
    let limit = max_nesting();
    let stack = outermost.abs_diff(stack_address());
    let is_in_stack = stack < STACK.try_with(Cell::get).unwrap_or(usize::MAX);
    let has_room =
        count <= limit && is_in_stack && stack / STACK_PER_LOOP < limit.max(DEFAULT_LIMIT);
    if !has_room {
        let inside = count - 1;
        log::warn!(
            "a loop in a slot was refused at nesting depth {inside} ({stack} bytes of stack)"
        );
    }
    has_room
}

/// Returns the approximate address of the top of the stack.
fn stack_address() -> usize {
    let here = 0_u8;
    ptr::from_ref(black_box(&here)).addr()
}

/// The loops that run in a thread.
#[derive(Clone, Copy, Default)]
struct Running {
    count: usize,
    /// The top of the stack when the outermost loop began.
    outermost: usize,
}

thread_local! {
    static RUNNING: Cell<Running> = const { Cell::new(Running { count: 0, outermost: 0 }) };
    static LIMIT: Cell<usize> = const { Cell::new(DEFAULT_LIMIT) };
    static STACK: Cell<usize> = const { Cell::new(usize::MAX) };
}

const DEFAULT_LIMIT: usize = 100;
/// The stack for one loop.
///
/// A socket's slot that runs a loop takes 8 KiB in debug builds; one in a TLS handshake 130 KiB.
const STACK_PER_LOOP: usize = 10 * 1024;
