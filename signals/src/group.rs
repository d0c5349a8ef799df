//! The slots of one signal in one thread, as all threads may see them.

use std::any::Any;
use std::ops::Deref;
use std::panic::Location;
use std::rc::Rc;
use std::sync::{Arc, PoisonError};

use crate::call::Call;
use crate::census::Census;
use crate::chore::Chore;
use crate::connection::Connection;
use crate::delivery::Poster;
use crate::direct::DirectList;
use crate::home;
use crate::link::{Kind, Link, Owner};
use crate::mailbox::Mailbox;
use crate::order::Order;
use crate::slots::{Entry, Slots};
use crate::sync::{AtomicBool, AtomicU32, Mutex, MutexGuard, OnceLock, Ordering};

/// Where the slots of one signal in one thread are, and how many there are.
///
/// A signal points to its first group, which knows those in further threads.
pub(crate) struct Group<T: ?Sized> {
    thread: u64,
    index: u32,
    /// Reasons why an emission on the slots' own thread cannot just call them.
    detours: AtomicU32,
    census: Census,
    mailbox: Arc<Mailbox>,
    /// Set once a slot is to be reached through the queue.
    poster: OnceLock<Poster<T>>,
    rare: OnceLock<Box<Rare<T>>>,
    is_orphan: AtomicBool,
}

/// What only first groups have, and most of them have not.
struct Rare<T: ?Sized> {
    others: Mutex<Arc<Groups<T>>>,
    direct: OnceLock<Arc<DirectList<T>>>,
}

type Groups<T> = Vec<Arc<Group<T>>>;

/// The groups in further threads at one moment; most signals have none.
struct Others<T: ?Sized>(Option<Arc<Groups<T>>>);

