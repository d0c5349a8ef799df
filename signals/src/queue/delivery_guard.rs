//! What a queued call carries of its sender: the sender itself, and a guard that follows the call.

use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::Poll;

/// Follows one queued call, or one run of an async slot, for the sender of the signal.
///
/// It is made when the call is queued and dropped when the call is over: the slot has returned, the
/// async slot has finished, or the call was dropped because the receiver's thread has ended. A
/// sender uses it to bound what waits for its slots, or to notice their panics; most senders need
/// only what [`SharedSender::new`] does, which is to stay alive meanwhile.
///
/// # Qt
///
/// Qt has no counterpart.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// use slotwork_signals::DeliveryGuard;
///
/// /// Counts the calls that wait.
/// struct Waiting(Arc<AtomicUsize>);
///
/// impl DeliveryGuard for Waiting {
///     fn begin(&mut self) {
///         self.0.fetch_sub(1, Ordering::Relaxed);
///     }
/// }
/// ```
pub trait DeliveryGuard {
    /// Called when the call leaves the queue, just before its slot runs.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::DeliveryGuard;
    ///
    /// struct Logged;
    ///
    /// impl DeliveryGuard for Logged {
    ///     fn begin(&mut self) {
    ///         println!("a slot runs");
    ///     }
    /// }
    /// ```
    fn begin(&mut self) {}

    /// Called when an async slot waits for something for the first time.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::DeliveryGuard;
    ///
    /// struct Logged;
    ///
    /// impl DeliveryGuard for Logged {
    ///     fn suspend(&mut self) {
    ///         println!("a slot waits");
    ///     }
    /// }
    /// ```
    fn suspend(&mut self) {}

    /// Called when the slot has panicked, in the slot's thread; the panic then goes on.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::DeliveryGuard;
    ///
    /// struct Logged;
    ///
    /// impl DeliveryGuard for Logged {
    ///     fn panicked(&mut self) {
    ///         println!("a slot panicked");
    ///     }
    /// }
    /// ```
    fn panicked(&mut self) {}
}

/// A sender that calls queued for other threads keep alive.
///
/// It holds the sender weakly itself. [`Handle::shared`] returns one for senders that may leave
/// their thread.
///
/// # Qt
///
/// Qt has no counterpart: there a queued call is delivered without its sender when that is gone.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use slotwork_signals::SharedSender;
///
/// let sender = SharedSender::new(&Arc::new("sender"));
/// ```
pub struct SharedSender {
    guard: Box<MakeGuard>,
}

type MakeGuard = dyn Fn(&dyn Any) -> Option<Box<dyn DeliveryGuard + Send>> + Send + Sync;

impl SharedSender {
    /// Returns a sender whose queued calls have a guard of its own kind.
    ///
    /// `guard` gets the value that the call carries, an owned one such as a `String` of a
    /// `Signal<str>`, and returns what follows the call; `None` when the sender is gone. It must
    /// hold the sender weakly, and what it returns must hold it strongly.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use slotwork_signals::{DeliveryGuard, SharedSender};
    ///
    /// struct Meter;
    ///
    /// struct Metered {
    ///     _meter: Arc<Meter>,
    /// }
    ///
    /// impl DeliveryGuard for Metered {}
    ///
    /// let meter = Arc::new(Meter);
    /// let weak = Arc::downgrade(&meter);
    /// let sender = SharedSender::with_guard(move |_value| {
    ///     let guard: Box<dyn DeliveryGuard + Send> = Box::new(Metered { _meter: weak.upgrade()? });
    ///     Some(guard)
    /// });
    /// ```
    pub fn with_guard(
        guard: impl Fn(&dyn Any) -> Option<Box<dyn DeliveryGuard + Send>> + Send + Sync + 'static,
    ) -> Self {
        Self { guard: Box::new(guard) }
    }

    /// Returns what follows a call with `value`.
    pub(crate) fn guard(&self, value: &dyn Any) -> Option<Box<dyn DeliveryGuard + Send>> {
        (self.guard)(value)
    }
}

impl fmt::Debug for SharedSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSender").finish_non_exhaustive()
    }
}

/// What follows a call from the queue on: a guard, or nothing.
pub(crate) trait Guarding: Send {
    /// Runs a call that has left the queue.
    fn run(&mut self, call: impl FnOnce());
}

impl Guarding for () {
    fn run(&mut self, call: impl FnOnce()) {
        call();
    }
}

impl Guarding for Box<dyn DeliveryGuard + Send> {
    fn run(&mut self, call: impl FnOnce()) {
        self.begin();
        report_panic(&mut **self, call);
    }
}

/// Runs an async slot.
pub(crate) async fn await_guarded(
    mut guard: Box<dyn DeliveryGuard + Send>,
    slot: impl Future<Output = ()>,
) {
    let mut slot = pin!(slot);
    let mut is_first = true;
    poll_fn(|context| {
        if is_first {
            guard.begin();
        }
        let mut poll = Poll::Pending;
        report_panic(&mut *guard, || poll = slot.as_mut().poll(context));
        if poll.is_pending() && is_first {
            guard.suspend();
        }
        is_first = false;
        poll
    })
    .await;
}

fn report_panic(guard: &mut dyn DeliveryGuard, call: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
        guard.panicked();
        resume_unwind(payload);
    }
}
