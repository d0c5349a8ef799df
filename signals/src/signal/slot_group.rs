//! Slot groups: the slots of one signal in one thread, reachable from all threads.

use std::any::Any;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;

use crate::connection::Connection;
use crate::connection::link::{Cleanup, ConnectionType, Link, Owner};
use crate::connection::slot_counter::SlotCounter;
use crate::queue::delivery_guard::SharedSender;
use crate::signal::rare_parts::{Others, RareParts};
use crate::slots::call::Call;
use crate::slots::emission_flags::EmissionFlags;
use crate::slots::list::{List, Slot, Slots};
use crate::slots::list_handle::ListHandle;
use crate::slots::slot::ConnectedSlot;
use crate::slots::slot_state::{SlotState, Target};
use crate::thread::mailbox::{Address, Extension, Mailbox, Post};
use crate::thread::slot_table::OwnState;
use crate::thread::slow_slots::Origin;
use crate::thread::thread_state;
use crate::unwind::{DropLast, drop_each};

/// The slots of one signal in one thread, with the address of their queue.
///
/// A signal points to its first group, that of the thread which connected first. That one has the
/// list of the groups in further threads; methods "of the first group" are for the whole signal.
pub(crate) struct SlotGroup<T: ?Sized> {
    address: Arc<Address<Poster<T>>>,
    list: ListHandle,
}

/// The rare parts of a signal, with its groups in further threads.
pub(crate) type Rare<T> = RareParts<T, SlotGroup<T>>;

/// Makes a post that carries a copy of `value`.
///
/// A plain function, so that emissions have no bounds on `T`.
pub(crate) type Poster<T> = fn(
    value: &T,
    group: &Arc<SlotGroup<T>>,
    target: Target,
    sender: Option<&SharedSender>,
) -> Box<dyn Post>;

