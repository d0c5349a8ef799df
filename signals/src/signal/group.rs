//! Signal groups: the signals of one object, whose slots share one allocation.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use crate::connection::link::MAX_POSITIONS;
use crate::signal::slot_cache::SlotCache;
use crate::signal::slot_group::SlotGroup;
use crate::slots::part::{Group, Linked, NewSlot, Part, PartHandle};
use crate::sync::OnceLock;

/// The `N` signals of one object, which share what a [`Signal`](crate::Signal) has of its own.
///
/// A group takes 16 bytes, and with the first slot one allocation. Each signal has a
/// [`Position`], which carries the type of its values.
pub struct SignalGroup<const N: usize> {
    /// The slots of the first thread, with the list of those in other threads.
    first: OnceLock<Arc<SlotGroup<N>>>,
}

/// The position of a signal with values of type `T` in a group of `N`.
pub struct Position<T: ?Sized, const N: usize> {
    index: usize,
    value: PhantomData<fn(&T)>,
}

/// A group with any number of signals.
pub(crate) trait AnyGroup: Send + Sync + RefUnwindSafe {
    /// Returns the first part of the signal at `position`, if there is one.
    fn get(&self, position: usize) -> Option<Part<'_>>;

    /// Returns the first part of the signal at `position`, made if missing.
    fn make(&self, position: usize) -> Part<'_>;

    /// Returns a handle to the first part of the signal at `position`, if there is one.
    fn handle(&self, position: usize) -> Option<PartHandle>;

    /// Makes the link of a slot of this thread for the signal at `position`.
    ///
    /// Returns `None` when the thread is ending.
    fn link(&self, position: usize, slot: NewSlot) -> Option<Linked>;
}

impl<const N: usize> SignalGroup<N> {
    /// Returns a group of signals without slots; allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N > 0 && N <= MAX_POSITIONS, "a group has 1 to 32 signals") };
        Self { first: OnceLock::new() }
    }

    /// Emits the signal at `position`, as [`Signal::emit`](crate::Signal::emit).
    #[inline]
    pub fn emit<T: ?Sized + 'static>(&self, position: Position<T, N>, value: &T) {
        if let Some(first) = self.first.get() {
            first.emit(position.index, value);
        }
    }

    /// Emits the signal at `position`, and lends the sender to its slots.
    ///
    /// `sender` is the object that all [`SignalRef`](crate::SignalRef)s of the group have, as a handle of
    /// the same type. Slots that take it need no strong handle of their own then. The `cache` keeps the
    /// slots for the next emission.
    #[expect(clippy::inline_always, reason = "with slots in the cache it is short")]
    #[inline(always)]
    pub fn emit_from<T: ?Sized + 'static>(
        &self,
        position: Position<T, N>,
        value: &T,
        sender: &dyn Any,
        cache: &mut SlotCache<T>,
    ) {
        if let Some(first) = self.first.get() {
            first.emit_from(position.index, value, sender, cache);
        }
    }

    /// Disconnects the slots of all signals, as [`Signal::finish`](crate::Signal::finish).
    pub fn finish(&self, keep: &(impl Clone + Send + 'static)) {
        if let Some(first) = self.first.get() {
            first.finish(&|| Box::new(keep.clone()));
        }
    }

    #[inline]
    fn make_first(&self) -> &Arc<SlotGroup<N>> {
        self.first.get_or_init(|| SlotGroup::new().unwrap_or_else(SlotGroup::of_no_thread))
    }
}

impl<const N: usize> AnyGroup for SignalGroup<N> {
    #[inline]
    fn get(&self, position: usize) -> Option<Part<'_>> {
        self.first.get().map(|first| first.part(position))
    }

    fn make(&self, position: usize) -> Part<'_> {
        self.make_first().part(position)
    }

    fn handle(&self, position: usize) -> Option<PartHandle> {
        self.first.get().map(|first| first.handle(position))
    }

    fn link(&self, position: usize, slot: NewSlot) -> Option<Linked> {
        let first = self.make_first();
        if first.is_here() {
            return Some(Arc::clone(first).link(position, slot));
        }
        further_part(first.part(position)).map(|part| part.link(slot))
    }
}

/// Returns the calling thread's further part, made if missing; of the first part.
#[cold]
fn further_part(first: Part<'_>) -> Option<PartHandle> {
    let others = first.others();
    if let Some(found) = others.iter().find(|other| other.part().is_here()) {
        return Some(found.clone());
    }
    let part = SlotGroup::<1>::new()?.handle(0);
    first.edit_others(|others| others.push(part.clone()));
    Some(part)
}

impl<const N: usize> Default for SignalGroup<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Drop for SignalGroup<N> {
    fn drop(&mut self) {
        if let Some(first) = self.first.get() {
            first.close_shared();
        }
    }
}

// After a panic in a slot the signals are as valid as before: the later slots were skipped.
impl<const N: usize> UnwindSafe for SignalGroup<N> {}
impl<const N: usize> RefUnwindSafe for SignalGroup<N> {}

impl<const N: usize> fmt::Debug for SignalGroup<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_used = self.first.get().is_some();
        f.debug_struct("SignalGroup").field("is_used", &is_used).finish_non_exhaustive()
    }
}

impl<T: ?Sized, const N: usize> Position<T, N> {
    /// Returns the position with this index, which is less than `N`.
    ///
    /// Each index is for one type of values: slots of another type are never called.
    ///
    /// # Panics
    ///
    /// When the index is too high; in a constant at compile time.
    #[must_use]
    pub const fn new(index: usize) -> Self {
        assert!(index < N, "the group has fewer signals");
        Self { index, value: PhantomData }
    }

    pub(crate) const fn index(self) -> usize {
        self.index
    }
}

impl<T: ?Sized, const N: usize> Clone for Position<T, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized, const N: usize> Copy for Position<T, N> {}

impl<T: ?Sized, const N: usize> fmt::Debug for Position<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Position").field(&self.index).finish()
    }
}
