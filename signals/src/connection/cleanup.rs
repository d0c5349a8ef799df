//! Dropping in a thread what another thread has ended.

use std::any::Any;
use std::sync::Arc;

use crate::connection::link::{Link, Owner};
use crate::thread::mailbox::Post;
use crate::thread::thread_state;
use crate::unwind::drop_each;

/// Slots that are to be dropped in their thread.
pub(crate) enum Cleanup {
    /// One that another thread disconnected.
    Release(Arc<Link>),
    /// All that another thread disconnected together.
    Sweep(Arc<dyn Owner>),
    /// All of a signal that its object is done with, after the calls that were queued before and
    /// for which the value was kept.
    Clear(Arc<dyn Owner>, Box<dyn Any + Send>),
    /// Those of a signal that is gone, after the calls that were queued before.
    Remove(u32),
}

impl Post for Cleanup {
    fn run(self: Box<Self>) {
        match *self {
            Self::Release(link) => link.owner().release(&link),
            Self::Sweep(owner) => owner.sweep(),
            Self::Clear(owner, _keep) => owner.clear(),
            Self::Remove(index) => drop_each(thread_state::remove(index)),
        }
    }

    fn runs_slots(&self) -> bool {
        false
    }
}
