//! The state of a thread: its slots, and the queue of their calls.
//!
//! No function here runs user code during a borrow: removed values are returned to the caller,
//! which drops them. After the destruction of the thread's locals all functions do nothing.

use std::any::{Any, TypeId};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sync::thread_local;
use crate::thread::inbox::{Inbox, Kept};
use crate::thread::mailbox::{Address, Mailbox, Post, warn_of_backlog};
use crate::thread::slot_table::{AnySlots, SlotTable};
use crate::unwind::drop_quietly;

/// The slots and the queue of one thread.
struct ThreadState {
    slots: RefCell<SlotTable>,
    inbox: RefCell<Inbox>,
    mailbox: OnceCell<Arc<Mailbox>>,
    /// An [`Address`] for each value type of the thread's slots.
    addresses: RefCell<BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

/// Returns the number of the calling thread, or 0 if it has no mailbox yet.
#[inline]
pub(crate) fn thread() -> u64 {
    THREAD.get()
}

/// Returns the mailbox of the calling thread; `None` when the thread is ending.
pub(crate) fn mailbox() -> Option<Arc<Mailbox>> {
    STATE.try_with(|state| Arc::clone(state.mailbox())).ok()
}

/// Returns the address of the calling thread for posters of type `P`.
pub(crate) fn address<P: Send + Sync + 'static>() -> Option<Arc<Address<P>>> {
    let address = |state: &ThreadState| {
        let mut addresses = state.addresses.borrow_mut();
        let new = || -> Arc<dyn Any + Send + Sync> {
            Arc::new(Address::<P>::new(Arc::clone(state.mailbox())))
        };
        Arc::clone(addresses.entry(TypeId::of::<P>()).or_insert_with(new))
    };
    STATE.try_with(address).ok()?.downcast().ok()
}

/// Makes an empty place for a list and returns its index.
pub(crate) fn insert() -> Option<u32> {
    STATE.try_with(|state| state.slots.borrow_mut().insert()).ok().flatten()
}

/// Removes the list at `index`; the caller drops it.
pub(crate) fn remove(index: u32) -> Option<Rc<dyn AnySlots>> {
    STATE.try_with(|state| state.slots.borrow_mut().remove(index)).ok().flatten()
}

/// Returns the current list at `index`.
#[expect(clippy::inline_always, reason = "emissions take ten instructions more without it")]
#[inline(always)]
pub(crate) fn list(index: u32) -> Option<Rc<dyn AnySlots>> {
    STATE.try_with(|state| state.slots.borrow().get(index)).ok()?
}

/// Edits the list at `index`; `edit` must not run user code.
pub(crate) fn edit<R>(
    index: u32,
    edit: impl FnOnce(&mut Option<Rc<dyn AnySlots>>) -> Option<R>,
) -> Option<R> {
    STATE.try_with(|state| edit(state.slots.borrow_mut().get_mut(index)?)).ok().flatten()
}

/// Appends a post of the calling thread to its own queue, behind all earlier posts.
pub(crate) fn push(post: Box<dyn Post>) {
    push_with(post, |_| {});
}

/// Appends a post that keeps a value alive until it has run.
#[cold]
pub(crate) fn push_keeping(post: Box<dyn Post>, kept: Kept) {
    push_with(post, |inbox| inbox.keep(kept));
}

fn push_with(post: Box<dyn Post>, keep: impl FnOnce(&mut Inbox)) {
    let push = |state: &ThreadState| {
        let mailbox = state.mailbox.get()?;
        let mut inbox = state.inbox.borrow_mut();
        inbox.fetch(mailbox);
        keep(&mut inbox);
        Some((inbox.push(post), Arc::clone(mailbox)))
    };
    if let Ok(Some((pending, mailbox))) = STATE.try_with(push) {
        if pending == 1 {
            mailbox.wake();
        }
        warn_of_backlog(pending);
    }
}

/// Returns whether there are posts in the calling thread's queue.
pub(crate) fn has_posts() -> bool {
    let has_posts = |state: &ThreadState| {
        state.inbox.borrow().first().is_some()
            || state.mailbox.get().is_some_and(|mailbox| mailbox.has_posts())
    };
    STATE.try_with(has_posts).unwrap_or(false)
}

/// Runs at most `limit` posts of the current queue; returns the number of calls.
pub(crate) fn run_posts(limit: u64) -> usize {
    let end = queue_end(limit);
    let mut calls = 0;
    let mut kept = None;
    while let Some(post) = take(&mut kept, |inbox| inbox.begin() < end) {
        let _kept = kept.take();
        calls += usize::from(post.runs_slots());
        post.run();
    }
    calls
}

/// Runs the posts that are in the queue now, up to the first posted call.
pub(crate) fn run_slots() {
    let end = queue_end(u64::MAX);
    let is_slot = |inbox: &Inbox| inbox.first().is_some_and(|post| !post.is_call());
    let mut kept = None;
    while let Some(post) = take(&mut kept, |inbox| inbox.begin() < end && is_slot(inbox)) {
        let _kept = kept.take();
        post.run();
    }
}

/// Drops the posts that are in the queue now.
pub(crate) fn drop_posts() {
    let end = queue_end(u64::MAX);
    let mut kept = None;
    while let Some(post) = take(&mut kept, |inbox| inbox.begin() < end) {
        drop_quietly(Some(post));
        drop_quietly(kept.take());
    }
}

/// Returns the number of the post at which a run of at most `limit` posts ends.
fn queue_end(limit: u64) -> u64 {
    let end = STATE.try_with(|state| {
        let mut inbox = state.inbox.borrow_mut();
        if let Some(mailbox) = state.mailbox.get() {
            inbox.fetch(mailbox);
        }
        inbox.end().min(inbox.begin().saturating_add(limit))
    });
    end.unwrap_or(0)
}

/// Runs the cleanups at the front of the queue, up to the first call.
pub(crate) fn run_cleanups(mailbox: &Mailbox) {
    if !mailbox.has_posts() {
        return;
    }
    let fetched = STATE.try_with(|state| state.inbox.borrow_mut().fetch(mailbox));
    if fetched.is_err() {
        return;
    }
    let is_cleanup = |inbox: &Inbox| inbox.first().is_some_and(|post| !post.runs_slots());
    while let Some(post) = take(&mut None, is_cleanup) {
        post.run();
    }
}

/// Takes the first post if it is `wanted`; its value is moved to `kept`.
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
            slots: RefCell::new(SlotTable::new()),
            inbox: RefCell::new(Inbox::new()),
            mailbox: OnceCell::new(),
            addresses: RefCell::new(BTreeMap::new()),
        }
    }

    fn mailbox(&self) -> &Arc<Mailbox> {
        self.mailbox.get_or_init(|| {
            THREAD.set(NEXT_THREAD.fetch_add(1, Ordering::Relaxed));
            Arc::new(Mailbox::new(thread()))
        })
    }
}

impl Drop for ThreadState {
    fn drop(&mut self) {
        if let Some(mailbox) = self.mailbox.get() {
            // The posts are dropped here, when the mailbox is unlocked.
            drop_quietly(mailbox.close());
        }
        self.inbox.get_mut().drop_all();
        drop_quietly(self.slots.get_mut().remove_all());
    }
}

thread_local! {
    /// Has no destructor, and so can be read at any time.
    static THREAD: Cell<u64> = const { Cell::new(0) };
    static STATE: ThreadState = const { ThreadState::new() };
}

static NEXT_THREAD: AtomicU64 = AtomicU64::new(1);
