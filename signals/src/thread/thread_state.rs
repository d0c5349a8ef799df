//! The state of a thread: its slots, and the queue of their calls.
//!
//! No function here runs user code during a borrow: removed values are returned to the caller,
//! which drops them. After the destruction of the thread's locals all functions do nothing.

use std::any::TypeId;
use std::cell::{Cell, OnceCell, RefCell, RefMut};
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sync::thread_local;
use crate::thread::inbox::{Inbox, Kept};
use crate::thread::mailbox::{Mailbox, Post, warn_of_backlog};
use crate::thread::slot_table::{AnySlots, SlotTable};
use crate::unwind::drop_quietly;

/// The slots and the queue of one thread.
struct ThreadState {
    slots: RefCell<SlotTable>,
    inbox: RefCell<Inbox>,
    mailbox: OnceCell<Arc<Mailbox>>,
    /// The types of the posters that the mailbox has.
    posters: RefCell<HashSet<TypeId, BuildHasherDefault<TypeIdHasher>>>,
}

/// Returns the number of the calling thread, or 0 if it has no mailbox yet.
#[inline]
pub(crate) fn thread() -> u64 {
    THREAD.get() & !UNSETTLED
}

/// Returns whether this is the calling thread, with a settled latest connection.
#[inline]
pub(crate) fn is_settled_in(thread: u64) -> bool {
    THREAD.get() == thread
}

/// Returns whether the latest connection of the calling thread is settled.
#[inline]
pub(crate) fn is_settled() -> bool {
    THREAD.get() & UNSETTLED == 0
}

/// Sets whether the latest connection of the calling thread is settled.
#[inline]
pub(crate) fn set_settled(is_settled: bool) {
    THREAD.set(if is_settled { thread() } else { thread() | UNSETTLED });
}

/// Returns the mailbox of the calling thread; `None` when the thread is ending.
pub(crate) fn mailbox() -> Option<Arc<Mailbox>> {
    STATE.try_with(|state| Arc::clone(state.mailbox())).ok()
}

/// Gives the mailbox of the calling thread a poster, which other threads use.
pub(crate) fn set_poster<P: Copy + Send + 'static>(poster: P) {
    let _ = STATE.try_with(|state| {
        if state.posters.borrow_mut().insert(TypeId::of::<P>()) {
            state.mailbox().set_poster(poster);
        }
    });
}

/// Makes empty lists; returns their indices, and the calling thread's mailbox.
pub(crate) fn insert<const N: usize>() -> Option<(Arc<Mailbox>, [u32; N])> {
    let insert = |state: &ThreadState| {
        let mailbox = Arc::clone(state.mailbox());
        let mut slots = state.edit_slots();
        let mut indices = [0; N];
        for index in &mut indices {
            *index = slots.insert()?;
        }
        Some((mailbox, indices))
    };
    STATE.try_with(insert).ok().flatten()
}

/// Removes the list at `index`; the caller drops it.
pub(crate) fn remove(index: u32) -> Option<Rc<dyn AnySlots>> {
    STATE.try_with(|state| state.edit_slots().remove(index)).ok().flatten()
}

/// Removes lists, which the caller drops; `None` if the thread's queue has posts.
pub(crate) fn remove_without_posts<const N: usize>(
    indices: [u32; N],
) -> Option<[Option<Rc<dyn AnySlots>>; N]> {
    let remove = |state: &ThreadState| {
        if state.has_posts() {
            return None;
        }
        let mut slots = state.edit_slots();
        Some(indices.map(|index| slots.remove(index)))
    };
    // When the thread is ending the lists are gone.
    STATE.try_with(remove).unwrap_or(Some([const { None }; N]))
}

/// Empties the lists at `indices`; the caller drops the slots.
pub(crate) fn empty<const N: usize>(indices: [u32; N]) -> [Option<Rc<dyn AnySlots>>; N] {
    let take = |state: &ThreadState| {
        let mut slots = state.edit_slots();
        indices.map(|index| slots.get_mut(index).and_then(Option::take))
    };
    STATE.try_with(take).unwrap_or([const { None }; N])
}

/// Returns how often the lists of the calling thread were edited.
///
/// As long as that is the same, so are the lists.
#[inline]
pub(crate) fn edits() -> u64 {
    EDITS.get()
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
    STATE.try_with(|state| edit(state.edit_slots().get_mut(index)?)).ok().flatten()
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
    STATE.try_with(ThreadState::has_posts).unwrap_or(false)
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
            posters: RefCell::new(HashSet::with_hasher(BuildHasherDefault::new())),
        }
    }

    /// Borrows the lists for an edit.
    #[inline]
    fn edit_slots(&self) -> RefMut<'_, SlotTable> {
        EDITS.set(EDITS.get() + 1);
        self.slots.borrow_mut()
    }

    fn has_posts(&self) -> bool {
        self.inbox.borrow().first().is_some()
            || self.mailbox.get().is_some_and(|mailbox| mailbox.has_posts())
    }

    fn mailbox(&self) -> &Arc<Mailbox> {
        self.mailbox.get_or_init(|| {
            THREAD.set(NEXT_THREAD.fetch_add(1, Ordering::Relaxed));
            Arc::new(Mailbox::new(thread()))
        })
    }
}

/// The hash of a `TypeId`, which is one already.
#[derive(Default)]
struct TypeIdHasher(u64);

impl Hasher for TypeIdHasher {
    fn write(&mut self, bytes: &[u8]) {
        let word = bytes.first_chunk().map_or(0, |word| u64::from_ne_bytes(*word));
        self.0 ^= word;
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

impl Drop for ThreadState {
    fn drop(&mut self) {
        if let Some(mailbox) = self.mailbox.get() {
            // The posts are dropped here, when the mailbox is unlocked.
            drop_quietly(mailbox.close());
        }
        self.inbox.get_mut().drop_all();
        let slots = self.edit_slots().remove_all();
        drop_quietly(slots);
    }
}

thread_local! {
    /// The number of the thread, and whether its latest connection is settled.
    ///
    /// Has no destructor, and so can be read at any time.
    static THREAD: Cell<u64> = const { Cell::new(0) };
    static STATE: ThreadState = const { ThreadState::new() };
}

// Of the standard library in models, too: those of a model cannot be used while others end.
std::thread_local! {
    /// How often the lists were edited.
    static EDITS: Cell<u64> = const { Cell::new(0) };
}

/// In the number of a thread: the latest connection is not settled.
const UNSETTLED: u64 = 1 << 63;

static NEXT_THREAD: AtomicU64 = AtomicU64::new(1);
