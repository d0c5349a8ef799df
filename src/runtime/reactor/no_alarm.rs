//! A stand-in for the alarm on systems without one: each wait has its timeout.
//!
//! A short file, for systems other than Linux.

use std::io;
use std::time::{Duration, Instant};

use mio::Registry;
use mio::event::Event;

/// The alarm of other systems: it has no values.
pub(super) enum Alarm {}

impl Alarm {
    pub(super) fn new(_registry: &Registry) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn is_set_before(&self, _deadline: Instant) -> bool {
        match *self {}
    }

    pub(super) fn set(&self, _now: Instant, _timeout: Duration) -> bool {
        match *self {}
    }

    pub(super) fn handle_event(&self, _event: &Event) {
        match *self {}
    }
}
