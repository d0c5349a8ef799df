//! Mailboxes: the part of a thread's queue that other threads access.

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError};

use crate::sync::{AtomicBool, AtomicU64, Mutex, MutexGuard, Ordering};
use crate::thread::wake_up::WakeUp;

/// The posts of other threads to the thread that owns the mailbox.
pub(crate) struct Mailbox {
    thread: u64,
    /// The number of connections the thread has made; written by the thread only.
    connections: AtomicU64,
    has_posts: AtomicBool,
    is_closed: AtomicBool,
    posts: Mutex<VecDeque<Box<dyn Post>>>,
    /// Parts of signals of the thread, by the indices of their lists.
    extensions: Mutex<BTreeMap<u32, Arc<dyn Extension>>>,
    /// One poster for each type of values that slots of the thread accept.
    posters: Mutex<BTreeMap<TypeId, Box<dyn Any + Send>>>,
    wake_up: WakeUp,
}

/// A task in the queue of a thread.
pub(crate) trait Post: Send {
    /// Runs the task; called in the thread.
    fn run(self: Box<Self>);

    /// Returns whether this is a call, rather than the cleanup of slots.
    fn runs_slots(&self) -> bool;

    /// Returns whether this is a call posted through a `ThreadQueue`.
    fn is_call(&self) -> bool {
        false
    }
}

/// A part of a signal that few signals need, kept apart from its slots.
pub(crate) trait Extension: Any + Send + Sync {
    /// Drops the slots of the part, as the signal is dropped.
    fn close(&self);
}

impl Mailbox {
    pub(crate) fn new(thread: u64) -> Self {
        Self {
            thread,
            connections: AtomicU64::new(0),
            has_posts: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            posts: Mutex::default(),
            extensions: Mutex::default(),
            posters: Mutex::default(),
            wake_up: WakeUp::new(),
        }
    }

    /// Returns the mailbox of a thread that has ended.
    pub(crate) fn closed() -> Self {
        let mailbox = Self::new(u64::MAX);
        mailbox.close();
        mailbox
    }

    /// Appends a post; wakes the thread if the mailbox was empty.
    ///
    /// Returns false, and drops the post, when the thread has ended.
    pub(crate) fn push(&self, post: Box<dyn Post>) -> bool {
        let mut posts = self.lock();
        if self.is_closed() {
            drop(posts);
            return false;
        }
        posts.push_back(post);
        let pending = posts.len();
        self.has_posts.store(true, Ordering::Release);
        drop(posts);

        if pending == 1 {
            self.wake();
        }
        warn_of_backlog(pending);
        true
    }

    /// Moves all posts to the end of `inbox`.
    pub(crate) fn drain_into(&self, inbox: &mut VecDeque<Box<dyn Post>>) {
        let mut posts = self.lock();
        self.has_posts.store(false, Ordering::Release);
        if inbox.is_empty() {
            std::mem::swap(&mut *posts, inbox);
        } else {
            inbox.append(&mut posts);
        }
    }

    /// Refuses further posts and returns the remaining ones.
    pub(crate) fn close(&self) -> VecDeque<Box<dyn Post>> {
        let mut posts = self.lock();
        self.is_closed.store(true, Ordering::Release);
        std::mem::take(&mut *posts)
    }

    /// Returns the sequence number of a new connection; called by the thread itself.
    #[inline]
    pub(crate) fn next_connection(&self) -> u64 {
        let next = self.connections() + 1;
        self.connections.store(next, Ordering::Release);
        next
    }

    /// Wakes the tasks and threads that wait for posts.
    pub(crate) fn wake(&self) {
        self.wake_up.notify();
    }

    pub(crate) fn thread(&self) -> u64 {
        self.thread
    }

    #[inline]
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn has_posts(&self) -> bool {
        self.has_posts.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    pub(crate) fn wake_up(&self) -> &WakeUp {
        &self.wake_up
    }

    /// Returns the extension of the list with this index.
    pub(crate) fn extension(&self, index: u32) -> Option<Arc<dyn Extension>> {
        self.lock_extensions().get(&index).map(Arc::clone)
    }

    /// Returns the extension with this index, made by `new` if there is none.
    pub(crate) fn make_extension(
        &self,
        index: u32,
        new: impl FnOnce() -> Arc<dyn Extension>,
    ) -> Arc<dyn Extension> {
        Arc::clone(self.lock_extensions().entry(index).or_insert_with(new))
    }

    /// Removes the extension of the list with this index; the caller closes it.
    pub(crate) fn remove_extension(&self, index: u32) -> Option<Arc<dyn Extension>> {
        let mut extensions = self.lock_extensions();
        let removed = extensions.remove(&index);
        if extensions.is_empty() {
            // An empty map keeps a node.
            extensions.clear();
        }
        removed
    }

    /// Sets the poster of a type.
    pub(crate) fn set_poster<P: Send + 'static>(&self, poster: P) {
        self.lock_posters().insert(TypeId::of::<P>(), Box::new(poster));
    }

    /// Returns the poster of a type, once a slot of the thread accepts posts.
    pub(crate) fn poster<P: Copy + 'static>(&self) -> Option<P> {
        self.lock_posters().get(&TypeId::of::<P>())?.downcast_ref().copied()
    }

    fn lock_posters(&self) -> MutexGuard<'_, BTreeMap<TypeId, Box<dyn Any + Send>>> {
        self.posters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_extensions(&self) -> MutexGuard<'_, BTreeMap<u32, Arc<dyn Extension>>> {
        self.extensions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Box<dyn Post>>> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logs a warning when the queue of a thread has grown to `BACKLOG` posts.
pub(crate) fn warn_of_backlog(pending: usize) {
    if pending == BACKLOG {
        log::warn!("{BACKLOG} queued calls are pending in a thread that does not run them");
    }
}

const BACKLOG: usize = 100_000;
