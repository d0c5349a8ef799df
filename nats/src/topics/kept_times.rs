//! When the kept messages of a prefix were published.
//!
//! By it an answer of another node is compared with what is kept here.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The times of the kept messages, by the names of their topics.
#[derive(Default)]
pub(crate) struct KeptTimes(Mutex<Times>);

#[derive(Default)]
struct Times {
    by_topic: HashMap<Box<str>, Instant>,
    /// The number of topics at which those that have ended are removed.
    next_sweep: usize,
}

impl KeptTimes {
    /// Notes the time of a kept message; `None` is not known.
    ///
    /// `is_kept` returns whether a topic still keeps one; it is called now and then, unlocked.
    pub(crate) fn note(&self, topic: &str, time: Option<Instant>, is_kept: impl Fn(&str) -> bool) {
        let mut times = self.lock();
        let Some(time) = time else {
            times.by_topic.remove(topic);
            return;
        };
        if let Some(known) = times.by_topic.get_mut(topic) {
            *known = time;
            return;
        }
        times.by_topic.insert(topic.into(), time);
        if times.by_topic.len() <= times.next_sweep.max(SMALLEST_SWEEP) {
            return;
        }
        let names: Vec<_> = times.by_topic.keys().cloned().collect();
        times.next_sweep = 2 * names.len();
        drop(times);
        let ended: Vec<_> = names.into_iter().filter(|name| !is_kept(name)).collect();
        let mut times = self.lock();
        for name in ended {
            times.by_topic.remove(&name);
        }
        times.next_sweep = 2 * times.by_topic.len();
    }

    /// Returns the time of a kept message, if it is known.
    pub(crate) fn get(&self, topic: &str) -> Option<Instant> {
        self.lock().by_topic.get(topic).copied()
    }

    fn lock(&self) -> MutexGuard<'_, Times> {
        // No code of others runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const SMALLEST_SWEEP: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_that_have_ended_are_forgotten() {
        let (times, now) = (KeptTimes::default(), Instant::now());
        let is_kept = |name: &str| name == "0";

        for number in 0..10_000 {
            times.note(&number.to_string(), Some(now), is_kept);
        }

        assert_eq!(times.get("0"), Some(now));
        assert!(times.lock().by_topic.len() <= SMALLEST_SWEEP + 1);
    }
}
