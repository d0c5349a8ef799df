//! The output of one connection that the kernel has not taken yet.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem;
use std::sync::Arc;

use crate::net::stream::Stream;
use crate::protocol::frames::copying::append_bytes;
use crate::protocol::frames::frame::Frame;
use crate::protocol::frames::frame_header::encoded_length;
use crate::protocol::frames::mask::MaskingKey;
use crate::runtime::reactor::Source;
use crate::session::buffers::{put_buffer, take_buffer};
use crate::session::memory::{COUNTED_AHEAD, HeldMemory};

/// Encoded frames that wait to be written.
///
/// An empty outbox owns no memory: what it needs goes back to its thread.
#[derive(Default)]
pub(crate) struct OutputQueue(Option<Box<Contents>>);

/// What an attempt to write came to.
#[derive(Clone, Copy)]
pub(crate) struct Written {
    /// How many bytes the kernel has taken, also before a failure.
    pub(crate) count: usize,
    pub(crate) has_failed: bool,
}

/// What an outbox that is not empty has.
#[derive(Default)]
struct Contents {
    chunk: Chunk,
    /// How much of the chunk the kernel has taken.
    written: usize,
    /// A place in the chunk at which a frame begins or the chunk ends.
    boundary: usize,
    behind: Option<Box<Behind>>,
    /// Control frames that go out at the next boundary, in front of everything else
    /// (RFC 6455 §5.4: control frames may be injected between the fragments of a message).
    urgent: Urgent,
    /// What waits, here and in the backlog, as far as it is counted.
    held: HeldMemory,
    /// How many bytes of control frames there are behind the last message.
    controls: usize,
}

/// Control frames that overtake the rest of the output.
#[derive(Default)]
struct Urgent {
    frames: Vec<u8>,
    /// How much of them the kernel has taken.
    written: usize,
    /// The kernel, or TLS, has some of them: nothing may come between.
    is_begun: bool,
}

/// A part of the output.
pub(crate) enum Chunk {
    /// Frames of this connection alone, to which more can be added.
    Own(Vec<u8>),
    /// A message that other connections send as well.
    Shared(Arc<[u8]>),
}

/// What follows the first chunk, if anything was shared.
#[derive(Default)]
struct Behind {
    chunks: VecDeque<Chunk>,
    length: usize,
}

impl OutputQueue {
    /// Returns how many bytes wait.
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |contents| contents.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns whether so much more may wait without being counted.
    #[inline]
    pub(crate) fn has_room(&self, needed: usize) -> bool {
        match &self.0 {
            None => needed <= COUNTED_AHEAD,
            Some(contents) => {
                contents.len().saturating_add(needed) <= contents.held.size() + COUNTED_AHEAD
            }
        }
    }

    /// Notes how much waits, if anything does, and returns whether so much may.
    pub(crate) fn hold(&mut self, size: usize, source: &Arc<Source>) -> bool {
        self.0.as_mut().is_none_or(|contents| contents.held.set(size, source))
    }

    /// Returns how much was noted last.
    pub(crate) fn held(&self) -> usize {
        self.0.as_ref().map_or(0, |contents| contents.held.size())
    }

    /// Has the connection give up what waits.
    pub(crate) fn condemn(&self) {
        if let Some(contents) = &self.0 {
            contents.held.condemn();
        }
    }

    pub(crate) fn is_condemned(&self) -> bool {
        self.0.as_ref().is_some_and(|contents| contents.held.is_condemned())
    }

    /// Returns how many bytes of memory the output takes; what is shared counts in parts.
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

    /// Puts a frame behind what waits, masked with the key of a client.
    pub(crate) fn push(&mut self, frame: &Frame<'_>, key: Option<MaskingKey>) {
        let contents = self.contents();
        contents.controls = if frame.opcode.is_control() {
            contents.controls + frame.header(key).as_bytes().len() + frame.payload.len()
        } else {
            0
        };
        contents.append(frame.payload.len(), |buffer| frame.write_to(buffer, key));
    }

    /// Puts a control frame in front of the frames that the kernel has not begun to take.
    pub(crate) fn push_urgent(&mut self, frame: &Frame<'_>, key: Option<MaskingKey>) {
        frame.write_to(&mut self.contents().urgent.frames, key);
    }

    /// Returns whether a control frame still waits in front of the other output.
    pub(crate) fn has_urgent(&self) -> bool {
        self.0.as_ref().is_some_and(|contents| !contents.urgent.frames.is_empty())
    }

    /// Puts encoded frames behind what waits.
    pub(crate) fn push_encoded(&mut self, frames: &[u8]) {
        self.contents_for_message().append(frames.len(), |buffer| append_bytes(buffer, frames));
    }

    /// Puts a frame behind what waits of which the kernel has taken the first `written` bytes.
    pub(crate) fn push_rest(&mut self, header: &[u8], payload: &[u8], written: usize) {
        let header_rest = header.get(written..).unwrap_or_default();
        let payload_rest = payload.get(written.saturating_sub(header.len())..).unwrap_or_default();
        let contents = self.contents_for_message();
        contents.append(payload.len(), |buffer| {
            buffer.extend_from_slice(header_rest);
            append_bytes(buffer, payload_rest);
        });
        if written > 0 {
            // Only an empty outbox is written to at once: the rest is all that it has.
            contents.boundary = contents.chunk.len();
        }
    }

