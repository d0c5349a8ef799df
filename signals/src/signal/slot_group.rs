//! Slot groups: the slots of one object in one thread, in one allocation.

use std::any::Any;
use std::array;
use std::rc::Rc;
use std::sync::Arc;

use crate::connection::latest;
use crate::connection::link::{Cleanup, ConnectionType, Link, Owned, Owner};
use crate::connection::slot_counter::SlotCounter;
use crate::signal::rare_parts::RareParts;
use crate::slots::emission_flags::EmissionFlags;
use crate::slots::list_handle::ListHandle;
use crate::slots::part::{Group, Linked, NewSlot, Part, PartHandle};
use crate::slots::slot_state::SlotState;
use crate::thread::mailbox::{Extension, Mailbox};
use crate::thread::slot_table::{AnySlots, OwnState};
use crate::thread::thread_state;
use crate::unwind::{DropLast, drop_each, for_each};

/// The slots of the `N` signals of an object in one thread, with its queue.
///
/// An object points to its first group, that of the thread which connected first. Slots of further
/// threads are in groups of one signal each.
pub(crate) struct SlotGroup<const N: usize> {
    mailbox: Arc<Mailbox>,
    lists: [ListHandle; N],
}

impl<const N: usize> SlotGroup<N> {
    /// Makes a group for the calling thread; `None` when the thread is ending.
    pub(crate) fn new() -> Option<Arc<Self>> {
        let (mailbox, lists) = thread_state::insert::<N>()?;
        Some(Arc::new(Self { mailbox, lists: lists.map(ListHandle::at) }))
    }

    /// Makes a group of no thread, as the first group of an object in an ending thread.
    pub(crate) fn of_no_thread() -> Arc<Self> {
        // No thread has so many lists.
        let mut index = u32::MAX;
        let lists = array::from_fn(|_| {
            index -= 1;
            ListHandle::at(index)
        });
        Arc::new(Self { mailbox: Arc::new(Mailbox::closed()), lists })
    }

    #[inline]
    pub(crate) fn handle(self: &Arc<Self>, position: usize) -> PartHandle {
        PartHandle::new(Arc::<Self>::clone(self), position)
    }

    /// Disconnects all slots behind their queued calls; of the first group.
    ///
    /// The values that `keep` returns live until then.
    pub(crate) fn finish(self: &Arc<Self>, keep: &dyn Fn() -> Box<dyn Any + Send>) {
        let rare = self.rare();
        clear_behind_posts(&self.handle(0), keep);
        for rare in rare {
            rare.others().iter().for_each(|other| clear_behind_posts(other, keep));
            if let Some(direct) = rare.direct() {
                direct.clear();
            }
        }
    }

    /// Drops the slots of the dropped signals behind their queued calls.
    #[inline]
    pub(crate) fn close_shared(self: &Arc<Self>) {
        // Without links and queued calls there is nothing left that reads it.
        if Arc::strong_count(self) > 1 {
            self.set_dropped();
        }
        self.close_lists();
    }

    fn set_dropped(&self) {
        self.lists.iter().for_each(|list| list.flags().set_signal_dropped());
    }

    fn close_lists(&self) {
        if self.has_rare() {
            return self.close_with_rare();
        }
        let lists = self.remove_lists();
        if lists.iter().any(Option::is_some) {
            drop_each(lists);
        }
    }

    #[cold]
    fn close_with_rare(&self) {
        // Before the indices, which are the keys, are free again.
        let rare = self.take_rare();
        // Dropped last, as they may panic.
        let _own = DropLast(self.remove_lists());
        for_each(rare, |rare| rare.close());
    }

    /// Removes the lists, behind their queued calls; the caller drops them.
    fn remove_lists(&self) -> [Option<Rc<dyn AnySlots>>; N] {
        let indices = self.lists.each_ref().map(ListHandle::index);
        if self.is_here()
            && let Some(lists) = thread_state::remove_without_posts(indices)
        {
            return lists;
        }
        for index in indices {
            post(&self.mailbox, Cleanup::Remove(index));
        }
        [const { None }; N]
    }

