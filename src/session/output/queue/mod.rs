//! The output queue: encoded frames that the kernel has not taken yet.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::net::stream::Stream;
use crate::protocol::frames::copying::append_bytes;
use crate::protocol::frames::frame::Frame;
use crate::protocol::frames::mask::MaskingKey;
use crate::runtime::reactor::Source;
use crate::session::held_memory::COUNTED_AHEAD;
use crate::session::output::chunk::{Chunk, MIN_CHUNK};
use crate::session::output::queue::contents::{Contents, Written};

pub(crate) mod contents;
#[cfg(test)]
mod tests;

/// The encoded frames of one connection that wait to be written.
///
/// An empty queue owns no memory: what it needs goes back to its thread.
#[derive(Default)]
pub(crate) struct OutputQueue(Option<Box<Contents>>);

impl OutputQueue {
    /// Returns how many bytes wait.
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |contents| contents.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns whether `needed` bytes more may wait without being counted.
    #[inline]
    pub(crate) fn has_room(&self, needed: usize) -> bool {
        match &self.0 {
            None => needed <= COUNTED_AHEAD,
            Some(contents) => {
                contents.len().saturating_add(needed) <= contents.held.size() + COUNTED_AHEAD
            }
        }
    }

    /// Returns whether `needed` bytes more are few, and no output is counted.
    #[inline]
    pub(crate) fn is_short(&self, needed: usize) -> bool {
        match &self.0 {
            None => needed <= COUNTED_AHEAD,
            Some(contents) => {
                contents.short_len().is_some_and(|it| it.saturating_add(needed) <= COUNTED_AHEAD)
            }
        }
    }

    /// Sets the memory of the output, if any; returns whether the budget allows it.
    pub(crate) fn hold(&mut self, size: usize, source: &Source) -> bool {
        self.0.as_mut().is_none_or(|contents| contents.held.set(size, source))
    }

    /// Returns how much memory was counted last.
    pub(crate) fn held(&self) -> usize {
        self.0.as_ref().map_or(0, |contents| contents.held.size())
    }

    /// Has the connection free the output.
    pub(crate) fn evict(&self) {
        if let Some(contents) = &self.0 {
            contents.held.evict();
        }
    }

    pub(crate) fn is_evicted(&self) -> bool {
        self.0.as_ref().is_some_and(|contents| contents.held.is_evicted())
    }

    /// Returns the memory of the queue in bytes; shared messages count in parts.
    pub(crate) fn weight(&self) -> usize {
        let Some(contents) = &self.0 else { return 0 };
        let behind = contents.behind.iter().flat_map(|behind| &behind.chunks);
        let first = contents.chunk.weight().saturating_sub(contents.written);
        first + behind.map(Chunk::weight).sum::<usize>()
    }

    /// Returns whether a message waits, or a part of one, and not control frames alone.
    pub(crate) fn has_messages(&self) -> bool {
        let has_messages =
            |contents: &Contents| contents.len() > contents.controls + contents.urgent.rest().len();
        self.0.as_deref().is_some_and(has_messages)
    }

    /// Puts a frame at the end, masked with the key of a client.
    #[inline]
    pub(crate) fn push(&mut self, frame: &Frame<'_>, key: Option<MaskingKey>) {
        let contents = self.contents();
        contents.controls = if frame.opcode.is_control() {
            contents.controls + frame.header(key).as_bytes().len() + frame.payload.len()
        } else {
            0
        };
        contents.append(frame.payload.len(), |buffer| frame.write_to(buffer, key));
    }

    /// Puts a control frame in front of the frames that are not partly written.
    pub(crate) fn push_urgent(&mut self, frame: &Frame<'_>, key: Option<MaskingKey>) {
        frame.write_to(&mut self.contents().urgent.frames, key);
    }

    /// Returns whether a control frame still waits in front of the other output.
    pub(crate) fn has_urgent(&self) -> bool {
        self.0.as_ref().is_some_and(|contents| !contents.urgent.frames.is_empty())
    }

    /// Puts encoded frames at the end.
    pub(crate) fn push_encoded(&mut self, frames: &[u8]) {
        self.contents_for_message().append(frames.len(), |buffer| append_bytes(buffer, frames));
    }

    /// Puts a frame at the end of which the kernel has taken the first `written` bytes.
    pub(crate) fn push_rest(&mut self, header: &[u8], payload: &[u8], written: usize) {
        let header_rest = header.get(written..).unwrap_or_default();
        let payload_rest = payload.get(written.saturating_sub(header.len())..).unwrap_or_default();
        let contents = self.contents_for_message();
        contents.append(payload.len(), |buffer| {
            buffer.extend_from_slice(header_rest);
            append_bytes(buffer, payload_rest);
        });
        if written > 0 {
            // Frames are written at once only if the queue is empty: the rest is all that it has.
            contents.boundary = contents.chunk.len();
        }
    }

