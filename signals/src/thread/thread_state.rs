//! What a thread keeps: the slots that were connected in it and the queue of their calls.
//!
//! No function here runs user code while it holds a borrow: what is taken out is returned, and
//! dropped by the caller. After the thread has given up its locals, all of them do nothing.

use std::any::{Any, TypeId};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::signal::address::Address;
use crate::slots::any_slots::{AnySlots, Slots};
use crate::slots::list::List;
use crate::sync::thread_local;
use crate::thread::mailbox::{Mailbox, Post, warn_of_backlog};
use crate::unwind::drop_quietly;

/// The slots and the queue of one thread.
struct ThreadState {
    slots: RefCell<SlotTable>,
    inbox: RefCell<Inbox>,
    mailbox: OnceCell<Arc<Mailbox>>,
    /// An [`Address`] for each type of values that the thread has slots for.
    addresses: RefCell<BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

/// The slot lists of a thread, each at the index that its group knows.
struct SlotTable {
    slots: Vec<Option<Rc<dyn AnySlots>>>,
    free: Vec<u32>,
}

/// The posts that were taken from the mailbox, and those from the thread itself.
struct Inbox {
    posts: VecDeque<Box<dyn Post>>,
    /// What posts of the thread itself keep alive, each with the number of its post.
    kept: VecDeque<(u64, Kept)>,
    /// How many posts were taken out since the thread began.
    taken: u64,
}

/// Something that a post keeps alive and that cannot leave the thread.
pub(crate) type Kept = Box<dyn Any>;

/// Returns the number of the calling thread, or 0 when it never connected a slot.
#[inline]
pub(crate) fn thread() -> u64 {
    THREAD.get()
}

/// Returns the mailbox of the calling thread, or `None` at the thread's very end.
pub(crate) fn mailbox() -> Option<Arc<Mailbox>> {
    STATE
        .try_with(|state| {
            let mailbox = state.mailbox.get_or_init(|| {
                THREAD.set(NEXT_THREAD.fetch_add(1, Ordering::Relaxed));
                Arc::new(Mailbox::new(thread()))
            });
            Arc::clone(mailbox)
        })
        .ok()
}

/// Returns where calls with values of type `T` are posted to for the calling thread.
pub(crate) fn address<T: ?Sized + 'static>() -> Option<Arc<Address<T>>> {
    let mailbox = mailbox()?;
    let address = |state: &ThreadState| {
        let mut addresses = state.addresses.borrow_mut();
        let new = || -> Arc<dyn Any + Send + Sync> { Arc::new(Address::<T>::new(mailbox)) };
        Arc::clone(addresses.entry(TypeId::of::<T>()).or_insert_with(new))
    };
    STATE.try_with(address).ok()?.downcast().ok()
}

/// Makes room for a list of slots and returns its index.
pub(crate) fn insert() -> Option<u32> {
    STATE.try_with(|state| state.slots.borrow_mut().insert()).ok().flatten()
}

/// Takes out the list of slots at `index`, to be dropped by the caller.
pub(crate) fn remove(index: u32) -> Option<Rc<dyn AnySlots>> {
    STATE.try_with(|state| state.slots.borrow_mut().remove(index)).ok().flatten()
}

/// Returns the slots at `index` as they are now.
#[expect(clippy::inline_always, reason = "emissions take ten instructions more without it")]
#[inline(always)]
pub(crate) fn slots<T: ?Sized + 'static>(index: u32) -> Option<Rc<dyn Slots<T>>> {
    let any = STATE.try_with(|state| state.slots.borrow().get(index)).ok()??;
    let mut slots = None;
    any.downcast_into(&mut slots);
    slots
}

