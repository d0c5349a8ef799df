//! The posts of a thread's queue, as the thread itself sees them.

use std::any::Any;
use std::collections::VecDeque;
use std::mem;

use crate::thread::mailbox::{Mailbox, Post};
use crate::unwind::drop_quietly;

/// The posts that were taken from the mailbox, and those from the thread itself.
pub(crate) struct Inbox {
    posts: VecDeque<Box<dyn Post>>,
    /// What posts of the thread itself keep alive, each with the number of its post.
    kept: VecDeque<(u64, Kept)>,
    /// How many posts were taken out since the thread began.
    taken: u64,
}

/// Something that a post keeps alive and that cannot leave the thread.
pub(crate) type Kept = Box<dyn Any>;

impl Inbox {
    pub(crate) const fn new() -> Self {
        Self { posts: VecDeque::new(), kept: VecDeque::new(), taken: 0 }
    }

    /// Takes over what other threads have posted.
    #[inline]
    pub(crate) fn fetch(&mut self, mailbox: &Mailbox) {
        if mailbox.has_posts() {
            mailbox.drain_into(&mut self.posts);
        }
    }

    /// Puts a post behind the others; returns how many there are now.
    #[inline]
    pub(crate) fn push(&mut self, post: Box<dyn Post>) -> usize {
        self.posts.push_back(post);
        self.posts.len()
    }

    /// Keeps something alive until the next post that is pushed has run.
    pub(crate) fn keep(&mut self, kept: Kept) {
        let number = self.end();
        self.kept.push_back((number, kept));
    }

    /// Takes the first post; what it keeps is put into `kept`.
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

    /// Takes what the post keeps that is being taken.
    #[cold]
    fn take_kept(&mut self) -> Option<Kept> {
        let (number, _) = self.kept.front()?;
        if *number == self.taken { self.kept.pop_front().map(|(_, kept)| kept) } else { None }
    }

    /// Drops the posts, and then what they keep; called at the thread's end.
    pub(crate) fn drop_all(&mut self) {
        drop_quietly(mem::take(&mut self.posts));
        drop_quietly(mem::take(&mut self.kept));
    }

    #[inline]
    pub(crate) fn first(&self) -> Option<&dyn Post> {
        self.posts.front().map(|post| &**post)
    }

    /// Returns the number of the first post, which is how many were taken before it.
    #[inline]
    pub(crate) fn begin(&self) -> u64 {
        self.taken
    }

    /// Returns the number of the first post that is not in the queue yet.
    #[inline]
    pub(crate) fn end(&self) -> u64 {
        self.taken + self.posts.len() as u64
    }
}

/// A queue that grew beyond this gives its memory back when it is empty.
const ROOMY: usize = 4096;
