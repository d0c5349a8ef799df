//! Waiting in vain.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// A [`SignalSpy`](crate::SignalSpy) has waited in vain.
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
    pub(crate) wanted: usize,
    pub(crate) seen: usize,
    pub(crate) timeout: Duration,
    /// Whether it has not waited at all, because too many loops run already.
    pub(crate) was_refused: bool,
}

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
