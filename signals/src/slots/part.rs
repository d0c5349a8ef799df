//! Parts: the slots of one signal in one thread, reachable from all threads.

use std::panic::Location;
use std::sync::Arc;

use crate::connection::latest;
use crate::connection::link::{ConnectionType, Link, Owner};
use crate::queue::delivery_guard::SharedSender;
use crate::slots::emission_flags::EmissionFlags;
use crate::slots::list_handle::ListHandle;
use crate::slots::slot_state::{SlotState, Target};
use crate::thread::mailbox::{Mailbox, Post};
use crate::thread::thread_state;
use crate::unwind::drop_each;

/// The slots of one signal in one thread, with the queue of that thread.
///
/// A signal has a first part, that of the thread which connected first. Its rare parts have the
/// list of the parts in further threads; methods "of the first part" are for the whole signal.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    mailbox: &'a Mailbox,
    list: &'a ListHandle,
}

/// A handle to a part, which keeps the group that the part belongs to.
#[derive(Clone)]
pub(crate) struct PartHandle {
    group: Arc<dyn Group>,
    position: usize,
}

/// The parts of signals of one object in one thread, in one allocation.
pub(crate) trait Group: Owner {
    /// Returns the part of the signal at `position`, which is less than their number.
    fn part(&self, position: usize) -> Part<'_>;

    /// Makes the link of a slot of the calling thread, to which the group belongs.
    fn link(self: Arc<Self>, position: usize, slot: NewSlot) -> Linked;

    /// Drops the slots of the dropped signals behind their queued calls.
    fn close(&self);
}

/// What a new slot's link and list need to know of it.
#[derive(Clone, Copy)]
pub(crate) struct NewSlot {
    pub(crate) kind: ConnectionType,
    pub(crate) location: &'static Location<'static>,
    /// Gives the mailbox the poster, if the slot can be called through the queue.
    pub(crate) set_poster: Option<fn()>,
}

/// The link of a new slot.
pub(crate) struct Linked {
    pub(crate) link: Arc<Link>,
    /// The state of the slot.
    pub(crate) state: SlotState,
    /// The index of the list for the slot.
    pub(crate) index: u32,
}

/// Makes a post that carries a copy of `value`.
///
/// A plain function, so that emissions have no bounds on `T`.
pub(crate) type Poster<T> =
    fn(value: &T, part: PartHandle, target: Target, sender: Option<&SharedSender>) -> Box<dyn Post>;

/// Whether a slot can be called through its thread's queue.
pub(crate) trait Posting<T: ?Sized> {
    const POSTER: Option<Poster<T>>;
    /// Gives the poster to the mailbox of the calling thread.
    const SET_POSTER: Option<fn()>;
}

/// The posting of slots that emissions of other threads do not reach.
pub(crate) struct Unposted;

impl<'a> Part<'a> {
    #[inline]
    pub(crate) fn new(mailbox: &'a Mailbox, list: &'a ListHandle) -> Self {
        Self { mailbox, list }
    }

    #[inline]
    pub(crate) fn list(self) -> &'a ListHandle {
        self.list
    }

    #[inline]
    pub(crate) fn flags(self) -> &'a EmissionFlags {
        self.list.flags()
    }

    #[inline]
    pub(crate) fn mailbox(self) -> &'a Mailbox {
        self.mailbox
    }

    #[inline]
    pub(crate) fn is_here(self) -> bool {
        self.mailbox.thread() == thread_state::thread()
    }

    /// Returns whether the part is of this thread, and its slots may be used.
    ///
    /// False as well before [`latest::settle`].
    #[inline]
    pub(crate) fn is_settled_here(self) -> bool {
        thread_state::is_settled_in(self.mailbox.thread())
    }

    /// Returns whether an emission calls the slots of this thread, and no others.
    #[inline]
    pub(crate) fn takes_fast_path(self) -> bool {
        self.is_settled_here() && self.flags().are_clear()
    }

    /// Returns whether both the signal and the thread exist.
    pub(crate) fn is_open(self) -> bool {
        !self.flags().is_signal_dropped() && !self.mailbox.is_closed()
    }

    /// Drops ended slots and those without receivers; called in their thread.
    pub(crate) fn sweep(self) {
        latest::settle();
        let counter = self.list.counter();
        let slots = thread_state::list(self.list.index());
        if let Some(slots) = &slots {
            slots.end_without_receiver(counter);
        }
        drop(slots);
        if self.flags().is_signal_dropped() {
            // A dropped receiver may have dropped the signal, and the index may have a new list.
            return;
        }
        drop_each(self.list.take_ended());
    }
}

impl PartHandle {
    #[inline]
    pub(crate) fn new(group: Arc<dyn Group>, position: usize) -> Self {
        Self { group, position }
    }

    #[inline]
    pub(crate) fn part(&self) -> Part<'_> {
        self.group.part(self.position)
    }

    /// Makes the link of a slot of the calling thread.
    pub(crate) fn link(self, slot: NewSlot) -> Linked {
        self.group.link(self.position, slot)
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn group(&self) -> &Arc<dyn Group> {
        &self.group
    }

    pub(crate) fn owner(&self) -> Arc<dyn Owner> {
        Arc::<dyn Group>::clone(&self.group)
    }
}

impl<T: ?Sized> Posting<T> for Unposted {
    const POSTER: Option<Poster<T>> = None;
    const SET_POSTER: Option<fn()> = None;
}