impl<T: ?Sized + 'static> SlotGroup<T> {
    /// Makes a group for the calling thread; `None` when the thread is ending.
    pub(crate) fn new(flags: EmissionFlags) -> Option<Arc<Self>> {
        let address = thread_state::address()?;
        Some(Arc::new(Self::at(address, ListHandle::new(flags)?)))
    }

    /// Makes a group of no thread, as the first group of a signal in an ending thread.
    pub(crate) fn of_no_thread() -> Arc<Self> {
        Arc::new(Self::at(Arc::new(Address::closed()), ListHandle::of_no_thread()))
    }

    fn at(address: Arc<Address<Poster<T>>>, list: ListHandle) -> Self {
        Self { address, list }
    }

    /// Returns the group of the calling thread, unless that is this, the first one.
    pub(crate) fn of_this_thread(&self) -> Option<Arc<Self>> {
        let here = thread_state::thread();
        if let Some(found) = self.others().iter().find(|group| group.address.thread() == here) {
            return Some(Arc::clone(found));
        }
        let group = Self::new(EmissionFlags::new(false))?;
        self.edit_others(|others| others.push(Arc::clone(&group)));
        Some(group)
    }

    /// Connects a slot that runs on any thread; of the first group.
    pub(crate) fn connect_direct(
        &self,
        call: Arc<dyn Call<T> + Send + Sync>,
        location: &'static Location<'static>,
    ) -> Connection {
        self.make_rare().direct_list().attach(call, location, self.flags())
    }

    /// Sets the sender that queued calls keep alive; of the first group.
    pub(crate) fn set_sender(&self, sender: impl FnOnce() -> Option<SharedSender>) {
        if !self.flags().has(EmissionFlags::SENDER)
            && let Some(sender) = sender()
        {
            self.make_rare().set_sender(sender);
            self.flags().add(EmissionFlags::SENDER);
        }
    }

    /// Connects a slot of the calling thread, to which the group belongs.
    pub(crate) fn connect<C: Call<T> + 'static>(
        self: &Arc<Self>,
        kind: ConnectionType,
        poster: Option<Poster<T>>,
        call: C,
        location: &'static Location<'static>,
    ) -> Connection {
        let link = self.link(kind, poster, location);
        let state = SlotState::shared(Arc::clone(&link));
        self.attach(link, Rc::new(ConnectedSlot::new(state, call, Origin::new(location))))
    }

    fn link(
        self: &Arc<Self>,
        kind: ConnectionType,
        poster: Option<Poster<T>>,
        location: &'static Location<'static>,
    ) -> Arc<Link> {
        thread_state::run_cleanups(self.mailbox());
        if let Some(poster) = poster {
            self.address.set_poster(poster);
            self.flags().accept_posts();
        }
        if kind == ConnectionType::Queued {
            self.flags().add(EmissionFlags::QUEUED);
        }
        let sequence = self.mailbox().next_connection();
        let owner: Arc<dyn Owner> = Arc::<Self>::clone(self);
        Link::shared(kind, sequence, location, owner)
    }

    /// Drops the disconnected slots; called in their thread.
    fn drop_ended(&self) {
        if self.flags().is_signal_dropped() {
            // A dropped receiver may have dropped the signal, and the index may have a new list.
            return;
        }
        let ended = self.list.edit::<T, _>(|list| list.remove_ended(self.list.counter()));
        drop_each(ended);
    }

    fn attach(&self, link: Arc<Link>, slot: Rc<dyn Slot<T>>) -> Connection {
        match self.list.edit(|list| list.push(slot)) {
            Some(true) => self.sweep(),
            Some(false) => {}
            None => _ = link.end(),
        }
        Connection::new(link)
    }

    /// Returns the groups in further threads; of the first group.
    fn others(&self) -> Others<Self> {
        self.rare().map_or_else(Others::default, |rare| rare.others())
    }

    /// Returns the parts that few signals have; of the first group.
    pub(crate) fn rare(&self) -> Option<Arc<Rare<T>>> {
        if !self.flags().has(EmissionFlags::RARE_PARTS) {
            return None;
        }
        self.mailbox().extension(self.list.index())?.into_any().downcast().ok()
    }

    /// Returns the parts that few signals have, which this makes; of the first group.
    fn make_rare(&self) -> Arc<Rare<T>> {
        let new = || -> Arc<dyn Extension> { Arc::new(Rare::<T>::default()) };
        let extension = self.mailbox().make_extension(self.list.index(), new);
        self.flags().add(EmissionFlags::RARE_PARTS);
        // Another type is impossible: the entry is removed before its index is used again.
        extension.into_any().downcast().unwrap_or_default()
    }

    /// Drops the groups of ended threads; of the first group.
    pub(crate) fn drop_ended_groups(&self) {
        self.edit_others(|_| {});
    }

    /// Edits the list of groups and drops those of ended threads; of the first group.
    fn edit_others(&self, edit: impl FnOnce(&mut Vec<Arc<Self>>)) {
        self.make_rare().edit_others(|groups| {
            groups.retain(|group| !group.mailbox().is_closed());
            edit(groups);
            // Changed under the lock of the list, as the list is.
            if groups.is_empty() {
                self.flags().remove(EmissionFlags::OTHER_THREADS);
            } else {
                self.flags().add(EmissionFlags::OTHER_THREADS);
            }
        });
    }

    /// Disconnects all slots of the signal; of the first group.
    pub(crate) fn disconnect_all(self: &Arc<Self>) {
        let rare = self.rare();
        let others = rare.as_ref().map_or_else(Others::default, |rare| rare.others());
        let groups = || std::iter::once(self).chain(others.iter());
        // All are disconnected before any is dropped: slots connected meanwhile stay.
        groups().for_each(|group| group.list.counter().clear());
        if let Some(direct) = rare.as_ref().and_then(|rare| rare.direct()) {
            direct.drop_all();
        }
        for group in groups() {
            if group.is_here() {
                group.sweep();
            } else {
                let owner: Arc<dyn Owner> = Arc::<Self>::clone(group);
                group.mailbox().push(Box::new(Cleanup::Sweep(owner)));
            }
        }
    }

    /// Disconnects all slots behind their queued calls; of the first group.
    ///
    /// The value that `keep` returns lives until then.
    pub(crate) fn finish(self: &Arc<Self>, keep: &dyn Fn() -> Box<dyn Any + Send>) {
        let rare = self.rare();
        let others = rare.as_ref().map_or_else(Others::default, |rare| rare.others());
        for group in std::iter::once(self).chain(others.iter()) {
            let owner = || -> Arc<dyn Owner> { Arc::<Self>::clone(group) };
            if !group.is_here() {
                group.mailbox().push(Box::new(Cleanup::Clear(owner(), keep())));
            } else if thread_state::has_posts() {
                thread_state::push(Box::new(Cleanup::Clear(owner(), keep())));
            } else {
                group.clear();
            }
        }
        if let Some(direct) = rare.as_ref().and_then(|rare| rare.direct()) {
            direct.drop_all();
        }
    }

    /// Counts the connected slots of the signal; of the first group.
    pub(crate) fn slot_count(&self) -> usize {
        let rare = self.rare();
        let others = rare.as_ref().map_or_else(Others::default, |rare| rare.others());
        let groups = std::iter::once(self).chain(others.iter().map(|group| &**group));
        let counts = groups.filter(|group| group.is_open()).map(|group| {
            if group.is_here() {
                group.sweep();
            }
            group.list.counter().count()
        });
        let direct = rare.as_ref().and_then(|rare| rare.direct());
        counts.sum::<usize>() + direct.map_or(0, |list| list.counter().count())
    }
}

