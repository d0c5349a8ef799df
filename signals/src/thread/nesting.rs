//! How deep loops may run inside each other in a thread.
//!
//! A slot that runs a loop may be called again inside that loop, for the next message of another
//! peer. Without a limit, peers decide how much stack a thread needs.

use std::cell::Cell;
use std::hint::black_box;
use std::marker::PhantomData;
use std::ptr;

use crate::sync::thread_local;

/// Sets how many loops may run inside each other, in slots of the calling thread.
///
/// The default is 100; the outermost loop does not count. Slots that need much stack reach the limit
/// earlier: all loops inside the outermost one have 10 KiB for each that is allowed, at least 1 MB in
/// all. So the default fits into the 2 MiB of a thread, and a higher limit needs a thread with more.
///
/// It concerns [`process_events`], a
/// [`dispatch`] future that is polled, the wait of a [`SignalSpy`], and the loops of a host of this
/// thread's slots. Beyond the limit a loop is refused, and that is logged: `process_events` does
/// nothing, a spy returns an error at once, a `dispatch` future panics.
///
/// # Qt
///
/// There is none: nested `QEventLoop`s end a program when its stack is used up.
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
/// changed.connect_queued(|value| println!("{value}: {} inside", process_events()));
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

/// Returns how many loops may run inside each other, in slots of the calling thread.
///
/// # Qt
///
/// There is none.
///
/// # Examples
///
/// ```
/// assert_eq!(slotwork_signals::max_nesting(), 100);
/// ```
pub fn max_nesting() -> usize {
    LIMIT.try_with(Cell::get).unwrap_or(DEFAULT_LIMIT)
}

/// A loop that runs in this thread, until this is dropped.
#[derive(Debug)]
#[must_use = "the loop counts as ended when this is dropped"]
pub struct RunningLoop(PhantomData<*const ()>);

impl RunningLoop {
    /// Counts a loop; `None`, which is logged, when too many run already.
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

/// Returns whether one more loop may run; that none may is logged.
pub(crate) fn may_begin() -> bool {
    let Running { count, outermost } = RUNNING.try_with(Cell::get).unwrap_or_default();
    count == 0 || has_room(count, outermost)
}

/// Returns whether another loop may run inside `count` others; that none may is logged.
#[cold]
fn has_room(count: usize, outermost: usize) -> bool {
    let limit = max_nesting();
    let stack = outermost.abs_diff(stack_address());
    let has_room = count <= limit && stack / STACK_PER_LOOP < limit.max(DEFAULT_LIMIT);
    if !has_room {
        let inside = count - 1;
        log::warn!("a loop in a slot was refused: {inside} run inside each other ({stack} bytes)");
    }
    has_room
}

/// Returns where the stack ends now, roughly.
fn stack_address() -> usize {
    let here = 0_u8;
    ptr::from_ref(black_box(&here)).addr()
}

/// The loops that run in a thread.
#[derive(Clone, Copy, Default)]
struct Running {
    count: usize,
    /// Where the stack ended when the outermost of them began.
    outermost: usize,
}

thread_local! {
    static RUNNING: Cell<Running> = const { Cell::new(Running { count: 0, outermost: 0 }) };
    static LIMIT: Cell<usize> = const { Cell::new(DEFAULT_LIMIT) };
}

const DEFAULT_LIMIT: usize = 100;
/// A socket's slot that runs a loop takes 8 KiB in debug builds; one inside a TLS handshake 130.
const STACK_PER_LOOP: usize = 10 * 1024;
