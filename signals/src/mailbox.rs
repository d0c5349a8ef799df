//! The queue of a thread, as other threads see it.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use event_listener::Event;

use crate::delivery::Deliver;
use crate::link::{Link, Owner};
use crate::tasks::Task;

/// Where other threads leave posts for the thread it belongs to.
pub(crate) struct Mailbox {
    thread: u64,
    /// How many connections the thread has made; written by the thread only.
    connections: AtomicU64,
    has_posts: AtomicBool,
    is_closed: AtomicBool,
    posts: Mutex<VecDeque<Post>>,
    arrival: Event,
}

/// Something that a thread is to do.
pub(crate) enum Post {
    /// Call slots with a copied value.
    Deliver(Box<dyn Deliver>),
    /// Run an async slot until it waits again.
    Step(Arc<Task>),
    /// Drop a slot that another thread disconnected.
    Release(Arc<Link>),
    /// Drop all slots that another thread disconnected together.
    Sweep(Arc<dyn Owner>),
    /// Disconnect all slots, after the calls posted before, for which the value was kept.
    Clear(Arc<dyn Owner>, Box<dyn Any + Send>),
    /// Drop the slots of a signal that is gone, after the calls posted before.
    Remove(u32),
}

impl Mailbox {
    pub(crate) fn new(thread: u64) -> Self {
        Self {
            thread,
            connections: AtomicU64::new(0),
            has_posts: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            posts: Mutex::default(),
            arrival: Event::new(),
        }
    }

    /// Leaves a post and wakes the thread when it waits; drops the post when the thread has ended.
    pub(crate) fn push(&self, post: Post) {
        let mut posts = self.lock();
        if self.is_closed() {
            drop(posts);
            return;
        }
        posts.push_back(post);
        let pending = posts.len();
        self.has_posts.store(true, Ordering::Release);
        drop(posts);

        if pending == 1 {
            self.wake();
        }
        warn_of_backlog(pending);
    }

    /// Moves all posts behind those in `inbox`.
    pub(crate) fn drain_into(&self, inbox: &mut VecDeque<Post>) {
        let mut posts = self.lock();
        self.has_posts.store(false, Ordering::Release);
        if inbox.is_empty() {
            std::mem::swap(&mut *posts, inbox);
        } else {
            inbox.append(&mut posts);
        }
    }

    /// Refuses posts from now on and returns those that were left.
    pub(crate) fn close(&self) -> VecDeque<Post> {
        let mut posts = self.lock();
        self.is_closed.store(true, Ordering::Release);
        std::mem::take(&mut *posts)
    }

    /// Takes the number of the thread's next connection; called by the thread itself.
    pub(crate) fn next_connection(&self) -> u64 {
        let next = self.connections() + 1;
        self.connections.store(next, Ordering::Release);
        next
    }

    /// Wakes those who wait for posts.
    pub(crate) fn wake(&self) {
        self.arrival.notify(usize::MAX);
    }

    pub(crate) fn thread(&self) -> u64 {
        self.thread
    }

    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Acquire)
    }

    pub(crate) fn has_posts(&self) -> bool {
        self.has_posts.load(Ordering::Acquire)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    pub(crate) fn arrival(&self) -> &Event {
        &self.arrival
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Post>> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Post {
    /// Does what the post asks for; tells whether it ran slots.
    pub(crate) fn run(self) -> bool {
        let runs_slots = self.runs_slots();
        match self {
            Self::Deliver(delivery) => delivery.deliver(),
            Self::Step(task) => task.step(),
            Self::Release(link) => link.owner().release(&link),
            Self::Sweep(owner) => owner.sweep(),
            Self::Clear(owner, _keep) => owner.clear(),
            Self::Remove(index) => crate::home::remove(index),
        }
        runs_slots
    }

    pub(crate) fn runs_slots(&self) -> bool {
        matches!(self, Self::Deliver(_) | Self::Step(_))
    }
}

/// Says so when a thread's queue grows as if nobody ran it.
pub(crate) fn warn_of_backlog(pending: usize) {
    if pending == BACKLOG {
        log::warn!("{BACKLOG} queued calls are pending in a thread that does not run them");
    }
}

const BACKLOG: usize = 100_000;