impl<T: ?Sized> SlotGroup<T> {
    /// Drops the slots of a dropped signal behind their queued calls.
    pub(crate) fn close(self: &Arc<Self>) {
        // Without links and queued calls there is nothing left that reads it.
        if Arc::strong_count(self) > 1 {
            self.flags().set_signal_dropped();
        }
        // Before the index, which is the key, is free again.
        let has_rare = self.flags().has(EmissionFlags::RARE_PARTS);
        let rare = if has_rare { self.mailbox().remove_extension(self.list.index()) } else { None };
        // Dropped last, as it may panic.
        let mut own = DropLast(None);
        if !self.is_here() {
            self.mailbox().push(Box::new(Cleanup::Remove(self.list.index())));
        } else if thread_state::has_posts() {
            thread_state::push(Box::new(Cleanup::Remove(self.list.index())));
        } else {
            own.0 = thread_state::remove(self.list.index());
        }
        if let Some(rare) = rare {
            rare.close();
        }
    }

    #[inline]
    pub(crate) fn list(&self) -> &ListHandle {
        &self.list
    }

    pub(crate) fn flags(&self) -> &EmissionFlags {
        self.list.flags()
    }

    #[inline]
    pub(crate) fn is_here(&self) -> bool {
        self.address.thread() == thread_state::thread()
    }

    pub(crate) fn address(&self) -> &Address<Poster<T>> {
        &self.address
    }

    pub(crate) fn mailbox(&self) -> &Mailbox {
        self.address.mailbox()
    }
}

impl<T: ?Sized + 'static> Owner for SlotGroup<T> {
    fn counter(&self) -> &SlotCounter {
        self.list.counter()
    }

    fn is_open(&self) -> bool {
        !self.flags().is_signal_dropped() && !self.mailbox().is_closed()
    }

    fn release(&self, link: &Arc<Link>) {
        if self.is_here() {
            self.list.remove(link.sequence());
        } else {
            self.mailbox().push(Box::new(Cleanup::Release(Arc::clone(link))));
        }
    }

    fn has_receiver(&self, link: &Link) -> bool {
        let slots = if self.is_here() { self.list.slots::<T>() } else { None };
        slots.is_none_or(|slots| slots.into_list().is_live(link.sequence()))
    }

    fn unshare(&self, link: &Link) {
        if self.is_here() {
            self.list.unshare(OwnState::of(link));
        }
    }

    fn sweep(&self) {
        let list = self.list.slots::<T>().map_or(List::Empty, Slots::into_list);
        list.end_without_receiver(self.list.counter());
        drop(list);
        self.drop_ended();
    }

    fn clear(&self) {
        self.list.counter().clear();
        self.drop_ended();
    }
}

impl<T: ?Sized + 'static> Extension for Rare<T> {
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn close(&self) {
        for group in self.others().iter() {
            group.close();
        }
        if let Some(direct) = self.direct() {
            direct.drop_all();
        }
    }
}
