//! Waiting in vain.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// A [`SignalSpy`](crate::SignalSpy) has waited in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpyTimeout {
    pub(crate) wanted: usize,
    pub(crate) seen: usize,
    pub(crate) timeout: Duration,
}

impl fmt::Display for SpyTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, seen, timeout } = self;
        write!(f, "{seen} of {wanted} emissions within {timeout:?}")
    }
}

impl Error for SpyTimeout {}
