//! Rare parts of a signal: slots in further threads, direct slots, and the sender.

use std::any::Any;
use std::ops::Deref;
use std::sync::{Arc, PoisonError};

use crate::queue::delivery_guard::SharedSender;
use crate::slots::direct::{AnyDirect, DirectList};
use crate::slots::emission_flags::EmissionFlags;
use crate::slots::part::{Part, PartHandle};
use crate::sync::{Mutex, MutexGuard, OnceLock};
use crate::thread::mailbox::Extension;
use crate::unwind::for_each;

/// The parts that few signals need, beside their first one.
///
/// The mailbox of the first part's thread keeps them, so that all other signals are small.
pub(crate) struct RareParts {
    /// The parts in further threads.
    others: Mutex<Arc<Vec<PartHandle>>>,
    direct: OnceLock<Arc<dyn AnyDirect>>,
    /// The signal's sender, which queued calls keep alive.
    sender: OnceLock<SharedSender>,
}

/// The parts in further threads at one moment; most signals have none.
#[derive(Default)]
pub(crate) struct Others(Option<Arc<Vec<PartHandle>>>);

impl Part<'_> {
    /// Returns the parts that few signals have; of the first part.
    #[inline]
    pub(crate) fn rare(self) -> Option<Arc<RareParts>> {
        if self.flags().has(EmissionFlags::RARE_PARTS) { self.find_rare() } else { None }
    }

    #[cold]
    fn find_rare(self) -> Option<Arc<RareParts>> {
        downcast(self.mailbox().extension(self.list().index())?)
    }

    /// Returns the parts that few signals have, which this makes; of the first part.
    pub(crate) fn make_rare(self) -> Arc<RareParts> {
        let new = || -> Arc<dyn Extension> { Arc::new(RareParts::default()) };
        let extension = self.mailbox().make_extension(self.list().index(), new);
        self.flags().add(EmissionFlags::RARE_PARTS);
        // Another type is impossible: mailboxes have no other extensions.
        downcast(extension).unwrap_or_default()
    }

    /// Returns the parts in further threads; of the first part.
    pub(crate) fn others(self) -> Others {
        self.rare().map_or_else(Others::default, |rare| rare.others())
    }

    /// Drops the parts of ended threads; of the first part.
    pub(crate) fn drop_ended_parts(self) {
        self.edit_others(|_| {});
    }

    /// Edits the list of parts and drops those of ended threads; of the first part.
    pub(crate) fn edit_others(self, edit: impl FnOnce(&mut Vec<PartHandle>)) {
        self.make_rare().edit_others(|others| {
            others.retain(|other| !other.part().mailbox().is_closed());
            edit(others);
            // Changed under the lock of the list, as the list is.
            if others.is_empty() {
                self.flags().remove(EmissionFlags::OTHER_THREADS);
            } else {
                self.flags().add(EmissionFlags::OTHER_THREADS);
            }
        });
    }

    /// Sets the sender that queued calls keep alive; of the first part.
    pub(crate) fn set_sender(self, sender: impl FnOnce() -> Option<SharedSender>) {
        if !self.flags().has(EmissionFlags::SENDER)
            && let Some(sender) = sender()
        {
            // If another thread was faster, it has set the same one.
            let _: Result<_, _> = self.make_rare().sender.set(sender);
            self.flags().add(EmissionFlags::SENDER);
        }
    }
}

impl RareParts {
    /// Edits the list of parts in further threads.
    fn edit_others(&self, edit: impl FnOnce(&mut Vec<PartHandle>)) {
        let mut others = self.lock_others();
        let mut parts = others.to_vec();
        edit(&mut parts);
        let before = std::mem::replace(&mut *others, Arc::new(parts));
        drop(others);
        drop(before);
    }

    /// Returns the parts in further threads.
    pub(crate) fn others(&self) -> Others {
        Others(Some(Arc::clone(&self.lock_others())))
    }

    /// Returns the slots that run on any thread.
    pub(crate) fn direct(&self) -> Option<&Arc<dyn AnyDirect>> {
        self.direct.get()
    }

    /// Returns the list of slots that run on any thread, which this makes.
    pub(crate) fn direct_list<T: ?Sized + 'static>(&self) -> Arc<DirectList<T>> {
        let list = self.direct.get_or_init(|| Arc::<DirectList<T>>::default());
        // Another type is impossible: a signal has one type of values.
        downcast(Arc::<dyn AnyDirect>::clone(list)).unwrap_or_default()
    }

    /// Returns the sender that queued calls keep alive.
    pub(crate) fn sender(&self) -> Option<&SharedSender> {
        self.sender.get()
    }

    fn lock_others(&self) -> MutexGuard<'_, Arc<Vec<PartHandle>>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for RareParts {
    fn default() -> Self {
        Self { others: Mutex::default(), direct: OnceLock::new(), sender: OnceLock::new() }
    }
}

impl Extension for RareParts {
    fn close(&self) {
        let others = self.others();
        let close_others = || for_each(others.iter(), |other| other.group().close());
        let clear_direct = || self.direct().into_iter().for_each(|direct| direct.clear());
        for_each([&close_others as &dyn Fn(), &clear_direct], |close| close());
    }
}

impl Deref for Others {
    type Target = [PartHandle];

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().map_or(&[], |parts| parts)
    }
}

fn downcast<V: Any + Send + Sync>(value: Arc<dyn Any + Send + Sync>) -> Option<Arc<V>> {
    value.downcast().ok()
}