/// Edits the list at `index`.
///
/// `edit` must not run user code.
pub(crate) fn edit<T: ?Sized + 'static, R>(
    index: u32,
    edit: impl FnOnce(&mut List<T>) -> R,
) -> Option<R> {
    let edit = |state: &ThreadState| {
        let mut table = state.slots.borrow_mut();
        let place = table.get_mut(index)?;
        let mut slots: Option<Rc<dyn Slots<T>>> = None;
        if let Some(any) = place {
            Rc::clone(any).downcast_into(&mut slots);
            // There are none if a later signal has the place, with values of another type.
            slots.as_ref()?;
        }
        // Unless an emission is under way, there is one handle now, and no copy is made.
        *place = None;
        let mut list = slots.map_or(List::Empty, Slots::into_list);
        let edited = edit(&mut list);
        *place = list.into_any();
        Some(edited)
    };
    STATE.try_with(edit).ok().flatten()
}

/// Puts a post of the calling thread into its own queue, behind all that came before.
pub(crate) fn push(post: Box<dyn Post>) {
    push_with(post, |_| {});
}

/// The same for a post that keeps something alive until it has run.
#[cold]
pub(crate) fn push_keeping(post: Box<dyn Post>, kept: Kept) {
    push_with(post, |inbox| {
        let number = inbox.end();
        inbox.kept.push_back((number, kept));
    });
}

fn push_with(post: Box<dyn Post>, keep: impl FnOnce(&mut Inbox)) {
    let push = |state: &ThreadState| {
        let mailbox = state.mailbox.get()?;
        let mut inbox = state.inbox.borrow_mut();
        inbox.fetch(mailbox);
        keep(&mut inbox);
        inbox.posts.push_back(post);
        Some((inbox.posts.len(), Arc::clone(mailbox)))
    };
    if let Ok(Some((pending, mailbox))) = STATE.try_with(push) {
        if pending == 1 {
            mailbox.wake();
        }
        warn_of_backlog(pending);
    }
}

/// Tells whether posts are waiting in the calling thread's queue.
pub(crate) fn has_posts() -> bool {
    let has_posts = |state: &ThreadState| {
        !state.inbox.borrow().posts.is_empty()
            || state.mailbox.get().is_some_and(|mailbox| mailbox.has_posts())
    };
    STATE.try_with(has_posts).unwrap_or(false)
}

/// Runs the posts that are in the queue now, `limit` of them at most; returns how many ran slots.
pub(crate) fn run_posts(limit: u64) -> usize {
    let end = queue_end(limit);
    let mut calls = 0;
    let mut kept = None;
    while let Some(post) = take(&mut kept, |inbox| inbox.taken < end) {
        let _kept = kept.take();
        calls += usize::from(post.runs_slots());
        post.run();
    }
    calls
}

/// Runs the posts that are in the queue now, up to the first call that is not a slot's.
pub(crate) fn run_slots() {
    let end = queue_end(u64::MAX);
    let is_slot = |inbox: &Inbox| inbox.posts.front().is_some_and(|post| !post.is_call());
    let mut kept = None;
    while let Some(post) = take(&mut kept, |inbox| inbox.taken < end && is_slot(inbox)) {
        let _kept = kept.take();
        post.run();
    }
}

/// Drops the posts that are in the queue now.
pub(crate) fn drop_posts() {
    let end = queue_end(u64::MAX);
    let mut kept = None;
    while let Some(post) = take(&mut kept, |inbox| inbox.taken < end) {
        drop_quietly(Some(post));
        drop_quietly(kept.take());
    }
}

/// Returns the number of the post behind those that are in the queue now, `limit` of them at most.
fn queue_end(limit: u64) -> u64 {
    let end = STATE.try_with(|state| {
        let mut inbox = state.inbox.borrow_mut();
        if let Some(mailbox) = state.mailbox.get() {
            inbox.fetch(mailbox);
        }
        inbox.end().min(inbox.taken.saturating_add(limit))
    });
    end.unwrap_or(0)
}

