//! What the event loop tells of a panic that it caught.

use std::fmt;

/// A panic that ended a call of the event loop: the value of `EventLoop::panicked`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaughtPanic {
    place: &'static str,
    message: String,
}

impl CaughtPanic {
    pub(super) fn new(place: &'static str, message: String) -> Self {
        Self { place, message }
    }

    /// Returns what panicked, such as `a posted call` or `a timer's slot`.
    #[must_use]
    pub fn place(&self) -> &str {
        self.place
    }

    /// Returns what the panic said.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for CaughtPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} panicked: {}", self.place, self.message)
    }
}
