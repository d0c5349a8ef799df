//! Delivery guards, which keep senders alive during queued calls.

use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::Poll;

/// Follows one queued call, or one run of an async slot, for the sender.
///
/// It is made when the call is queued and dropped after it: when the slot has returned, the async
/// slot has completed, or the call was dropped because the receiver's thread has ended. Senders use
/// it for back-pressure, or to react to panics of slots. Most need only [`SharedSender::new`],
/// which keeps the sender alive meanwhile.
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
/// /// Counts the pending calls.
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
    fn begin(&mut self) {}

    /// Called when an async slot is pending for the first time.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    fn suspend(&mut self) {}

    /// Called in the slot's thread when the slot has panicked.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    fn panicked(&mut self) {}
}

/// A sender that is kept alive by queued calls.
///
/// It holds the sender weakly itself. [`Handle::shared`](crate::Handle::shared) returns one for
/// handles that are `Send`.
///
/// # Qt
///
/// Qt has no counterpart: it delivers queued calls of a deleted sender, without the sender.
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
    /// Returns a sender with a custom guard for each queued call.
    ///
    /// `guard` gets the owned value of the call, such as a `String` for a `Signal<str>`, and
    /// returns the guard of the call, or `None` if the sender is dropped. It must hold the sender
    /// weakly, and the returned guard must hold it strongly.
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

    /// Returns the guard of a call with `value`.
    pub(crate) fn guard(&self, value: &dyn Any) -> Option<Box<dyn DeliveryGuard + Send>> {
        (self.guard)(value)
    }
}

impl fmt::Debug for SharedSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSender").finish_non_exhaustive()
    }
}

/// The guard of a queued call, or `()` for none.
pub(crate) trait CallGuard: Send {
    /// Runs a call taken from the queue.
    fn run(&mut self, call: impl FnOnce());
}

impl CallGuard for () {
    fn run(&mut self, call: impl FnOnce()) {
        call();
    }
}

impl CallGuard for Box<dyn DeliveryGuard + Send> {
    fn run(&mut self, call: impl FnOnce()) {
        self.begin();
        report_panic(&mut **self, call);
    }
}

/// Runs an async slot with a guard.
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