/// Drops what other threads disconnected, as far as no queued call comes first.
pub(crate) fn run_cleanups(mailbox: &Mailbox) {
    if !mailbox.has_posts() {
        return;
    }
    let fetched = STATE.try_with(|state| state.inbox.borrow_mut().fetch(mailbox));
    if fetched.is_err() {
        return;
    }
    let is_cleanup = |inbox: &Inbox| inbox.posts.front().is_some_and(|post| !post.runs_slots());
    while let Some(post) = take(&mut None, is_cleanup) {
        post.run();
    }
}

/// Takes the first post if `wanted` says so; what it keeps is put into `kept`.
fn take(kept: &mut Option<Kept>, wanted: impl FnOnce(&Inbox) -> bool) -> Option<Box<dyn Post>> {
    let take = |state: &ThreadState| {
        let mut inbox = state.inbox.borrow_mut();
        if wanted(&inbox) { inbox.take(kept) } else { None }
    };
    STATE.try_with(take).ok().flatten()
}

impl ThreadState {
    const fn new() -> Self {
        Self {
            slots: RefCell::new(SlotTable { slots: Vec::new(), free: Vec::new() }),
            inbox: RefCell::new(Inbox { posts: VecDeque::new(), kept: VecDeque::new(), taken: 0 }),
            mailbox: OnceCell::new(),
            addresses: RefCell::new(BTreeMap::new()),
        }
    }
}

impl Drop for ThreadState {
    fn drop(&mut self) {
        if let Some(mailbox) = self.mailbox.get() {
            // The posts are dropped here, after the mailbox has let go of its lock.
            drop_quietly(mailbox.close());
        }
        let inbox = self.inbox.get_mut();
        drop_quietly(mem::take(&mut inbox.posts));
        drop_quietly(mem::take(&mut inbox.kept));
        drop_quietly(mem::take(&mut self.slots.get_mut().slots));
    }
}

impl SlotTable {
    fn insert(&mut self) -> Option<u32> {
        if let Some(index) = self.free.pop() {
            return Some(index);
        }
        let index = u32::try_from(self.slots.len()).ok()?;
        self.slots.push(None);
        Some(index)
    }

    fn remove(&mut self, index: u32) -> Option<Rc<dyn AnySlots>> {
        let list = self.slots.get_mut(index as usize)?;
        self.free.push(index);
        list.take()
    }

    #[inline]
    fn get(&self, index: u32) -> Option<Rc<dyn AnySlots>> {
        self.slots.get(index as usize)?.clone()
    }

    fn get_mut(&mut self, index: u32) -> Option<&mut Option<Rc<dyn AnySlots>>> {
        self.slots.get_mut(index as usize)
    }
}

impl Inbox {
    /// Takes over what other threads have posted.
    fn fetch(&mut self, mailbox: &Mailbox) {
        if mailbox.has_posts() {
            mailbox.drain_into(&mut self.posts);
        }
    }

    #[inline]
    fn take(&mut self, kept: &mut Option<Kept>) -> Option<Box<dyn Post>> {
        let post = self.posts.pop_front()?;
        if !self.kept.is_empty() {
            *kept = self.take_kept();
        }
        self.taken += 1;
        if self.posts.is_empty() && self.posts.capacity() > ROOMY {
            self.posts.shrink_to(ROOMY);
        }
        Some(post)
    }

    /// Takes what the post keeps that is being taken.
    #[cold]
    fn take_kept(&mut self) -> Option<Kept> {
        let (number, _) = self.kept.front()?;
        if *number == self.taken { self.kept.pop_front().map(|(_, kept)| kept) } else { None }
    }

    /// Returns the number of the first post that is not in the queue yet.
    fn end(&self) -> u64 {
        self.taken + self.posts.len() as u64
    }
}

thread_local! {
    /// Never dropped, so that it can be asked for at any time.
    static THREAD: Cell<u64> = const { Cell::new(0) };
    static STATE: ThreadState = const { ThreadState::new() };
}

static NEXT_THREAD: AtomicU64 = AtomicU64::new(1);

/// A queue that grew beyond this gives its memory back when it is empty.
const ROOMY: usize = 4096;
