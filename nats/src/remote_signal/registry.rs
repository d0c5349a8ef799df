//! The remote signals of a bridge, by their subjects.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The remote signals of a bridge.
#[derive(Default)]
pub(crate) struct RemoteSignals(Mutex<BySubject>);

type BySubject = HashMap<Box<str>, Vec<Weak<dyn Remote>>>;

/// A remote signal of any type.
pub(crate) trait Remote: Any + Send + Sync {
    /// Emits a value of another node.
    ///
    /// Returns false for JSON that does not fit.
    fn receive(&self, json: &[u8]) -> bool;

    /// Wants the subscription again, if there are slots; returns whether there are.
    fn renew(&self) -> bool;
}

impl RemoteSignals {
    /// Returns the signal of a subject and a type, or adds a new one.
    pub(crate) fn get<R: Remote>(&self, subject: &str, make: impl FnOnce() -> R) -> Arc<R> {
        let mut signals = self.lock();
        let of_subject = signals.entry(subject.into()).or_default();
        // Dropped unlocked: the last handle of one may have been dropped meanwhile.
        let living: Vec<_> = of_subject.iter().filter_map(Weak::upgrade).collect();
        let known = living.iter().find_map(|signal| {
            let any: Arc<dyn Any + Send + Sync> = Arc::<dyn Remote>::clone(signal);
            any.downcast::<R>().ok()
        });
        let signal = known.unwrap_or_else(|| {
            let signal = Arc::new(make());
            let weak: Weak<R> = Arc::downgrade(&signal);
            of_subject.push(weak);
            signal
        });
        drop(signals);
        signal
    }

    /// Returns the signals of a subject.
    pub(crate) fn of_subject(&self, subject: &str) -> Vec<Arc<dyn Remote>> {
        let signals = self.lock();
        let of_subject = signals.get(subject).map(Vec::as_slice).unwrap_or_default();
        of_subject.iter().filter_map(Weak::upgrade).collect()
    }

    /// Removes the signals of a subject that are dropped.
    pub(crate) fn remove_dropped(&self, subject: &str) {
        let mut signals = self.lock();
        if let Some(of_subject) = signals.get_mut(subject) {
            of_subject.retain(|signal| signal.strong_count() > 0);
            if of_subject.is_empty() {
                signals.remove(subject);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BySubject> {
        // No code of others runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
