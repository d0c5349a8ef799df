//! The time in which certificates are valid.

use std::time::Duration;

use rustls::pki_types::UnixTime;

use crate::runtime::sync::Mutex;

/// A period of time, in seconds since 1970; both ends are included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
}

impl Validity {
    pub(crate) const ALWAYS: Self = Self { not_before: 0, not_after: u64::MAX };
    pub(crate) const NEVER: Self = Self { not_before: u64::MAX, not_after: 0 };

    /// Returns the intersection.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            not_before: self.not_before.max(other.not_before),
            not_after: self.not_after.min(other.not_after),
        }
    }

    pub(crate) fn contains(self, time: UnixTime) -> bool {
        (self.not_before..=self.not_after).contains(&time.as_secs())
    }

    pub(crate) const fn begin(self) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(self.not_before))
    }

    pub(crate) const fn end(self) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(self.not_after))
    }

    pub(crate) fn to_bytes(self) -> [u8; Self::LENGTH] {
        (u128::from(self.not_before) << 64 | u128::from(self.not_after)).to_be_bytes()
    }

    pub(crate) fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        let [not_before, not_after] = [&bytes[..8], &bytes[8..]]
            .map(|half| half.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)));
        Self { not_before, not_after }
    }

    pub(crate) const LENGTH: usize = 16;
}

/// The time in which all certificates of a peer's chain are valid.
///
/// `None` when no certificate was checked.
#[derive(Debug, Default)]
pub(crate) struct PeerValidity(Mutex<Option<Validity>>);

impl PeerValidity {
    pub(crate) fn get(&self) -> Option<Validity> {
        *self.0.lock()
    }

    pub(crate) fn set(&self, validity: Validity) {
        *self.0.lock() = Some(validity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_belong_to_it() {
        let seconds = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let validity = Validity { not_before: 3, not_after: 5 };

        let contained: Vec<_> = (0..9).filter(|it| validity.contains(seconds(*it))).collect();

        assert_eq!(contained, [3, 4, 5]);
        assert_eq!(validity.and(Validity::ALWAYS), validity);
        assert!((0..9).all(|it| !validity.and(Validity::NEVER).contains(seconds(it))));
    }

    #[test]
    fn it_becomes_bytes_and_itself_again() {
        for validity in
            [Validity::ALWAYS, Validity::NEVER, Validity { not_before: 1, not_after: 1 << 40 }]
        {
            assert_eq!(Validity::from_bytes(validity.to_bytes()), validity);
        }
    }
}
