//! The time in which certificates are valid.

use std::time::Duration;

use rustls::pki_types::UnixTime;

/// A period of time, in seconds since 1970, with both its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: u64,
    pub(super) not_after: u64,
}

impl Validity {
    pub(super) const fn begin(self) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(self.not_before))
    }

    pub(super) const fn end(self) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(self.not_after))
    }
}
