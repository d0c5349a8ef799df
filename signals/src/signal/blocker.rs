//! Blocking a signal temporarily: `SignalBlocker` and the methods of `Signal`.

use crate::signal::Signal;
use crate::slots::emission_flags::EmissionFlags;

/// Blocks the emissions of a signal until it is dropped.
///
/// Made by [`Signal::block`](crate::Signal::block). Blockers nest: emissions work again when the
/// last one is dropped. Calls that were queued before are still delivered.
///
/// # Qt
///
/// `QSignalBlocker`, for one signal instead of all signals of an object.
///
/// # Examples
///
/// ```
/// use slotwork_signals::Signal;
///
/// let changed = Signal::<i32>::new();
/// let (outer, inner) = (changed.block(), changed.block());
/// drop(inner);
/// assert!(changed.is_blocked());
/// drop(outer);
/// assert!(!changed.is_blocked());
/// ```
#[derive(Debug)]
pub struct SignalBlocker<'a> {
    flags: &'a EmissionFlags,
}

impl<T: ?Sized + 'static> Signal<T> {
    /// Blocks emissions until the returned blocker is dropped.
    ///
    /// # Qt
    ///
    /// `QSignalBlocker` and `QObject::blockSignals()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::Signal;
    ///
    /// let changed = Signal::<i32>::new();
    /// changed.connect(|value| println!("now {value}"));
    ///
    /// let blocker = changed.block();
    /// changed.emit(&1);
    /// drop(blocker);
    /// changed.emit(&2);
    /// ```
    #[doc(alias = "blockSignals")]
    #[must_use = "the signal is blocked until the blocker is dropped"]
    pub fn block(&self) -> SignalBlocker<'_> {
        let flags = self.member().make_first().flags();
        flags.block();
        SignalBlocker { flags }
    }

    /// Returns whether emissions are blocked by a [`SignalBlocker`].
    ///
    /// # Qt
    ///
    /// `QObject::signalsBlocked()`.
    #[doc(alias = "signalsBlocked")]
    pub fn is_blocked(&self) -> bool {
        self.member().first().is_some_and(|first| first.flags().is_blocked())
    }
}

impl Drop for SignalBlocker<'_> {
    fn drop(&mut self) {
        self.flags.unblock();
    }
}
