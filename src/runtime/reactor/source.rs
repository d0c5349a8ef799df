//! A watched socket, and handles to it for other threads.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use mio::{Interest, Token, event};

use crate::runtime::memory_budget::{Budget, Holder};
use crate::runtime::reactor::places::{Chunk, GENERATION_SHIFT, Place, index_of, token_of};
use crate::runtime::reactor::readiness::{
    AFTER_SHORT, EVICTED, READ_CLOSED, READABLE, Readiness, WRITABLE,
};
use crate::runtime::shared_frame::SharedFrame;

/// A watched socket; dropping it, in any thread, ends the watch.
pub(crate) struct Source {
    pub(super) chunk: Arc<Chunk>,
    index: u8,
    pub(super) watched: Watched,
}

/// What the reactor reports of a source.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Watched {
    /// Nothing: its handles report readiness, or its owner has registered it.
    Nothing,
    /// That there is input, or the end.
    Input,
    /// That the kernel has room for output, too.
    InputAndRoom,
}

/// Reports readiness of a source, or wakes its task, in any thread.
///
/// Without effect once the source is dropped.
#[derive(Clone)]
pub(crate) struct SourceHandle {
    chunk: Arc<Chunk>,
    index: u8,
    generation: u32,
}

impl Source {
    /// Takes the free place of this key.
    ///
    /// It is writable, as a new socket is; an event makes it readable.
    pub(super) fn new(chunk: &Arc<Chunk>, key: u32) -> Self {
        let index = index_of(key as usize);
        let source = Self { chunk: Arc::clone(chunk), index, watched: Watched::Nothing };
        source.place().events.store(0, Ordering::Release);
        source.place().state.fetch_or(WRITABLE | AFTER_SHORT, Ordering::AcqRel);
        source
    }

    /// Returns a handle for other threads and owners.
    pub(crate) fn handle(&self) -> SourceHandle {
        let (chunk, generation) = (Arc::clone(&self.chunk), self.generation());
        SourceHandle { chunk, index: self.index, generation }
    }

    /// Returns whether events are the kernel's, and not those that a handle reports.
    #[inline]
    pub(crate) fn is_polled(&self) -> bool {
        self.watched != Watched::Nothing
    }

    /// Returns the token of this source's events.
    pub(crate) fn token(&self) -> Token {
        Token(token_of(self.key(), self.generation()))
    }

    fn key(&self) -> u32 {
        self.chunk.first_key + u32::from(self.index)
    }

    fn generation(&self) -> u32 {
        self.place().state() >> GENERATION_SHIFT
    }

    #[inline]
    fn place(&self) -> &Place {
        self.chunk.place(self.index)
    }

    /// Wakes the task that owns the socket.
    #[inline]
    pub(crate) fn wake(&self) {
        self.place().wake();
    }