    /// Puts encoded frames of many connections behind what waits.
    ///
    /// Few bytes are copied behind others, so that one write takes both.
    pub(crate) fn push_prepared(&mut self, frames: &Arc<[u8]>) {
        if self.is_empty() || frames.len() >= MIN_CHUNK {
            self.push_shared(frames, 0);
        } else {
            self.push_encoded(frames);
        }
    }

    /// Puts encoded frames behind what waits, without a copy, but for the first `written` bytes.
    pub(crate) fn push_shared(&mut self, frames: &Arc<[u8]>, written: usize) {
        self.contents_for_message().push_chunk(Chunk::Shared(Arc::clone(frames)), written);
    }

    /// Puts encoded frames behind what waits; a copy is made only of few bytes.
    pub(crate) fn push_chunk(&mut self, chunk: Chunk) {
        if chunk.len() < MIN_CHUNK {
            self.push_encoded(chunk.as_bytes());
        } else {
            self.contents_for_message().push_chunk(chunk, 0);
        }
    }

    /// Writes what the kernel takes and returns how many bytes that was.
    ///
    /// Only the driver may say that it `is_driver`: see [`Stream::try_write`].
    #[inline]
    pub(crate) fn write_to(&mut self, stream: &mut Stream, is_driver: bool) -> Written {
        let Some(contents) = &mut self.0 else { return Written { count: 0, has_failed: false } };
        let written = contents.write_to(stream, is_driver);
        if contents.len() == 0 {
            self.clear();
        }
        written
    }

    /// Forgets what waits.
    #[inline]
    pub(crate) fn clear(&mut self) {
        if let Some(mut contents) = self.0.take() {
            contents.clear();
            // At the thread's end it is freed, and so it is when there are enough.
            let _ = SPARE_CONTENTS.try_with(|spare| {
                let mut spare = spare.borrow_mut();
                if spare.len() < MAX_SPARE {
                    spare.push(contents);
                }
            });
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
            let spare = SPARE_CONTENTS.try_with(|spare| spare.borrow_mut().pop());
            spare.ok().flatten().unwrap_or_default()
        })
    }
}

impl Contents {
    /// Returns how many bytes wait.
    fn len(&self) -> usize {
        let behind = self.behind.as_ref().map_or(0, |behind| behind.length);
        self.chunk.len() - self.written + behind + self.urgent.rest().len()
    }

    /// Puts encoded frames behind what waits, without a copy, but for the first `written` bytes.
    fn push_chunk(&mut self, chunk: Chunk, written: usize) {
        if self.written == self.chunk.len() && self.behind.is_none() {
            (self.written, self.boundary) = (written, 0);
            mem::replace(&mut self.chunk, chunk).recycle();
        } else {
            self.push_behind(chunk);
        }
    }

    /// Adds to the last chunk, or to a new one when that is shared.
    #[inline]
    fn append(&mut self, needed: usize, append: impl FnOnce(&mut Vec<u8>)) {
        if self.behind.is_some() {
            return self.append_behind(needed, append);
        }
        if matches!(self.chunk, Chunk::Shared(_)) {
            self.own_few_bytes(needed);
        }
        let Chunk::Own(buffer) = &mut self.chunk else {
            return self.append_behind(needed, append);
        };
        if buffer.capacity() == 0 {
            *buffer = take_buffer(needed + HEADER_ROOM);
        } else if self.written > buffer.len() - self.written {
            // More has gone than waits: moving the rest costs less than what it frees.
            self.boundary = boundary_from(buffer, self.boundary, self.written) - self.written;
            buffer.drain(..self.written);
            self.written = 0;
        }
        append(buffer);
    }

    #[cold]
    fn append_behind(&mut self, needed: usize, append: impl FnOnce(&mut Vec<u8>)) {
        let behind = self.behind.get_or_insert_default();
        if let Some(Chunk::Own(last)) = behind.chunks.back_mut() {
            let before = last.len();
            append(last);
            behind.length += last.len() - before;
            return;
        }
        let mut buffer = take_buffer(needed + HEADER_ROOM);
        append(&mut buffer);
        self.push_behind(Chunk::Own(buffer));
    }

    /// Copies what waits if it is shared and short, so that more can be added to it.
    fn own_few_bytes(&mut self, needed: usize) {
        let Chunk::Shared(shared) = &self.chunk else { return };
        let rest = shared.get(self.written..).unwrap_or_default();
        if rest.len() < MIN_CHUNK {
            let mut buffer = take_buffer(rest.len() + needed + HEADER_ROOM);
            append_bytes(&mut buffer, rest);
            self.boundary = boundary_from(shared, self.boundary, self.written) - self.written;
            (self.chunk, self.written) = (Chunk::Own(buffer), 0);
        }
    }

