//! The state of a connection that all threads share, and the cleanup of ended ones.

use std::any::Any;
use std::panic::Location;
use std::sync::Arc;

use crate::connection::slot_counter::SlotCounter;
use crate::sync::{AtomicU32, Ordering};
use crate::thread::mailbox::Post;
use crate::thread::thread_state;
use crate::unwind::drop_each;

/// The shared state of one connection: whether its slot may still run.
///
/// The slot itself stays in its thread; this part may be read and ended from any thread. It exists
/// while there are handles to the connection, and is dropped with the last of them.
pub(crate) struct Link {
    /// The flags below, the signal's position in the owner, and the number of blockers.
    state: AtomicU32,
    /// The generation of the owner's counter in which the slot was connected.
    generation: u32,
    /// The sequence number among all connections of the slot's thread.
    sequence: u64,
    location: &'static Location<'static>,
    /// `None` in a spare block only, which has no handles.
    owner: Option<Arc<dyn Owner>>,
}

/// How a slot is called (`Qt::ConnectionType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionType {
    /// At once on the slot's own thread, through its queue from others.
    Auto,
    /// At once on the slot's own thread, not at all from others.
    Local,
    /// Always through the queue of the slot's thread.
    Queued,
}

/// The owner of slots: those of an object in a thread, or a signal's direct ones.
///
/// It may have the slots of several signals, each at its position.
pub(crate) trait Owner: Send + Sync {
    /// Returns the counter of the connected slots of a signal.
    fn counter(&self, position: usize) -> &SlotCounter;

    /// Returns whether both the signal and the thread of the slots still exist.
    fn is_open(&self, position: usize) -> bool;

    /// Drops the slot of an ended link, in the slot's thread.
    fn release(&self, link: &Arc<Link>);

    /// Returns whether the slot's receiver exists; true if this thread cannot know.
    fn has_receiver(&self, link: &Link) -> bool;

    /// Replaces a slot's link, which has no other handles, by a state of its own.
    ///
    /// Does nothing in another thread than the slot's.
    fn unshare(&self, link: &Link);

    /// Drops a signal's ended slots and those without receivers, in their thread.
    fn sweep(&self, position: usize);

    /// Disconnects and drops the slots of all signals; called in their thread.
    fn clear(&self);
}

/// The owner of a new slot, which has counted it in a generation.
pub(crate) struct Owned {
    pub(crate) owner: Arc<dyn Owner>,
    /// The position of the signal in the owner.
    pub(crate) position: usize,
    pub(crate) generation: u32,
}

/// A post that drops slots in their thread.
pub(crate) enum Cleanup {
    /// A slot that another thread has disconnected.
    Release(Arc<Link>),
    /// The slots of a signal that another thread has disconnected together.
    Sweep(Arc<dyn Owner>, usize),
    /// All slots of a finished object, behind the queued calls that need the value.
    Clear(Arc<dyn Owner>, Box<dyn Any + Send>),
    /// The slots of a dropped signal, behind its queued calls.
    Remove(u32),
}

impl Link {
    #[expect(clippy::cast_possible_truncation, reason = "a position is less than 32")]
    #[inline]
    pub(crate) fn new(
        kind: ConnectionType,
        sequence: u64,
        location: &'static Location<'static>,
        owned: Owned,
    ) -> Self {
        let Owned { owner, position, generation } = owned;
        let kind = match kind {
            ConnectionType::Auto => 0,
            ConnectionType::Local => LOCAL,
            ConnectionType::Queued => QUEUED,
        };
        Self {
            state: AtomicU32::new(kind | (position as u32) << POSITION),
            generation,
            sequence,
            location,
            owner: Some(owner),
        }
    }

    /// Has the slot take a state of its own instead of the link, in its thread.
    pub(crate) fn unshare(&self) {
        if let Some(owner) = &self.owner {
            owner.unshare(self);
        }
    }

    /// Leaves the owner, before the block is used for another connection.
    pub(crate) fn forget_owner(&mut self) {
        self.owner = None;
    }

    /// Notes that the slot has the link.
    pub(crate) fn set_settled(&self) {
        self.state.fetch_or(SETTLED, Ordering::AcqRel);
    }

    /// Returns whether the slot had the link at any time.
    #[inline]
    pub(crate) fn is_settled(&self) -> bool {
        self.state.load(Ordering::Relaxed) & SETTLED != 0
    }

    /// Ends the connection and drops the slot, in its thread.
    ///
    /// Returns whether it was connected.
    pub(crate) fn disconnect(self: &Arc<Self>) -> bool {
        let Some(owner) = &self.owner else { return false };
        let was_open = owner.is_open(self.position());
        let Some(was_current) = self.end_in(&**owner) else { return false };
        owner.release(self);
        was_current && was_open
    }