    /// Sets the waker of the task that owns the socket.
    #[inline]
    pub(crate) fn set_waker(&self, waker: &Waker) {
        let mut current = self.place().waker.lock();
        match &mut *current {
            Some(current) => current.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Returns the waker of the task that owns the socket.
    pub(crate) fn waker(&self) -> Option<Waker> {
        self.place().waker.lock().clone()
    }

    /// Has events call the thread's handler with this number.
    ///
    /// `None` has them wake the task again. On the loop's thread only.
    pub(crate) fn set_event_number(&self, number: Option<u32>) {
        self.place().set_event_number(number);
    }

    /// Returns the readiness, for more than one look at it.
    #[inline]
    pub(crate) fn readiness(&self) -> Readiness {
        Readiness(self.place().state())
    }

    /// Returns whether a read may succeed.
    #[inline]
    pub(crate) fn is_readable(&self) -> bool {
        self.readiness().is_readable()
    }

    /// Returns whether a write may succeed.
    #[inline]
    pub(crate) fn is_writable(&self) -> bool {
        self.readiness().is_writable()
    }

    /// Returns whether the peer ended its sending direction.
    ///
    /// Only a read of 0 bytes drains it.
    #[inline]
    pub(crate) fn is_read_closed(&self) -> bool {
        self.readiness().is_read_closed()
    }

    /// Returns the memory budget of the connections of the socket's thread.
    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.chunk.shared.budget
    }

    /// Returns the frame that connections of the socket's thread share.
    #[inline]
    pub(crate) fn shared_frame(&self) -> &Arc<SharedFrame> {
        &self.chunk.shared.shared_frame
    }

    /// Clears the request to release memory; returns whether there was one.
    pub(crate) fn take_eviction(&self) -> bool {
        self.place().state.fetch_and(!EVICTED, Ordering::AcqRel) & EVICTED != 0
    }

    /// Clears the read readiness, when nothing is left to read.
    ///
    /// On the loop's thread only: an event that arrived in between would be lost.
    #[inline]
    pub(crate) fn clear_readable(&self) {
        self.place().clear(READABLE);
    }

    /// Watches the room of a socket, of which a write was not taken whole.
    ///
    /// For any thread. The first time this is a system call, and most sockets never need it; if there
    /// is room by then, the next poll has an event.
    #[cold]
    pub(crate) fn watch_room(&mut self, socket: &mut impl event::Source) -> io::Result<()> {
        if self.watched == Watched::Input {
            let registry = &self.chunk.shared.registry;
            registry.reregister(socket, self.token(), INPUT_AND_ROOM)?;
            self.watched = Watched::InputAndRoom;
        }
        Ok(())
    }

    /// Sets the write readiness, after something other than an event has made room.
    pub(crate) fn assume_writable(&self) {
        self.place().state.fetch_or(WRITABLE, Ordering::AcqRel);
    }

    /// Sets the read readiness, when more may be left to read.
    pub(crate) fn assume_readable(&self) {
        self.place().state.fetch_or(READABLE, Ordering::AcqRel);
    }

    /// Notes the end of the input of a stream without a descriptor.
    pub(crate) fn assume_read_closed(&self) {
        self.place().state.fetch_or(READABLE | READ_CLOSED, Ordering::AcqRel);
    }

    /// Clears the write readiness, when the kernel takes no more.
    ///
    /// On the loop's thread only. A socket's room is watched already then, or has to be; see
    /// [`watch_room`](Self::watch_room).
    #[inline]
    pub(crate) fn clear_writable(&self) {
        self.place().clear(WRITABLE);
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let place = self.place();
        let waker = place.waker.lock().take();
        let next = (self.generation() + 1) << GENERATION_SHIFT;
        place.state.store(next, Ordering::Release);
        self.chunk.shared.free_keys.lock().push(self.key());
        drop(waker);
    }
}

impl SourceHandle {
    /// Wakes the task that owns the socket.
    pub(crate) fn wake(&self) {
        if self.is_current(self.place().state() >> GENERATION_SHIFT) {
            self.place().wake();
        }
    }

    /// Reports that a stream without a descriptor may have input or room.
    ///
    /// Returns whether it is news.
    pub(crate) fn report_wake(&self) -> bool {
        self.set_ready(READABLE | WRITABLE)
    }

    /// Adds readiness as an event does, for streams in memory.
    ///
    /// Returns whether it is news.
    #[cfg(any(test, fuzzing, feature = "testing"))]
    pub(crate) fn script_event(&self, is_readable: bool, is_writable: bool, is_end: bool) -> bool {
        let bit = |is_set, bit| if is_set { bit } else { 0 };
        self.set_ready(
            bit(is_readable, READABLE) | bit(is_writable, WRITABLE) | bit(is_end, READ_CLOSED),
        )
    }

    /// Acts as a selector that needs a "would block", on any system.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn script_reports_after_would_block(&self) {
        self.place().state.fetch_and(!AFTER_SHORT, Ordering::AcqRel);
    }

    fn set_ready(&self, ready: u32) -> bool {
        self.place().set_ready_if(|generation| self.is_current(generation), ready)
    }

    fn is_current(&self, generation: u32) -> bool {
        generation == self.generation
    }

    fn place(&self) -> &Place {
        self.chunk.place(self.index)
    }
}

impl Holder for SourceHandle {
    fn evict(&self) {
        self.set_ready(EVICTED);
    }
}

/// What is watched of a socket that waits for room.
pub(super) const INPUT_AND_ROOM: Interest = Interest::READABLE.add(Interest::WRITABLE);
