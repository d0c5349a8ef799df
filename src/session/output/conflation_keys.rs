//! The places of the conflated messages in a backlog, by their keys.

use std::collections::HashMap;

/// The place of the latest message of each key.
///
/// A place counts the chunks of the backlog from its beginning on, those that have left included.
/// The keys of messages that have left are removed when there would be no room for others.
#[derive(Default)]
pub(crate) struct ConflationKeys {
    few: Vec<(u64, u64)>,
    many: HashMap<u64, u64>,
}

impl ConflationKeys {
    /// Returns the place of a key; its message may have left.
    pub(crate) fn place(&self, key: u64) -> Option<u64> {
        let few = self.few.iter().find(|(known, _)| *known == key).map(|(_, place)| *place);
        few.or_else(|| self.many.get(&key).copied())
    }

    /// Sets the place of a key; messages in front of `first` have left.
    pub(crate) fn set(&mut self, key: u64, place: u64, first: u64) {
        if self.many.is_empty() {
            if let Some(known) = self.few.iter_mut().find(|(known, _)| *known == key) {
                known.1 = place;
                return;
            }
            if self.few.len() == MAX_FEW {
                self.few.retain(|(_, place)| *place >= first);
            }
            if self.few.len() < MAX_FEW {
                self.few.push((key, place));
                return;
            }
            self.many.extend(self.few.drain(..));
        } else if self.many.len() == self.many.capacity() {
            self.many.retain(|_, place| *place >= first);
        }
        self.many.insert(key, place);
    }
}

/// Up to so many keys a scan is faster than a hash.
const MAX_FEW: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_latest_place() {
        for count in [1, 16, 17, 1000] {
            let mut keys = ConflationKeys::default();
            for round in 0..2 {
                (0..count).for_each(|key| keys.set(key, round * count + key, 0));
            }

            assert!((0..count).all(|key| keys.place(key) == Some(count + key)), "{count}");
            assert_eq!(keys.place(count), None);
        }
    }

    #[test]
    fn keys_of_messages_that_have_left_take_no_room() {
        for waiting in [4, 100] {
            let mut keys = ConflationKeys::default();
            for key in 0..100_000_u64 {
                keys.set(key, key, key.saturating_sub(waiting));
            }

            let room = keys.few.capacity() + keys.many.capacity();
            assert!(room < 1000, "{room} places with {waiting} waiting");
            assert_eq!(keys.place(99_999), Some(99_999));
        }
    }
}