impl<T: ?Sized + 'static> Group<T> {
    /// Makes a group for the calling thread, or none at the thread's very end.
    pub(crate) fn new() -> Option<Arc<Self>> {
        let mailbox = home::mailbox()?;
        let index = home::insert(Rc::new(Slots::<T>::new()))?;
        Some(Arc::new(Self {
            thread: mailbox.thread(),
            index,
            detours: AtomicU32::new(0),
            census: Census::new(),
            mailbox,
            poster: OnceLock::new(),
            rare: OnceLock::new(),
            is_orphan: AtomicBool::new(false),
        }))
    }

    /// Returns the group of the calling thread; asked of the first group.
    pub(crate) fn of_this_thread(self: &Arc<Self>) -> Option<Arc<Self>> {
        if self.is_here() {
            return Some(Arc::clone(self));
        }
        let here = home::thread();
        if let Some(found) = self.others().iter().find(|group| group.thread == here) {
            return Some(Arc::clone(found));
        }
        let group = Self::new()?;
        self.edit_others(|others| others.push(Arc::clone(&group)));
        Some(group)
    }

    /// Connects a slot that runs on any thread; asked of the first group.
    pub(crate) fn attach_direct(
        &self,
        call: Arc<dyn Call<T> + Send + Sync>,
        location: &'static Location<'static>,
    ) -> Connection {
        let rare = self.rare.get_or_init(Box::default);
        let connection = rare.direct.get_or_init(Arc::default).attach(call, location);
        self.detours.fetch_or(DIRECT, Ordering::AcqRel);
        connection
    }

    /// Connects a slot of the calling thread, which is the group's own.
    pub(crate) fn attach(
        self: Arc<Self>,
        kind: Kind,
        poster: Option<Poster<T>>,
        call: Box<dyn Call<T>>,
        location: &'static Location<'static>,
    ) -> Connection {
        home::run_chores(&self.mailbox);
        if let Some(poster) = poster {
            self.poster.get_or_init(|| poster);
        }
        if kind == Kind::Queued {
            self.detours.fetch_or(QUEUED, Ordering::AcqRel);
        }
        let index = self.index;
        let sequence = self.mailbox.next_connection();
        let link = Arc::new(Link::new(kind, sequence, location, self));
        let entry = Entry { link: Arc::clone(&link), call };
        match home::edit(index, |slots| slots.push(entry)) {
            Some(true) => link.owner().sweep(),
            Some(false) => {}
            None => _ = link.end(),
        }
        Connection::new(link)
    }

    /// Calls the slots; asked of the first group.
    ///
    /// Not inlined, so that an emission without slots is nothing but a look.
    #[inline(never)]
    pub(crate) fn emit(&self, value: &T) {
        if self.is_here() && self.detours.load(Ordering::Relaxed) == 0 {
            home::share::<T>(self.index, |slots| slots.call(&self.census, value));
        } else {
            self.emit_everywhere(value);
        }
    }

    /// Calls the slots of this thread and those of none, and posts to the other threads.
    #[inline(never)]
    fn emit_everywhere(&self, value: &T) {
        let others = self.others();
        let here = home::thread();
        let groups = || std::iter::once(self).chain(others.iter().map(|group| &**group));
        // What is connected from here on has no part in this emission.
        let direct = self.rare.get().and_then(|rare| rare.direct.get());
        let direct = direct.map(|list| (list, list.entries()));

        // Posted before a slot runs: what the slots emit comes later, in other threads as well.
        for group in groups().filter(|group| group.thread != here) {
            group.post(value, false);
        }
        if let Some(own) = groups().find(|group| group.thread == here) {
            home::share::<T>(own.index, |slots| {
                if slots.has_queued() {
                    own.post(value, true);
                } else {
                    own.detours.fetch_and(!QUEUED, Ordering::AcqRel);
                }
                slots.call(&own.census, value);
            });
        }
        if let Some((list, entries)) = direct {
            list.call(&entries, value);
            if entries.is_empty() {
                self.leave_direct(list);
            }
        }
        if others.iter().any(|group| group.mailbox.is_closed()) {
            self.edit_others(|_| {});
        }
    }

    /// Sends a copy of `value` to the slots, unless nobody would get it.
    fn post(&self, value: &T, only_queued: bool) {
        let Some(poster) = self.poster.get() else { return };
        if self.census.count() == 0 || self.mailbox.is_closed() {
            return;
        }
        let last = self.mailbox.connections();
        let post = poster(value, Order { index: self.index, last, only_queued });
        if only_queued {
            home::push(post);
        } else {
            self.mailbox.push(post);
        }
    }

    /// Lets emissions take the short way again, as there are no direct slots left.
    fn leave_direct(&self, list: &DirectList<T>) {
        self.detours.fetch_and(!DIRECT, Ordering::AcqRel);
        if !list.entries().is_empty() {
            // Somebody has connected meanwhile.
            self.detours.fetch_or(DIRECT, Ordering::AcqRel);
        }
    }

    /// Edits the list of groups and drops those whose threads have ended; asked of the first group.
    fn edit_others(&self, edit: impl FnOnce(&mut Groups<T>)) {
        let rare = self.rare.get_or_init(Box::default);
        let mut others = rare.lock_others();
        let open = others.iter().filter(|group| !group.mailbox.is_closed());
        let mut groups: Groups<T> = open.map(Arc::clone).collect();
        edit(&mut groups);
        if groups.is_empty() {
            self.detours.fetch_and(!ELSEWHERE, Ordering::AcqRel);
        } else {
            self.detours.fetch_or(ELSEWHERE, Ordering::AcqRel);
        }
        let before = std::mem::replace(&mut *others, Arc::new(groups));
        drop(others);
        drop(before);
    }

    /// Disconnects all slots of the signal; asked of the first group.
    pub(crate) fn disconnect_all(self: &Arc<Self>) {
        let others = self.others();
        let groups = || std::iter::once(self).chain(others.iter());
        // First all are disconnected, then dropped: what is connected meanwhile stays.
        groups().for_each(|group| group.census.clear());
        if let Some(direct) = self.rare.get().and_then(|rare| rare.direct.get()) {
            direct.drop_all();
        }
        for group in groups() {
            if group.is_here() {
                group.sweep();
            } else {
                let owner: Arc<dyn Owner> = Arc::<Self>::clone(group);
                group.mailbox.push(Box::new(Chore::Sweep(owner)));
            }
        }
    }

    /// Disconnects all slots of the signal behind the calls that are queued, and keeps a value until
    /// then; asked of the first group.
    pub(crate) fn finish(self: &Arc<Self>, keep: &dyn Fn() -> Box<dyn Any + Send>) {
        let others = self.others();
        for group in std::iter::once(self).chain(others.iter()) {
            let owner: Arc<dyn Owner> = Arc::<Self>::clone(group);
            if !group.is_here() {
                group.mailbox.push(Box::new(Chore::Clear(owner, keep())));
            } else if home::has_posts() {
                home::push(Box::new(Chore::Clear(owner, keep())));
            } else {
                owner.clear();
            }
        }
        if let Some(direct) = self.rare.get().and_then(|rare| rare.direct.get()) {
            direct.drop_all();
        }
    }

    /// Counts the connected slots of the signal; asked of the first group.
    pub(crate) fn slot_count(&self) -> usize {
        let others = self.others();
        let groups = std::iter::once(self).chain(others.iter().map(|group| &**group));
        let counts = groups.filter(|group| group.is_open()).map(|group| {
            if group.is_here() {
                group.sweep();
            }
            group.census.count()
        });
        let direct = self.rare.get().and_then(|rare| rare.direct.get());
        counts.sum::<usize>() + direct.map_or(0, |list| list.census().count())
    }
}

