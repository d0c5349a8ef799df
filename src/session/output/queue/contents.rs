//! The contents of an output queue: chunks, and urgent control frames.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem;

use crate::net::stream::Stream;
use crate::protocol::frames::copying::append_bytes;
use crate::session::buffers::{SMALL, put_buffer, take_buffer};
use crate::session::held_memory::HeldMemory;
use crate::session::output::chunk::{Chunk, HEADER_ROOM, MIN_CHUNK, boundary_from};

/// The contents of a queue that is not empty.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) chunk: Chunk,
    /// The bytes of the chunk that the kernel has taken.
    pub(super) written: usize,
    /// A place in the chunk at which a frame begins or the chunk ends.
    pub(super) boundary: usize,
    pub(super) behind: Option<Box<Behind>>,
    /// Control frames that are sent at the next boundary, in front of the rest.
    ///
    /// RFC 6455 §5.4: control frames may be injected in the middle of a fragmented message.
    pub(super) urgent: Urgent,
    /// The memory of this and of the backlog, as far as it is counted.
    pub(super) held: HeldMemory,
    /// The bytes of the control frames behind the last message.
    pub(super) controls: usize,
}

/// The result of an attempt to write.
#[derive(Clone, Copy)]
pub(crate) struct Written {
    /// How many bytes the kernel has taken, also before a failure.
    pub(crate) count: usize,
    pub(crate) has_failed: bool,
}

/// Control frames that overtake the rest of the output.
#[derive(Default)]
pub(super) struct Urgent {
    pub(super) frames: Vec<u8>,
    /// The bytes that the kernel has taken.
    pub(super) written: usize,
    /// The kernel, or TLS, has some of the bytes: nothing may come between.
    pub(super) is_begun: bool,
}

/// The chunks behind the first one; there are some only if a message is shared.
#[derive(Default)]
pub(super) struct Behind {
    pub(super) chunks: VecDeque<Chunk>,
    pub(super) length: usize,
}

impl Contents {
    /// Returns how many bytes wait.
    pub(super) fn len(&self) -> usize {
        let behind = self.behind.as_ref().map_or(0, |behind| behind.length);
        self.chunk.len() - self.written + behind + self.urgent.rest().len()
    }

    /// Returns the length of the only chunk, unless there are others or it is counted.
    #[inline]
    pub(super) fn short_len(&self) -> Option<usize> {
        let is_alone = self.behind.is_none() && self.held.size() == 0;
        is_alone.then(|| self.chunk.len() + self.urgent.frames.len())
    }

    /// Returns whether no bytes wait.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.written == self.chunk.len() && self.behind.is_none() && self.urgent.rest().is_empty()
    }

    /// Puts encoded frames at the end, uncopied, but for the first `written` bytes.
    pub(super) fn push_chunk(&mut self, chunk: Chunk, written: usize) {
        if self.written == self.chunk.len() && self.behind.is_none() {
            (self.written, self.boundary) = (written, 0);
            mem::replace(&mut self.chunk, chunk).recycle();
        } else {
            self.push_behind(chunk);
        }
    }

    /// Puts frames in front of all others; the kernel has `written` bytes of them.
    pub(super) fn push_front(&mut self, frames: &[u8], written: usize) {
        let mut buffer = take_buffer(frames.len());
        append_bytes(&mut buffer, frames);
        let former = mem::replace(&mut self.chunk, Chunk::Own(buffer));
        if former.len() > 0 {
            let behind = self.behind.get_or_insert_default();
            behind.length += former.len();
            behind.chunks.push_front(former);
        } else {
            former.recycle();
        }
        (self.written, self.boundary) = (written, 0);
    }

    /// Adds to the last chunk, or to a new one when that is shared.
    #[inline]
    pub(super) fn append(&mut self, needed: usize, append: impl FnOnce(&mut Vec<u8>)) {
        if self.behind.is_some() {
            return self.append_behind(needed, append);
        }
        if matches!(self.chunk, Chunk::Shared(_)) {
            self.own_few_bytes(needed);
        }
        let Chunk::Own(buffer) = &mut self.chunk else {
            return self.append_behind(needed, append);
        };
        if buffer.is_empty() {
            if buffer.capacity() < needed + HEADER_ROOM {
                let bigger = take_buffer(needed + HEADER_ROOM);
                put_buffer(mem::replace(buffer, bigger));
            }
        } else if self.written > buffer.len() - self.written {
            // More has left than waits: moving the rest costs less than what it frees.
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

    /// Copies the first chunk if it is shared and short, to add more to it.
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

    /// Writes the only chunk, if it is all that waits, and whole; only for the driver.
    #[inline]
    pub(super) fn write_only_chunk(
        &mut self,
        stream: &mut Stream,
        is_last: bool,
    ) -> Option<Written> {
        if self.written > 0 || self.behind.is_some() || !self.urgent.frames.is_empty() {
            return None;
        }
        let bytes = self.chunk.as_bytes();
        let written =
            if is_last { stream.try_write_last(bytes) } else { stream.try_write_here(bytes) };
        self.written = *written.as_ref().unwrap_or(&0);
        Some(Written { count: self.written, has_failed: written.is_err() })
    }

    #[inline]
    pub(super) fn write_to(&mut self, stream: &mut Stream, is_driver: bool) -> Written {
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

    /// Continues with the chunk behind the first one, or with none.
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

    /// Drops all frames.
    ///
    /// A small buffer is kept.
    #[inline]
    pub(super) fn clear(&mut self) {
        (self.written, self.boundary, self.controls) = (0, 0, 0);
        match &mut self.chunk {
            Chunk::Own(buffer) if buffer.capacity() <= SMALL => buffer.clear(),
            Chunk::Own(_) | Chunk::Shared(_) => self.free_buffer(),
        }
        if self.behind.is_some() || self.held.size() > 0 || !self.urgent.frames.is_empty() {
            (self.behind, self.held, self.urgent) = Default::default();
        }
    }

    /// Returns whether cleared contents have a small buffer.
    #[inline]
    pub(super) fn has_buffer(&self) -> bool {
        matches!(&self.chunk, Chunk::Own(buffer) if buffer.capacity() > 0)
    }

    /// Gives the buffer back to the thread.
    #[inline]
    pub(super) fn free_buffer(&mut self) {
        mem::take(&mut self.chunk).recycle();
    }
}

impl Urgent {
    pub(super) fn rest(&self) -> &[u8] {
        self.frames.get(self.written..).unwrap_or_default()
    }
}

fn write(stream: &mut Stream, bytes: &[u8], is_driver: bool) -> io::Result<usize> {
    if is_driver { stream.try_write_here(bytes) } else { stream.try_write(&[IoSlice::new(bytes)]) }
}