    fn has_rare(&self) -> bool {
        self.lists.iter().any(|list| list.flags().has(EmissionFlags::RARE_PARTS))
    }

    fn rare(&self) -> Vec<Arc<RareParts>> {
        (0..N).filter_map(|position| self.part(position).rare()).collect()
    }

    #[cold]
    fn take_rare(&self) -> Vec<Arc<dyn Extension>> {
        let indices = self.lists.iter().map(ListHandle::index);
        indices.filter_map(|index| self.mailbox.remove_extension(index)).collect()
    }

    #[inline]
    pub(crate) fn is_here(&self) -> bool {
        self.mailbox.thread() == thread_state::thread()
    }

    #[inline]
    fn list_of(&self, link: &Link) -> &ListHandle {
        &self.lists[link.position()]
    }
}

impl<const N: usize> Group for SlotGroup<N> {
    #[inline]
    fn link(self: Arc<Self>, position: usize, slot: NewSlot) -> Linked {
        let NewSlot { kind, location, set_poster } = slot;
        thread_state::run_cleanups(&self.mailbox);
        let list = &self.lists[position];
        if let Some(set_poster) = set_poster
            && !list.flags().accepts_posts()
        {
            set_poster();
            list.flags().accept_posts();
        }
        if kind == ConnectionType::Queued {
            list.flags().add(EmissionFlags::QUEUED);
        }
        let (sequence, index) = (self.mailbox.next_connection(), list.index());
        let generation = list.counter().add();
        let owned = Owned { owner: self, position, generation };
        let (link, is_latest) = Link::latest(kind, sequence, location, owned, index);
        let state = if is_latest {
            SlotState::unshared(OwnState::new(kind, generation, sequence))
        } else {
            SlotState::shared(Arc::clone(&link))
        };
        Linked { link, state, index }
    }

    #[inline]
    fn part(&self, position: usize) -> Part<'_> {
        Part::new(&self.mailbox, &self.lists[position])
    }

    fn close(&self) {
        self.set_dropped();
        self.close_lists();
    }
}

impl<const N: usize> Owner for SlotGroup<N> {
    fn counter(&self, position: usize) -> &SlotCounter {
        self.lists[position].counter()
    }

    fn is_open(&self, position: usize) -> bool {
        self.part(position).is_open()
    }

    fn release(&self, link: &Arc<Link>) {
        if self.is_here() {
            self.list_of(link).remove(link.sequence());
        } else {
            self.mailbox.push(Box::new(Cleanup::Release(Arc::clone(link))));
        }
    }

    fn has_receiver(&self, link: &Link) -> bool {
        latest::settle();
        let index = self.list_of(link).index();
        let slots = if self.is_here() { thread_state::list(index) } else { None };
        slots.is_none_or(|slots| slots.is_live(link.sequence()))
    }

    fn unshare(&self, link: &Link) {
        if self.is_here() {
            self.list_of(link).unshare(OwnState::of(link));
        }
    }

    fn sweep(&self, position: usize) {
        self.part(position).sweep();
    }

    fn clear(&self) {
        // Other threads subtract slots, but do not add any.
        let used = self.lists.iter().filter(|list| list.counter().count() > 0);
        used.for_each(|list| list.counter().clear());
        if self.lists.iter().any(|list| list.flags().is_signal_dropped()) {
            // The indices may have new lists.
            return;
        }
        // All slots are of earlier generations: only this thread connects others.
        drop_each(thread_state::empty(self.lists.each_ref().map(ListHandle::index)));
    }
}

/// Disconnects the slots of a part's group behind their queued calls.
fn clear_behind_posts(part: &PartHandle, keep: &dyn Fn() -> Box<dyn Any + Send>) {
    if part.part().is_here() && !thread_state::has_posts() {
        part.group().clear();
    } else {
        post(part.part().mailbox(), Cleanup::Clear(part.owner(), keep()));
    }
}

/// Appends a cleanup to the queue of a thread.
pub(crate) fn post(mailbox: &Mailbox, cleanup: Cleanup) {
    if mailbox.thread() == thread_state::thread() {
        thread_state::push(Box::new(cleanup));
    } else {
        mailbox.push(Box::new(cleanup));
    }
}