    fn push_behind(&mut self, chunk: Chunk) {
        let behind = self.behind.get_or_insert_default();
        behind.length += chunk.len();
        behind.chunks.push_back(chunk);
    }

    #[inline]
    fn write_to(&mut self, stream: &mut Stream, is_driver: bool) -> Written {
        let mut count = 0;
        if !self.urgent.frames.is_empty() {
            let written = self.write_urgent(stream, is_driver);
            count = written.count;
            if written.has_failed || !self.urgent.frames.is_empty() {
                return written;
            }
        }
        loop {
            let rest = self.chunk.as_bytes().get(self.written..).unwrap_or_default();
            if rest.is_empty() {
                return Written { count, has_failed: false };
            }
            let Ok(written) = write(stream, rest, is_driver) else {
                return Written { count, has_failed: true };
            };
            count += written;
            if written < rest.len() {
                self.written += written;
                return Written { count, has_failed: false };
            }
            if self.behind.is_none() {
                self.written = self.chunk.len();
                return Written { count, has_failed: false };
            }
            self.next_chunk();
        }
    }

    /// Writes the rest of the frame that was begun, and then the urgent frames.
    #[cold]
    fn write_urgent(&mut self, stream: &mut Stream, is_driver: bool) -> Written {
        let mut count = 0;
        while !self.urgent.is_begun {
            // A frame of which TLS has encrypted a part comes first as well.
            let begun = self.written + stream.unconfirmed();
            let chunk = self.chunk.as_bytes();
            self.boundary = boundary_from(chunk, self.boundary, begun);
            let rest = chunk.get(self.written..self.boundary).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let length = rest.len();
            let Ok(written) = write(stream, rest, is_driver) else {
                return Written { count, has_failed: true };
            };
            count += written;
            self.written += written;
            if written < length {
                return Written { count, has_failed: false };
            }
            if self.written == self.chunk.len() && self.behind.is_some() {
                self.next_chunk();
            }
        }
        let Ok(written) = write(stream, self.urgent.rest(), is_driver) else {
            return Written { count, has_failed: true };
        };
        self.urgent.written += written;
        self.urgent.is_begun = self.urgent.written > 0 || stream.unconfirmed() > 0;
        if self.urgent.rest().is_empty() {
            self.urgent = Urgent::default();
        }
        Written { count: count + written, has_failed: false }
    }

    /// Goes on with the chunk behind the first one, or with none.
    fn next_chunk(&mut self) {
        let next = self.behind.as_mut().and_then(|behind| {
            let chunk = behind.chunks.pop_front()?;
            behind.length -= chunk.len();
            Some(chunk)
        });
        if self.behind.as_ref().is_some_and(|behind| behind.chunks.is_empty()) {
            self.behind = None;
        }
        (self.written, self.boundary) = (0, 0);
        mem::replace(&mut self.chunk, next.unwrap_or_default()).recycle();
    }

    /// Forgets what waits.
    #[inline]
    fn clear(&mut self) {
        (self.written, self.boundary) = (0, 0);
        mem::take(&mut self.chunk).recycle();
        self.behind = None;
        self.urgent = Urgent::default();
        self.held = HeldMemory::default();
        self.controls = 0;
    }
}

impl Urgent {
    fn rest(&self) -> &[u8] {
        self.frames.get(self.written..).unwrap_or_default()
    }
}

fn write(stream: &mut Stream, bytes: &[u8], is_driver: bool) -> io::Result<usize> {
    let buffers = [IoSlice::new(bytes)];
    if is_driver { stream.try_write_here(&buffers) } else { stream.try_write(&buffers) }
}

/// Returns the first place at or behind `place` at which a frame begins or the frames end.
fn boundary_from(frames: &[u8], mut boundary: usize, place: usize) -> usize {
    while boundary < place {
        boundary += encoded_length(frames.get(boundary..).unwrap_or_default());
    }
    boundary.min(frames.len())
}

impl Chunk {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Returns how many bytes of memory it takes: of what is shared, the part of one holder.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Own(bytes) => bytes.len(),
            Self::Shared(bytes) => bytes.len() / Arc::strong_count(bytes),
        }
    }

    /// Gives the buffer back to the pool.
    fn recycle(self) {
        if let Self::Own(buffer) = self {
            put_buffer(buffer);
        }
    }
}

impl Default for Chunk {
    fn default() -> Self {
        Self::Own(Vec::new())
    }
}

thread_local! {
    /// What the outboxes of this thread do not need now; to allocate it would cost as much as to
    /// encode a small message.
    #[expect(clippy::vec_box, reason = "it is the boxes that are kept")]
    static SPARE_CONTENTS: RefCell<Vec<Box<Contents>>> = const { RefCell::new(Vec::new()) };
}

/// As many as are written to in one turn of a loop, roughly, when a message goes to all clients.
const MAX_SPARE: usize = 1024;
/// What is shorter is copied behind the rest: then one write takes both.
const MIN_CHUNK: usize = 16 * 1024;
/// Room for the header of a frame, so that a pooled buffer holds header and payload.
pub(crate) const HEADER_ROOM: usize = 16;

#[cfg(test)]
mod tests;
