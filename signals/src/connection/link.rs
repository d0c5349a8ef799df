//! The state that a connection and its slot share across threads.

use std::any::Any;
use std::panic::Location;
use std::sync::Arc;

use crate::connection::slot_counter::SlotCounter;
use crate::sync::{AtomicU32, Ordering, fence};
use crate::thread::mailbox::Post;
use crate::thread::thread_state;
use crate::unwind::drop_each;

/// One connection of a signal and a slot: whether the slot may still run.
///
/// The slot itself stays in its thread; this part may be read and ended from anywhere. It is there
/// for those who hold the connection, and goes when the last of them gives it up.
pub(crate) struct Link {
    /// The flags below and, in the low bits, how many blockers there are.
    state: AtomicU32,
    /// The generation of the owner's counter in which the slot was connected.
    generation: u32,
    /// The place in the order of all connections of the slot's thread.
    sequence: u64,
    location: &'static Location<'static>,
    owner: Arc<dyn Owner>,
}

/// How a slot wants to be called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionType {
    /// At once on the slot's own thread, through its queue from others.
    Auto,
    /// At once on the slot's own thread, not at all from others.
    Local,
    /// Always through the queue of the slot's thread.
    Queued,
}

/// Where the slots of one signal are kept together.
pub(crate) trait Owner: Send + Sync {
    /// Returns the count of the connected slots.
    fn counter(&self) -> &SlotCounter;

    /// Tells whether the signal still exists, and with it the thread of the slots.
    fn is_open(&self) -> bool;

    /// Drops the slot of an ended link, in the slot's thread.
    fn release(&self, link: &Arc<Link>);

    /// Tells whether the slot's receiver still exists, as far as this thread can see that.
    fn has_receiver(&self, link: &Link) -> bool;

    /// Has a slot part with its link, which nobody else holds; if called in the slot's thread.
    fn unshare(&self, link: &Link);

    /// Drops the slots that are ended or whose receivers are gone; called in their thread.
    fn sweep(&self);

    /// Disconnects and drops all slots; called in their thread.
    fn clear(&self);
}

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

impl Link {
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
            owner,
        }
    }

    /// Gives up one handle to the connection.
    pub(crate) fn drop_handle(self: Arc<Self>) {
        // This handle and the slot's: nobody else can get one any more.
        if Arc::strong_count(&self) == 2 {
            // Sees all that was done through the handles before they were given up.
            fence(Ordering::Acquire);
            self.owner.unshare(&self);
        }
    }

    /// Ends the connection and has the slot dropped in its thread; tells whether it was connected.
    pub(crate) fn disconnect(self: &Arc<Self>) -> bool {
        let was_connected = self.is_connected();
        self.release();
        was_connected
    }

    /// Ends the connection if this thread can see that the receiver is gone; tells whether it is
    /// still connected.
    pub(crate) fn check(self: &Arc<Self>) -> bool {
        let is_connected = self.is_connected();
        if is_connected && !self.owner.has_receiver(self) {
            self.release();
            return false;
        }
        is_connected
    }

    fn release(self: &Arc<Self>) {
        if self.end() {
            self.owner.release(self);
        }
    }

    /// Ends the connection, keeping the slot; tells whether this call did it.
    pub(crate) fn end(&self) -> bool {
        let state = self.state.fetch_or(ENDED, Ordering::AcqRel);
        if state & ENDED != 0 {
            return false;
        }
        self.owner.counter().subtract(self.generation);
        true
    }

    pub(crate) fn block(&self) {
        self.state.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn unblock(&self) {
        self.state.fetch_sub(1, Ordering::AcqRel);
    }

    pub(crate) fn owner(&self) -> &Arc<dyn Owner> {
        &self.owner
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(crate) fn location(&self) -> &'static Location<'static> {
        self.location
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) fn kind(&self) -> ConnectionType {
        match self.state.load(Ordering::Acquire) {
            state if state & LOCAL != 0 => ConnectionType::Local,
            state if state & QUEUED != 0 => ConnectionType::Queued,
            _ => ConnectionType::Auto,
        }
    }

    pub(crate) fn is_queued(&self) -> bool {
        self.state.load(Ordering::Relaxed) & QUEUED != 0
    }

    pub(crate) fn is_local(&self) -> bool {
        self.state.load(Ordering::Relaxed) & LOCAL != 0
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.state.load(Ordering::Acquire) & BLOCKERS != 0
    }

    /// Tells whether the slot was neither disconnected nor lost its signal or thread.
    pub(crate) fn is_connected(&self) -> bool {
        !self.is_ended() && self.owner.is_open()
    }

    /// Tells whether the slot was disconnected.
    pub(crate) fn is_ended(&self) -> bool {
        self.state.load(Ordering::Acquire) & ENDED != 0
            || !self.owner.counter().is_current(self.generation)
    }

    /// Tells whether an emission on the slot's own thread calls it at once.
    #[inline]
    pub(crate) fn is_callable(&self, counter: &SlotCounter) -> bool {
        self.state.load(Ordering::Relaxed) & !LOCAL == 0 && counter.is_current(self.generation)
    }

    /// Tells whether a call that went through the queue may be made.
    pub(crate) fn is_deliverable(&self) -> bool {
        self.state.load(Ordering::Relaxed) & (ENDED | BLOCKERS) == 0
            && self.owner.counter().is_current(self.generation)
    }
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

const ENDED: u32 = 1 << 31;
const QUEUED: u32 = 1 << 30;
const LOCAL: u32 = 1 << 29;
const BLOCKERS: u32 = LOCAL - 1;