    /// Returns whether the slot is connected; ends it without a receiver.
    pub(crate) fn check(self: &Arc<Self>) -> bool {
        let is_connected = self.is_connected();
        let has_receiver = |owner: &Arc<dyn Owner>| owner.has_receiver(self);
        if is_connected && !self.owner.as_ref().is_some_and(has_receiver) {
            self.release();
            return false;
        }
        is_connected
    }

    fn release(self: &Arc<Self>) {
        if self.end() {
            self.drop_slot();
        }
    }

    /// Drops the slot of the ended link, in its thread.
    fn drop_slot(self: &Arc<Self>) {
        if let Some(owner) = &self.owner {
            owner.release(self);
        }
    }

    /// Drops the signal's ended slots and those without receivers, in their thread.
    pub(crate) fn sweep(&self) {
        if let Some(owner) = &self.owner {
            owner.sweep(self.position());
        }
    }

    /// Ends the connection, but keeps the slot; returns whether it was still connected.
    #[inline]
    pub(crate) fn end(&self) -> bool {
        self.owner.as_ref().is_some_and(|owner| self.end_in(&**owner).is_some())
    }

    /// Ends the connection, but keeps the slot; `None` if it had ended before.
    ///
    /// Otherwise returns whether it was connected: the slots may have been disconnected together.
    #[inline]
    fn end_in(&self, owner: &dyn Owner) -> Option<bool> {
        let state = self.state.fetch_or(ENDED, Ordering::AcqRel);
        (state & ENDED == 0).then(|| owner.counter(self.position()).subtract(self.generation))
    }

    pub(crate) fn block(&self) {
        self.state.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn unblock(&self) {
        self.state.fetch_sub(1, Ordering::AcqRel);
    }

    #[inline]
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Returns the position of the signal in its owner.
    #[inline]
    pub(crate) fn position(&self) -> usize {
        // Never changes.
        ((self.state.load(Ordering::Relaxed) & POSITIONS) >> POSITION) as usize
    }

    #[inline]
    pub(crate) fn location(&self) -> &'static Location<'static> {
        self.location
    }

    #[inline]
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    #[inline]
    pub(crate) fn kind(&self) -> ConnectionType {
        match self.state.load(Ordering::Acquire) {
            state if state & LOCAL != 0 => ConnectionType::Local,
            state if state & QUEUED != 0 => ConnectionType::Queued,
            _ => ConnectionType::Auto,
        }
    }

    #[inline]
    pub(crate) fn is_queued(&self) -> bool {
        self.state.load(Ordering::Relaxed) & QUEUED != 0
    }

    #[inline]
    pub(crate) fn is_local(&self) -> bool {
        self.state.load(Ordering::Relaxed) & LOCAL != 0
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.state.load(Ordering::Acquire) & BLOCKERS != 0
    }

    /// Returns whether the slot is connected, and its signal and thread exist.
    pub(crate) fn is_connected(&self) -> bool {
        !self.is_ended() && self.owner.as_ref().is_some_and(|owner| owner.is_open(self.position()))
    }

    /// Returns whether the slot was disconnected.
    #[inline]
    pub(crate) fn is_ended(&self) -> bool {
        self.state.load(Ordering::Acquire) & ENDED != 0 || !self.is_of_current_generation()
    }

    /// Returns whether an emission on the slot's own thread calls it directly.
    #[inline]
    pub(crate) fn is_callable(&self, counter: &SlotCounter) -> bool {
        self.state.load(Ordering::Relaxed) & (ENDED | QUEUED | BLOCKERS) == 0
            && counter.is_current(self.generation)
    }

    /// Returns whether a queued call may be delivered.
    pub(crate) fn is_deliverable(&self) -> bool {
        self.state.load(Ordering::Relaxed) & (ENDED | BLOCKERS) == 0
            && self.is_of_current_generation()
    }

    /// Returns whether the slots have not been disconnected together since.
    #[inline]
    fn is_of_current_generation(&self) -> bool {
        let is_current =
            |owner: &Arc<dyn Owner>| owner.counter(self.position()).is_current(self.generation);
        self.owner.as_ref().is_some_and(is_current)
    }
}

impl Post for Cleanup {
    fn run(self: Box<Self>) {
        match *self {
            Self::Release(link) => link.drop_slot(),
            Self::Sweep(owner, position) => owner.sweep(position),
            Self::Clear(owner, _keep) => owner.clear(),
            Self::Remove(index) => drop_each(thread_state::remove(index)),
        }
    }

    fn runs_slots(&self) -> bool {
        false
    }
}

const ENDED: u32 = 1 << 31;
const QUEUED: u32 = 1 << 30;
const LOCAL: u32 = 1 << 29;
/// The slot has the link, unless the connection has ended.
const SETTLED: u32 = 1 << 23;
const POSITIONS: u32 = LOCAL - (1 << POSITION);
const BLOCKERS: u32 = SETTLED - 1;
/// The lowest bit of the position.
const POSITION: u32 = 24;
/// The number of signals that one owner can have.
pub(crate) const MAX_POSITIONS: usize = 1 << 5;