impl<T: ?Sized> Group<T> {
    /// Drops all slots, because the signal is gone; queued calls are delivered before.
    pub(crate) fn retire(&self) {
        self.is_orphan.store(true, Ordering::Release);
        if !self.is_here() {
            self.mailbox.push(Box::new(Chore::Remove(self.index)));
        } else if home::has_posts() {
            home::push(Box::new(Chore::Remove(self.index)));
        } else {
            home::remove(self.index);
        }
        for group in self.others().iter() {
            group.retire();
        }
        if let Some(direct) = self.rare.get().and_then(|rare| rare.direct.get()) {
            direct.drop_all();
        }
    }

    #[inline]
    fn is_here(&self) -> bool {
        self.thread == home::thread()
    }

    fn others(&self) -> Others<T> {
        Others(self.rare.get().map(|rare| Arc::clone(&rare.lock_others())))
    }
}

impl<T: ?Sized + 'static> Owner for Group<T> {
    fn census(&self) -> &Census {
        &self.census
    }

    fn is_open(&self) -> bool {
        !self.is_orphan.load(Ordering::Acquire) && !self.mailbox.is_closed()
    }

    fn release(&self, link: &Arc<Link>) {
        if !self.is_here() {
            self.mailbox.push(Box::new(Chore::Release(Arc::clone(link))));
            return;
        }
        // The slot is returned, and so dropped after the list was let go.
        let removed = home::edit::<T, _>(self.index, |slots| slots.remove(link));
        drop(removed);
    }

    fn sweep(&self) {
        home::share::<T>(self.index, Slots::end_without_receiver);
    }

    fn clear(&self) {
        self.census.clear();
        self.sweep();
    }
}

impl<T: ?Sized> Rare<T> {
    fn lock_others(&self) -> MutexGuard<'_, Arc<Groups<T>>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: ?Sized> Deref for Others<T> {
    type Target = [Arc<Group<T>>];

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().map_or(&[], |groups| groups)
    }
}

impl<T: ?Sized> Default for Rare<T> {
    fn default() -> Self {
        Self { others: Mutex::default(), direct: OnceLock::new() }
    }
}

/// The list has slots that are called through the queue.
const QUEUED: u32 = 1;
/// The signal has slots in other threads.
const ELSEWHERE: u32 = 2;
/// The signal has slots that run on any thread.
const DIRECT: u32 = 4;
