//! The state of a connection that all threads share, and the cleanup of ended ones.

use std::any::Any;
use std::cell::Cell;
use std::panic::Location;
use std::sync::Arc;

use crate::connection::slot_counter::SlotCounter;
use crate::sync::{AtomicU32, Ordering, fence, thread_local};
use crate::thread::mailbox::Post;
use crate::thread::thread_state;
use crate::unwind::drop_each;

/// The shared state of one connection: whether its slot may still run.
///
/// The slot itself stays in its thread; this part may be read and ended from any thread. It exists
/// while there are handles to the connection, and is dropped with the last of them.
pub(crate) struct Link {
    /// The flags below and, in the low bits, the number of blockers.
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

/// The owner of slots: those of a signal in one thread, or its direct ones.
pub(crate) trait Owner: Send + Sync {
    /// Returns the counter of the connected slots.
    fn counter(&self) -> &SlotCounter;

    /// Returns whether both the signal and the thread of the slots still exist.
    fn is_open(&self) -> bool;

    /// Drops the slot of an ended link, in the slot's thread.
    fn release(&self, link: &Arc<Link>);

    /// Returns whether the slot's receiver exists; true if this thread cannot know.
    fn has_receiver(&self, link: &Link) -> bool;

    /// Replaces a slot's link, which has no other handles, by a state of its own.
    ///
    /// Does nothing in another thread than the slot's.
    fn unshare(&self, link: &Link);

    /// Drops ended slots and those without receivers; called in their thread.
    fn sweep(&self);

    /// Disconnects and drops all slots; called in their thread.
    fn clear(&self);
}

/// A post that drops slots in their thread.
pub(crate) enum Cleanup {
    /// A slot that another thread has disconnected.
    Release(Arc<Link>),
    /// The slots that another thread has disconnected together.
    Sweep(Arc<dyn Owner>),
    /// All slots of a finished signal, behind the queued calls that need the value.
    Clear(Arc<dyn Owner>, Box<dyn Any + Send>),
    /// The slots of a dropped signal, behind its queued calls.
    Remove(u32),
}

impl Link {
    /// Makes a link, in the block that the calling thread's last one has left.
    pub(crate) fn shared(
        kind: ConnectionType,
        sequence: u64,
        location: &'static Location<'static>,
        owner: Arc<dyn Owner>,
    ) -> Arc<Self> {
        let link = Self::new(kind, sequence, location, owner);
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        let Some(mut spare) = spare else { return Arc::new(link) };
        match Arc::get_mut(&mut spare) {
            Some(block) => {
                *block = link;
                spare
            }
            None => Arc::new(link),
        }
    }

    #[inline]
    pub(crate) fn new(
        kind: ConnectionType,
        sequence: u64,
        location: &'static Location<'static>,
        owner: Arc<dyn Owner>,
    ) -> Self {
        let state = match kind {
            ConnectionType::Auto => 0,
            ConnectionType::Local => LOCAL,
            ConnectionType::Queued => QUEUED,
        };
        Self {
            state: AtomicU32::new(state),
            generation: owner.counter().add(),
            sequence,
            location,
            owner: Some(owner),
        }
    }

    /// Drops one handle to the connection.
    pub(crate) fn drop_handle(self: Arc<Self>) {
        // This handle and the slot's are the last: no other can be made any more.
        if Arc::strong_count(&self) == 2 {
            // Synchronizes with all uses of the handles that were dropped before.
            fence(Ordering::Acquire);
            if let Some(owner) = &self.owner {
                owner.unshare(&self);
            }
            self.leave_block();
        }
    }

    /// Leaves the block for the next connection, unless the slot has a handle.
    ///
    /// Most connections are made by a statement that drops the handle: they need no allocation.
    fn leave_block(mut self: Arc<Self>) {
        if let Some(block) = Arc::get_mut(&mut self) {
            block.owner = None;
            // At the thread's end it is freed.
            let _ = SPARE.try_with(|spare| spare.set(Some(self)));
        }
    }

    /// Ends the connection and drops the slot, in its thread.
    ///
    /// Returns whether it was connected.
    pub(crate) fn disconnect(self: &Arc<Self>) -> bool {
        let was_connected = self.is_connected();
        self.release();
        was_connected
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

    /// Ends the connection, but keeps the slot; returns whether it was still connected.
    #[inline]
    pub(crate) fn end(&self) -> bool {
        let state = self.state.fetch_or(ENDED, Ordering::AcqRel);
        if state & ENDED != 0 {
            return false;
        }
        if let Some(owner) = &self.owner {
            owner.counter().subtract(self.generation);
        }
        true
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
        !self.is_ended() && self.owner.as_ref().is_some_and(|owner| owner.is_open())
    }

    /// Returns whether the slot was disconnected.
    #[inline]
    pub(crate) fn is_ended(&self) -> bool {
        self.state.load(Ordering::Acquire) & ENDED != 0 || !self.is_of_current_generation()
    }

    /// Returns whether an emission on the slot's own thread calls it directly.
    #[inline]
    pub(crate) fn is_callable(&self, counter: &SlotCounter) -> bool {
        self.state.load(Ordering::Relaxed) & !LOCAL == 0 && counter.is_current(self.generation)
    }

    /// Returns whether a queued call may be delivered.
    pub(crate) fn is_deliverable(&self) -> bool {
        self.state.load(Ordering::Relaxed) & (ENDED | BLOCKERS) == 0
            && self.is_of_current_generation()
    }

    /// Returns whether the slots have not been disconnected together since.
    #[inline]
    fn is_of_current_generation(&self) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.counter().is_current(self.generation))
    }
}

impl Post for Cleanup {
    fn run(self: Box<Self>) {
        match *self {
            Self::Release(link) => link.drop_slot(),
            Self::Sweep(owner) => owner.sweep(),
            Self::Clear(owner, _keep) => owner.clear(),
            Self::Remove(index) => drop_each(thread_state::remove(index)),
        }
    }

    fn runs_slots(&self) -> bool {
        false
    }
}

thread_local! {
    /// The block of a connection without handles, for the next connection.
    static SPARE: Cell<Option<Arc<Link>>> = const { Cell::new(None) };
}

const ENDED: u32 = 1 << 31;
const QUEUED: u32 = 1 << 30;
const LOCAL: u32 = 1 << 29;
const BLOCKERS: u32 = LOCAL - 1;