    /// Puts frames in front of all others; the kernel has `written` bytes of them.
    ///
    /// Nothing of the queue was written before.
    pub(crate) fn push_front(&mut self, frames: &[u8], written: usize) {
        self.contents().push_front(frames, written);
    }

    /// Puts encoded frames of many connections at the end.
    ///
    /// Few bytes are copied behind others, so that one write takes both.
    pub(crate) fn push_prepared(&mut self, frames: &Arc<[u8]>) {
        if self.is_empty() || frames.len() >= MIN_CHUNK {
            self.push_shared(frames, 0);
        } else {
            self.push_encoded(frames);
        }
    }

    /// Puts encoded frames at the end, uncopied, but for the first `written` bytes.
    pub(crate) fn push_shared(&mut self, frames: &Arc<[u8]>, written: usize) {
        self.contents_for_message().push_chunk(Chunk::Shared(Arc::clone(frames)), written);
    }

    /// Puts encoded frames at the end; only few bytes are copied.
    pub(crate) fn push_chunk(&mut self, chunk: Chunk) {
        if chunk.len() < MIN_CHUNK {
            self.push_encoded(chunk.as_bytes());
        } else {
            self.contents_for_message().push_chunk(chunk, 0);
        }
    }

    /// Writes what the kernel takes and returns how many bytes that was.
    ///
    /// `is_driver` is true for the driver alone: see [`Stream::try_write`].
    #[inline]
    pub(crate) fn write_to(&mut self, stream: &mut Stream, is_driver: bool) -> Written {
        let Some(contents) = &mut self.0 else { return Written { count: 0, has_failed: false } };
        let written = contents.write_to(stream, is_driver);
        if contents.is_empty() {
            self.clear();
        }
        written
    }

    /// Writes what the kernel takes of an output that is one chunk.
    ///
    /// Most output is, and none of it was written before. Returns `None`, and does nothing, with any
    /// other. Only for the driver. The end of the sending direction follows at once if it `is_last`.
    #[inline]
    pub(crate) fn write_only_chunk(
        &mut self,
        stream: &mut Stream,
        is_last: bool,
    ) -> Option<Written> {
        let contents = self.0.as_mut()?;
        let written = contents.write_only_chunk(stream, is_last)?;
        if written.count == contents.chunk.len() {
            self.clear();
        }
        Some(written)
    }

    /// Drops all frames.
    #[inline]
    pub(crate) fn clear(&mut self) {
        let Some(mut contents) = self.0.take() else { return };
        contents.clear();
        if !contents.has_buffer() {
            return keep_spare(contents);
        }
        // At the thread's end it is freed.
        let former = SPARE.try_with(|spare| spare.replace(Some(contents))).ok().flatten();
        if let Some(mut former) = former {
            former.free_buffer();
            keep_spare(former);
        }
    }

    fn contents_for_message(&mut self) -> &mut Contents {
        let contents = self.contents();
        contents.controls = 0;
        contents
    }

    #[inline]
    fn contents(&mut self) -> &mut Contents {
        self.0.get_or_insert_with(|| {
            let last = SPARE.try_with(Cell::take).ok().flatten();
            last.or_else(take_spare).unwrap_or_default()
        })
    }
}

/// Takes spare contents without a buffer.
fn take_spare() -> Option<Box<Contents>> {
    MORE_SPARE.try_with(|spare| spare.borrow_mut().pop()).ok().flatten()
}

/// Keeps contents without a buffer, unless there are enough.
fn keep_spare(contents: Box<Contents>) {
    let _ = MORE_SPARE.try_with(|spare| {
        let mut spare = spare.borrow_mut();
        if spare.len() < MAX_SPARE {
            spare.push(contents);
        }
    });
}

thread_local! {
    /// The contents of the queue that was emptied last, with their small buffer.
    ///
    /// Most queues are filled and emptied in one turn: all of them use these.
    static SPARE: Cell<Option<Box<Contents>>> = const { Cell::new(None) };
    /// The contents of others, without a buffer.
    ///
    /// An allocation would cost as much as encoding a small message.
    #[expect(clippy::vec_box, reason = "it is the boxes that are kept")]
    static MORE_SPARE: RefCell<Vec<Box<Contents>>> = const { RefCell::new(Vec::new()) };
}

/// Roughly as many as a broadcast writes to in one turn of a loop.
const MAX_SPARE: usize = 1024;
