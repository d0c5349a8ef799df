//! Slot groups: the slots of one signal in one thread, reachable from all threads.

use std::any::Any;
use std::ops::Deref;
use std::panic::Location;
use std::rc::Rc;
use std::sync::{Arc, PoisonError};

use crate::connection::Connection;
use crate::connection::link::{Cleanup, ConnectionType, Link, Owner};
use crate::connection::slot_counter::SlotCounter;
use crate::queue::delivery_guard::SharedSender;
use crate::slots::call::Call;
use crate::slots::direct::DirectList;
use crate::slots::emission_flags::EmissionFlags;
use crate::slots::list::{List, Slot, Slots};
use crate::slots::list_handle::ListHandle;
use crate::slots::slot::ConnectedSlot;
use crate::slots::slot_state::{SlotState, Target};
use crate::sync::{Mutex, MutexGuard, OnceLock};
use crate::thread::mailbox::{Address, Mailbox, Post};
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
    rare: OnceLock<Box<RareParts<T>>>,
}

/// The parts of a first group that few signals need.
struct RareParts<T: ?Sized> {
    others: Mutex<Arc<Groups<T>>>,
    direct: OnceLock<Arc<DirectList<T>>>,
    /// The signal's sender, which queued calls keep alive.
    sender: OnceLock<SharedSender>,
}

type Groups<T> = Vec<Arc<SlotGroup<T>>>;

/// Makes a post that carries a copy of `value`.
///
/// A plain function, so that emissions have no bounds on `T`.
pub(crate) type Poster<T> = fn(
    value: &T,
    group: &Arc<SlotGroup<T>>,
    target: Target,
    sender: Option<&SharedSender>,
) -> Box<dyn Post>;

/// The groups in further threads at one moment; most signals have none.
pub(crate) struct Others<T: ?Sized>(Option<Arc<Groups<T>>>);

