//! Signal spies: recording emissions in tests.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::connection::scoped::ScopedConnection;
use crate::queue::wait::wait_within;
use crate::spy::spied::Spied;
use crate::thread::nesting::may_begin;

pub(crate) mod spied;

/// Records the values that a signal is emitted with, and waits for them.
///
/// Emissions of other threads are recorded when this thread runs its queue, as it does in
/// [`wait_for`](Self::wait_for).
///
/// # Qt
///
/// `QSignalSpy`. It counts from its creation, or the last [`clear`](Self::clear) or
/// [`take`](Self::take); `wait_for` waits for a number of emissions, not for one more.
///
/// # Examples
///
/// ```
/// use slotwork_signals::{Signal, SignalSpy};
///
/// # fn main() -> Result<(), slotwork_signals::SpyTimeout> {
/// let text_received = Signal::<str>::new();
/// let spy = SignalSpy::new(&text_received);
///
/// std::thread::scope(|scope| {
///     scope.spawn(|| text_received.emit("hello"));
/// });
///
/// spy.wait_for(1)?;
/// assert_eq!(spy.values(), ["hello"]);
/// # Ok(())
/// # }
/// ```
pub struct SignalSpy<T: ?Sized + ToOwned> {
    values: Rc<RefCell<Vec<T::Owned>>>,
    connection: ScopedConnection,
}

/// A [`SignalSpy`](crate::SignalSpy) has recorded too few emissions in time.
///
/// # Qt
///
/// `QSignalSpy::wait()` returned `false`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use slotwork_signals::{Signal, SignalSpy};
///
/// let spy = SignalSpy::new(&Signal::<i32>::new());
/// let timeout = spy.wait_for_within(2, Duration::from_millis(1)).unwrap_err();
/// assert_eq!(timeout.to_string(), "0 of 2 emissions within 1ms");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpyTimeout {
    wanted: usize,
    seen: usize,
    timeout: Duration,
    /// Whether the wait was refused at the nesting limit.
    was_refused: bool,
}

impl<T: ?Sized + ToOwned> SignalSpy<T> {
    /// Returns a spy that records the emissions of `signal` from now on.
    ///
    /// `signal` may be a [`Signal`](crate::Signal), an `Rc` or `Arc` of one, or a
    /// [`SignalRef`](crate::SignalRef).
    ///
    /// # Qt
    ///
    /// `QSignalSpy(object, &Object::signal)`.
    #[track_caller]
    pub fn new(signal: &impl Spied<Value = T>) -> Self {
        let values = Rc::default();
        let connection = signal.record(&values).scoped();
        Self { values, connection }
    }

    /// Removes the recorded values and returns them.
    ///
    /// # Qt
    ///
    /// `QSignalSpy` is a list; this moves it out and leaves an empty one.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::{Signal, SignalSpy};
    ///
    /// let changed = Signal::<i32>::new();
    /// let spy = SignalSpy::new(&changed);
    /// changed.emit(&1);
    /// assert_eq!(spy.take(), [1]);
    /// assert_eq!(spy.count(), 0);
    /// ```
    pub fn take(&self) -> Vec<T::Owned> {
        self.values.take()
    }

    /// Removes the oldest recorded value and returns it; `None` if there is none.
    ///
    /// # Qt
    ///
    /// `QSignalSpy::takeFirst()`, which requires a value.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::{Signal, SignalSpy};
    ///
    /// let changed = Signal::<i32>::new();
    /// let spy = SignalSpy::new(&changed);
    /// (1..=2).for_each(|value| changed.emit(&value));
    /// assert_eq!(spy.take_first(), Some(1));
    /// assert_eq!(spy.count(), 1);
    /// ```
    #[doc(alias = "takeFirst")]
    #[expect(clippy::must_use_candidate, reason = "it may be called to drop the value")]
    pub fn take_first(&self) -> Option<T::Owned> {
        let mut values = self.values.borrow_mut();
        if values.is_empty() { None } else { Some(values.remove(0)) }
    }

    /// Removes the recorded values.
    ///
    /// # Qt
    ///
    /// `QSignalSpy::clear()`.
    #[doc(alias = "QSignalSpy::clear")]
    pub fn clear(&self) {
        // Dropped when the list is no longer borrowed: the drop of a value may emit the signal.
        drop(self.take());
    }

