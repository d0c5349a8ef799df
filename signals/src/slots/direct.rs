//! Direct slots: those that run on the emitting thread, whichever that is.

use std::any::Any;
use std::panic::Location;
use std::sync::{Arc, PoisonError};

use crate::connection::Connection;
use crate::connection::link::{ConnectionType, Link, Owned, Owner};
use crate::connection::slot_counter::SlotCounter;
use crate::slots::call::Call;
use crate::slots::emission_flags::EmissionFlags;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering};
use crate::thread::slow_slots::{Origin, watched};
use crate::unwind::drop_each;

/// The list of the direct slots of a signal.
///
/// Links and list hold each other; dropping the signal clears the list.
pub(crate) struct DirectList<T: ?Sized> {
    counter: SlotCounter,
    connections: AtomicU64,
    entries: Mutex<Arc<Entries<T>>>,
}

/// One slot: the link of its connection, and its call.
pub(crate) struct DirectEntry<T: ?Sized> {
    link: Arc<Link>,
    call: Arc<dyn Call<T> + Send + Sync>,
}

/// A list of direct slots, without the type of the values.
pub(crate) trait AnyDirect: Owner + Any {}

type Entries<T> = Vec<DirectEntry<T>>;

impl<T: ?Sized + 'static> DirectList<T> {
    /// Connects a slot, and sets the signal's flag for direct slots.
    pub(crate) fn attach(
        self: &Arc<Self>,
        call: Arc<dyn Call<T> + Send + Sync>,
        location: &'static Location<'static>,
        flags: &EmissionFlags,
    ) -> Connection {
        let sequence = self.connections.fetch_add(1, Ordering::Relaxed);
        let owner: Arc<dyn Owner> = Arc::<Self>::clone(self);
        let mut entries = self.lock();
        // Counter, list and flag change under the lock, so that a concurrent `clear` finds the
        // slot in all of them or in none.
        let new = Owned { owner, position: 0, generation: self.counter.add() };
        let link = Link::new(ConnectionType::Auto, sequence, location, new);
        let link = Arc::new(link);
        Arc::make_mut(&mut entries).push(DirectEntry { link: Arc::clone(&link), call });
        flags.add(EmissionFlags::DIRECT);
        let count = entries.len();
        drop(entries);
        if count >= SMALL && count.is_power_of_two() {
            self.sweep(0);
        }
        Connection::new(link)
    }

    /// Calls the slots of `entries` that are still connected.
    pub(crate) fn call(&self, entries: &Entries<T>, value: &T) {
        for entry in entries {
            if entry.link.is_callable(&self.counter) {
                let origin = Origin::new(entry.link.location());
                watched(origin, || entry.call.call(value, None, &|| _ = entry.link.disconnect()));
            }
        }
    }
}

impl<T: ?Sized + 'static> AnyDirect for DirectList<T> {}

impl<T: ?Sized> DirectList<T> {
    /// Returns the slots as they are now.
    pub(crate) fn entries(&self) -> Arc<Entries<T>> {
        Arc::clone(&self.lock())
    }

    /// Clears the signal's flag for direct slots, unless there are some by now.
    pub(crate) fn clear_flag(&self, flags: &EmissionFlags) {
        let entries = self.lock();
        if entries.is_empty() {
            flags.remove(EmissionFlags::DIRECT);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Entries<T>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: ?Sized + 'static> Owner for DirectList<T> {
    fn counter(&self, _: usize) -> &SlotCounter {
        &self.counter
    }

    fn is_open(&self, _: usize) -> bool {
        true
    }

    fn release(&self, link: &Arc<Link>) {
        let mut entries = self.lock();
        let place = entries.iter().position(|entry| Arc::ptr_eq(&entry.link, link));
        let removed = place.map(|place| Arc::make_mut(&mut entries).remove(place));
        drop(entries);
        drop(removed);
    }

    fn has_receiver(&self, link: &Link) -> bool {
        let entries = self.entries();
        entries
            .iter()
            .find(|entry| entry.link.sequence() == link.sequence())
            .is_none_or(|entry| entry.call.is_live())
    }

    fn unshare(&self, _: &Link) {}

    fn sweep(&self, _: usize) {
        for entry in self.entries().iter() {
            if !entry.call.is_live() {
                entry.link.disconnect();
            }
        }
    }

    fn clear(&self) {
        let mut entries = self.lock();
        self.counter.clear();
        let before = std::mem::take(&mut *entries);
        // Unlocked first: dropping a slot runs user code.
        drop(entries);
        drop_each(Arc::into_inner(before).into_iter().flatten());
    }
}

impl<T: ?Sized> Default for DirectList<T> {
    fn default() -> Self {
        Self {
            counter: SlotCounter::new(),
            connections: AtomicU64::new(0),
            entries: Mutex::default(),
        }
    }
}

impl<T: ?Sized> Clone for DirectEntry<T> {
    fn clone(&self) -> Self {
        Self { link: Arc::clone(&self.link), call: Arc::clone(&self.call) }
    }
}

/// Shorter lists are not swept.
const SMALL: usize = 16;
