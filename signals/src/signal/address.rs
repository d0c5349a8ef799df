//! Where the calls of a thread's slots are posted to, and how.

use std::sync::Arc;

use crate::signal::delivery::Poster;
use crate::sync::OnceLock;
use crate::thread::mailbox::Mailbox;

/// A thread, as all its groups for values of one type see it, which share this.
pub(crate) struct Address<T: ?Sized> {
    thread: u64,
    mailbox: Arc<Mailbox>,
    /// Set once a slot is to be reached through the queue.
    poster: OnceLock<Poster<T>>,
}

impl<T: ?Sized> Address<T> {
    pub(crate) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self { thread: mailbox.thread(), mailbox, poster: OnceLock::new() }
    }

    /// Returns the address of a thread that has ended.
    pub(crate) fn closed() -> Self {
        Self::new(Arc::new(Mailbox::closed()))
    }

    pub(crate) fn set_poster(&self, poster: Poster<T>) {
        self.poster.get_or_init(|| poster);
    }

    #[inline]
    pub(crate) fn thread(&self) -> u64 {
        self.thread
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    pub(crate) fn poster(&self) -> Option<Poster<T>> {
        self.poster.get().copied()
    }
}
