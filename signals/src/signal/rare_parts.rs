//! Rare parts of a signal: slots in further threads, direct slots, and the sender.

use std::ops::Deref;
use std::sync::{Arc, PoisonError};

use crate::queue::delivery_guard::SharedSender;
use crate::slots::direct::DirectList;
use crate::sync::{Mutex, MutexGuard, OnceLock};

/// The parts that few signals need, beside their first group.
///
/// The mailbox of the group's thread keeps them, so that the groups of all other signals are small.
pub(crate) struct RareParts<T: ?Sized, G> {
    /// The groups in further threads.
    others: Mutex<Arc<Vec<Arc<G>>>>,
    direct: OnceLock<Arc<DirectList<T>>>,
    /// The signal's sender, which queued calls keep alive.
    sender: OnceLock<SharedSender>,
}

/// The groups in further threads at one moment; most signals have none.
pub(crate) struct Others<G>(Option<Arc<Vec<Arc<G>>>>);

impl<T: ?Sized, G> RareParts<T, G> {
    /// Edits the list of groups in further threads.
    pub(crate) fn edit_others(&self, edit: impl FnOnce(&mut Vec<Arc<G>>)) {
        let mut others = self.lock_others();
        let mut groups = others.to_vec();
        edit(&mut groups);
        let before = std::mem::replace(&mut *others, Arc::new(groups));
        drop(others);
        drop(before);
    }

    /// Returns the groups in further threads.
    pub(crate) fn others(&self) -> Others<G> {
        Others(Some(Arc::clone(&self.lock_others())))
    }

    /// Returns the slots that run on any thread.
    pub(crate) fn direct(&self) -> Option<&Arc<DirectList<T>>> {
        self.direct.get()
    }

    /// Returns the list of slots that run on any thread, which this makes.
    pub(crate) fn direct_list(&self) -> &Arc<DirectList<T>> {
        self.direct.get_or_init(Arc::default)
    }

    /// Returns the sender that queued calls keep alive.
    pub(crate) fn sender(&self) -> Option<&SharedSender> {
        self.sender.get()
    }

    pub(crate) fn set_sender(&self, sender: SharedSender) {
        // If another thread was faster, it has set the same one.
        let _: Result<_, _> = self.sender.set(sender);
    }

    fn lock_others(&self) -> MutexGuard<'_, Arc<Vec<Arc<G>>>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: ?Sized, G> Default for RareParts<T, G> {
    fn default() -> Self {
        Self { others: Mutex::default(), direct: OnceLock::new(), sender: OnceLock::new() }
    }
}

impl<G> Default for Others<G> {
    fn default() -> Self {
        Self(None)
    }
}

impl<G> Deref for Others<G> {
    type Target = [Arc<G>];

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().map_or(&[], |groups| groups)
    }
}
