//! The latest connection of a thread, whose slot does not hold its link yet.
//!
//! Most connections are made by a statement that drops the handle. Their slots never hold a link,
//! and their links need no allocation: each takes the block of the one before it.

use std::cell::Cell;
use std::panic::Location;
use std::sync::Arc;

use crate::connection::link::{ConnectionType, Link, Owned};
use crate::sync::{Ordering, fence, thread_local};
use crate::thread::thread_state;

/// Settles the thread's latest connection; precedes each use of its slots.
///
/// The slot gets the link here, if there is still a handle.
#[inline]
pub(crate) fn settle() {
    if !thread_state::is_settled() {
        settle_latest();
    }
}

#[inline(never)]
fn settle_latest() {
    thread_state::set_settled(true);
    let _ = LATEST.try_with(|last| {
        let latest = last.take()?;
        if latest.has_handles() {
            latest.settle();
        } else {
            last.set(latest);
        }
        Some(())
    });
}

/// The latest link of a thread or its block, and the index of its list.
struct Latest {
    link: Arc<Link>,
    index: u32,
}

/// The place of a thread's latest link.
struct LatestPlace(Cell<Option<Latest>>);

impl Latest {
    /// Returns a block with `link`: this one, if it has no other handles.
    fn replace(mut self, link: Link) -> Arc<Link> {
        if let Some(block) = Arc::get_mut(&mut self.link) {
            *block = link;
            return self.link;
        }
        self.settle();
        Arc::new(link)
    }

    /// Returns whether there are handles to the connection, or may be.
    #[inline]
    fn has_handles(&self) -> bool {
        // After the last one is dropped there is no other: an ended connection has no slot then,
        // because a cleanup that is to drop it has a handle, also when the queue is dropped.
        Arc::strong_count(&self.link) > 1
    }

    /// Gives the link to its slot, which leaves it when the last handle is dropped.
    fn settle(self) {
        self.link.set_settled();
        self.share();
    }

    /// Gives the link to its slot.
    fn share(self) {
        let Self { link, index } = self;
        thread_state::edit(index, |list| {
            *list = Some(list.take()?.share(link.sequence(), link));
            Some(())
        });
    }
}

impl LatestPlace {
    fn take(&self) -> Option<Latest> {
        self.0.take()
    }

    fn set(&self, latest: Latest) {
        self.0.set(Some(latest));
    }
}

impl Drop for LatestPlace {
    fn drop(&mut self) {
        // Slots may be called until the end of the thread.
        if let Some(latest) = self.take().filter(Latest::has_handles) {
            latest.share();
        }
    }
}

impl Link {
    /// Makes a link for a slot of the calling thread, in the list with this index.
    ///
    /// Returns false with it if the slot has to hold it; otherwise it is the latest, see [`settle`].
    pub(crate) fn latest(
        kind: ConnectionType,
        sequence: u64,
        location: &'static Location<'static>,
        owned: Owned,
        index: u32,
    ) -> (Arc<Self>, bool) {
        let link = Self::new(kind, sequence, location, owned);
        let link = match LATEST.try_with(LatestPlace::take) {
            Ok(Some(latest)) => latest.replace(link),
            Ok(None) => Arc::new(link),
            // The thread is ending.
            Err(_) => return (Arc::new(link), false),
        };
        let latest = Latest { link: Arc::clone(&link), index };
        let is_latest = LATEST.try_with(|last| last.set(latest)).is_ok();
        if is_latest {
            thread_state::set_settled(false);
        }
        (link, is_latest)
    }

    /// Drops one handle to the connection.
    #[inline]
    pub(crate) fn drop_handle(self: Arc<Self>) {
        if self.is_settled() {
            self.drop_settled();
        }
    }

    fn drop_settled(self: Arc<Self>) {
        // This handle and the slot's are the last: no other can be made any more.
        if Arc::strong_count(&self) == 2 {
            // Synchronizes with all uses of the handles that were dropped before.
            fence(Ordering::Acquire);
            self.unshare();
            self.leave_block();
        }
    }

    /// Leaves the block for the next connection, unless the slot or that has a handle.
    fn leave_block(mut self: Arc<Self>) {
        if let Some(block) = Arc::get_mut(&mut self) {
            block.forget_owner();
            // At the thread's end it is freed.
            let _ = LATEST.try_with(|last| {
                let latest = last.take().unwrap_or(Latest { link: self, index: u32::MAX });
                last.set(latest);
            });
        }
    }
}

thread_local! {
    static LATEST: LatestPlace = const { LatestPlace(Cell::new(None)) };
}
