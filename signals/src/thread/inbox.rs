//! Inboxes: the part of a thread's queue that only the thread itself accesses.

use std::any::Any;
use std::collections::VecDeque;
use std::mem;

use crate::thread::mailbox::{Mailbox, Post};
use crate::unwind::drop_quietly;

/// The posts fetched from the mailbox, and the thread's posts to itself.
pub(crate) struct Inbox {
    posts: VecDeque<Box<dyn Post>>,
    /// Values that posts keep alive, each with the number of its post.
    kept: VecDeque<(u64, Kept)>,
    /// The number of posts taken since the thread began.
    taken: u64,
}

/// A value that a post keeps alive, and that is not `Send`.
pub(crate) type Kept = Box<dyn Any>;

impl Inbox {
    pub(crate) const fn new() -> Self {
        Self { posts: VecDeque::new(), kept: VecDeque::new(), taken: 0 }
    }

    /// Moves the posts of other threads here.
    #[inline]
    pub(crate) fn fetch(&mut self, mailbox: &Mailbox) {
        if mailbox.has_posts() {
            mailbox.drain_into(&mut self.posts);
        }
    }

    /// Appends a post; returns the number of posts.
    #[inline]
    pub(crate) fn push(&mut self, post: Box<dyn Post>) -> usize {
        self.posts.push_back(post);
        self.posts.len()
    }

    /// Keeps a value alive until the next post that is pushed has run.
    pub(crate) fn keep(&mut self, kept: Kept) {
        let number = self.end();
        self.kept.push_back((number, kept));
    }

    /// Takes the first post; its value is moved to `kept`.
    #[inline]
    pub(crate) fn take(&mut self, kept: &mut Option<Kept>) -> Option<Box<dyn Post>> {
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

    /// Takes the value of the post that is being taken.
    #[cold]
    fn take_kept(&mut self) -> Option<Kept> {
        let (number, _) = self.kept.front()?;
        if *number == self.taken { self.kept.pop_front().map(|(_, kept)| kept) } else { None }
    }

    /// Drops the posts, then their values; called at the thread's end.
    pub(crate) fn drop_all(&mut self) {
        drop_quietly(mem::take(&mut self.posts));
        drop_quietly(mem::take(&mut self.kept));
    }

    #[inline]
    pub(crate) fn first(&self) -> Option<&dyn Post> {
        self.posts.front().map(|post| &**post)
    }

    /// Returns the number of the first post, counted since the thread began.
    #[inline]
    pub(crate) fn begin(&self) -> u64 {
        self.taken
    }

    /// Returns the number of the next post to be pushed.
    #[inline]
    pub(crate) fn end(&self) -> u64 {
        self.taken + self.posts.len() as u64
    }
}

/// The capacity above which an empty queue frees its memory.
const ROOMY: usize = 4096;