    /// Runs this thread's slots until `count` values are recorded.
    ///
    /// The timeout is 5 s. In a thread with an event loop the loop runs meanwhile.
    ///
    /// # Qt
    ///
    /// `QSignalSpy::wait()`, with the same default; returns at once if the values are recorded.
    ///
    /// # Errors
    ///
    /// If fewer values are recorded within the timeout, or at once in a slot at the nesting limit
    /// ([`set_max_nesting`](crate::set_max_nesting)).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::thread;
    ///
    /// use slotwork_signals::{Signal, SignalSpy, SpyTimeout};
    ///
    /// fn main() -> Result<(), SpyTimeout> {
    ///     let finished = Arc::new(Signal::<i32>::new());
    ///     let spy = SignalSpy::new(&finished);
    ///     thread::spawn(move || finished.emit(&42));
    ///     spy.wait_for(1)
    /// }
    /// ```
    #[doc(alias = "QSignalSpy::wait")]
    #[doc(alias = "QTRY_COMPARE")]
    #[doc(alias = "QTRY_VERIFY")]
    #[doc(alias = "wait")]
    pub fn wait_for(&self, count: usize) -> Result<(), SpyTimeout> {
        self.wait_for_within(count, DEFAULT_TIMEOUT)
    }

    /// Runs this thread's slots until `count` values are recorded, or until `timeout`.
    ///
    /// # Qt
    ///
    /// `QSignalSpy::wait(timeout)`.
    ///
    /// # Errors
    ///
    /// If fewer values are recorded within the timeout, or at once in a slot at the nesting limit
    /// ([`set_max_nesting`](crate::set_max_nesting)).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork_signals::{Signal, SignalSpy};
    ///
    /// let spy = SignalSpy::new(&Signal::<i32>::new());
    /// assert!(spy.wait_for_within(1, Duration::from_millis(1)).is_err());
    /// ```
    #[doc(alias = "QSignalSpy::wait")]
    #[doc(alias = "QTRY_COMPARE_WITH_TIMEOUT")]
    #[doc(alias = "QTRY_VERIFY_WITH_TIMEOUT")]
    pub fn wait_for_within(&self, count: usize, timeout: Duration) -> Result<(), SpyTimeout> {
        let is_done = || self.count() >= count;
        if is_done() {
            return Ok(());
        }
        let may_wait = may_begin();
        if may_wait && wait_within(timeout, &is_done) {
            return Ok(());
        }
        Err(SpyTimeout { wanted: count, seen: self.count(), timeout, was_refused: !may_wait })
    }

    /// Returns the number of recorded values.
    ///
    /// # Qt
    ///
    /// `QSignalSpy::count()`.
    #[doc(alias = "QSignalSpy::count")]
    #[doc(alias = "size")]
    pub fn count(&self) -> usize {
        self.values.borrow().len()
    }

    /// Returns a copy of the recorded value at `index`, from 0, if there is one.
    ///
    /// # Qt
    ///
    /// `QSignalSpy::at()`, which requires a valid index.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::{Signal, SignalSpy};
    ///
    /// let changed = Signal::<str>::new();
    /// let spy = SignalSpy::new(&changed);
    /// ["one", "two"].iter().for_each(|value| changed.emit(value));
    /// assert_eq!(spy.at(1).as_deref(), Some("two"));
    /// assert_eq!(spy.at(2), None);
    /// ```
    #[doc(alias = "QSignalSpy::at")]
    #[doc(alias = "QSignalSpy::first")]
    pub fn at(&self, index: usize) -> Option<T::Owned>
    where
        T::Owned: Clone,
    {
        self.lend(|values| values.get(index).cloned())
    }

    /// Returns copies of the recorded values.
    ///
    /// # Qt
    ///
    /// `QSignalSpy` is itself a list of the values; this is a copy.
    pub fn values(&self) -> Vec<T::Owned>
    where
        T::Owned: Clone,
    {
        self.lend(<[_]>::to_vec)
    }
}

impl<T: ?Sized + ToOwned> SignalSpy<T> {
    /// Passes the values to code that clones them: `clone` may emit the signal.
    fn lend<R>(&self, look: impl FnOnce(&[T::Owned]) -> R) -> R {
        let values = self.values.take();
        let result = look(&values);
        let since = self.values.replace(values);
        self.values.borrow_mut().extend(since);
        result
    }
}

impl<T: ?Sized + ToOwned<Owned: fmt::Debug>> fmt::Debug for SignalSpy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lend(|values| {
            f.debug_struct("SignalSpy")
                .field("values", &values)
                .field("connection", &self.connection)
                .finish()
        })
    }
}

/// The timeout of `wait_for`.
impl fmt::Display for SpyTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, seen, timeout, was_refused } = self;
        if *was_refused {
            return write!(f, "{seen} of {wanted} emissions: too many loops run in slots to wait");
        }
        write!(f, "{seen} of {wanted} emissions within {timeout:?}")
    }
}

impl Error for SpyTimeout {}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