impl<T: ?Sized + 'static> SlotGroup<T> {
    /// Makes a group for the calling thread; `None` when the thread is ending.
    pub(crate) fn new() -> Option<Arc<Self>> {
        let address = thread_state::address()?;
        Some(Arc::new(Self::at(address, ListHandle::new()?)))
    }

    /// Makes a group of no thread, as the first group of a signal in an ending thread.
    pub(crate) fn of_no_thread() -> Arc<Self> {
        Arc::new(Self::at(Arc::new(Address::closed()), ListHandle::of_no_thread()))
    }

    fn at(address: Arc<Address<Poster<T>>>, list: ListHandle) -> Self {
        Self { address, list, rare: OnceLock::new() }
    }

    /// Returns the group of the calling thread, which is not the first one; of the first group.
    pub(crate) fn of_this_thread(&self) -> Option<Arc<Self>> {
        let here = thread_state::thread();
        if let Some(found) = self.others().iter().find(|group| group.address.thread() == here) {
            return Some(Arc::clone(found));
        }
        let group = Self::new()?;
        self.edit_others(|others| others.push(Arc::clone(&group)));
        Some(group)
    }

    /// Connects a slot that runs on any thread; of the first group.
    pub(crate) fn connect_direct(
        &self,
        call: Arc<dyn Call<T> + Send + Sync>,
        location: &'static Location<'static>,
    ) -> Connection {
        let rare = self.rare.get_or_init(Box::default);
        rare.direct.get_or_init(Arc::default).attach(call, location, self.flags())
    }

    /// Sets the sender that queued calls keep alive; of the first group.
    pub(crate) fn set_sender(&self, sender: impl FnOnce() -> Option<SharedSender>) {
        if self.sender().is_none()
            && let Some(sender) = sender()
        {
            // If another thread was faster, it has set the same one.
            let _: Result<_, _> = self.rare.get_or_init(Box::default).sender.set(sender);
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
        Arc::new(Link::new(kind, sequence, location, owner))
    }

    fn attach(&self, link: Arc<Link>, slot: Rc<dyn Slot<T>>) -> Connection {
        match self.list.edit(|list| list.push(slot)) {
            Some(true) => self.sweep(),
            Some(false) => {}
            None => _ = link.end(),
        }
        Connection::new(link)
    }

    /// Drops the groups of ended threads; of the first group.
    pub(crate) fn drop_ended_groups(&self) {
        self.edit_others(|_| {});
    }

    /// Edits the list of groups and drops those of ended threads; of the first group.
    fn edit_others(&self, edit: impl FnOnce(&mut Groups<T>)) {
        let rare = self.rare.get_or_init(Box::default);
        let mut others = rare.lock_others();
        let open = others.iter().filter(|group| !group.mailbox().is_closed());
        let mut groups: Groups<T> = open.map(Arc::clone).collect();
        edit(&mut groups);
        if groups.is_empty() {
            self.flags().remove(EmissionFlags::OTHER_THREADS);
        } else {
            self.flags().add(EmissionFlags::OTHER_THREADS);
        }
        let before = std::mem::replace(&mut *others, Arc::new(groups));
        drop(others);
        drop(before);
    }

    /// Disconnects all slots of the signal; of the first group.
    pub(crate) fn disconnect_all(self: &Arc<Self>) {
        let others = self.others();
        let groups = || std::iter::once(self).chain(others.iter());
        // All are disconnected before any is dropped: slots connected meanwhile stay.
        groups().for_each(|group| group.list.counter().clear());
        if let Some(direct) = self.direct() {
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
        let others = self.others();
        for group in std::iter::once(self).chain(others.iter()) {
            let owner: Arc<dyn Owner> = Arc::<Self>::clone(group);
            if !group.is_here() {
                group.mailbox().push(Box::new(Cleanup::Clear(owner, keep())));
            } else if thread_state::has_posts() {
                thread_state::push(Box::new(Cleanup::Clear(owner, keep())));
            } else {
                owner.clear();
            }
        }
        if let Some(direct) = self.direct() {
            direct.drop_all();
        }
    }

    /// Counts the connected slots of the signal; of the first group.
    pub(crate) fn slot_count(&self) -> usize {
        let others = self.others();
        let groups = std::iter::once(self).chain(others.iter().map(|group| &**group));
        let counts = groups.filter(|group| group.is_open()).map(|group| {
            if group.is_here() {
                group.sweep();
            }
            group.list.counter().count()
        });
        let direct = self.direct();
        counts.sum::<usize>() + direct.map_or(0, |list| list.counter().count())
    }
}

impl<T: ?Sized> SlotGroup<T> {
    /// Drops the slots of a dropped signal behind their queued calls.
    pub(crate) fn close(&self) {
        self.flags().set_signal_dropped();
        // Dropped last, as it may panic.
        let mut own = DropLast(None);
        if !self.is_here() {
            self.mailbox().push(Box::new(Cleanup::Remove(self.list.index())));
        } else if thread_state::has_posts() {
            thread_state::push(Box::new(Cleanup::Remove(self.list.index())));
        } else {
            own.0 = thread_state::remove(self.list.index());
        }
        for group in self.others().iter() {
            group.close();
        }
        if let Some(direct) = self.direct() {
            direct.drop_all();
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

    /// Returns the groups in further threads; of the first group.
    pub(crate) fn others(&self) -> Others<T> {
        Others(self.rare.get().map(|rare| Arc::clone(&rare.lock_others())))
    }

    /// Returns the slots that run on any thread; of the first group.
    pub(crate) fn direct(&self) -> Option<&Arc<DirectList<T>>> {
        self.rare.get()?.direct.get()
    }

    /// Returns the sender that queued calls keep alive; of the first group.
    pub(crate) fn sender(&self) -> Option<&SharedSender> {
        self.rare.get()?.sender.get()
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
            self.list.edit::<T, _>(|list| list.unshare(link));
        }
    }

    fn sweep(&self) {
        let list = self.list.slots::<T>().map_or(List::Empty, Slots::into_list);
        list.end_without_receiver(self.list.counter());
        drop(list);
        if self.flags().is_signal_dropped() {
            // A dropped receiver may have dropped the signal, and the index may have a new list.
            return;
        }
        let ended = self.list.edit::<T, _>(|list| list.remove_ended(self.list.counter()));
        drop_each(ended.unwrap_or_default());
    }

    fn clear(&self) {
        self.list.counter().clear();
        self.sweep();
    }
}

impl<T: ?Sized> RareParts<T> {
    fn lock_others(&self) -> MutexGuard<'_, Arc<Groups<T>>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: ?Sized> Deref for Others<T> {
    type Target = [Arc<SlotGroup<T>>];

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().map_or(&[], |groups| groups)
    }
}

impl<T: ?Sized> Default for RareParts<T> {
    fn default() -> Self {
        Self { others: Mutex::default(), direct: OnceLock::new(), sender: OnceLock::new() }
    }
}
