//! The output of one connection that the kernel has not taken yet.

use std::io::{self, IoSlice};
use std::mem;

use crate::protocol::copying::append_bytes;
use crate::protocol::frame::Frame;
use crate::session::buffers::{put_buffer, take_buffer};
use crate::stream::Stream;

/// Encoded frames that wait to be written.
///
/// An empty outbox owns no memory: its buffer goes back to the thread's pool.
#[derive(Default)]
pub(super) struct Outbox {
    buffer: Vec<u8>,
    written: usize,
}

impl Outbox {
    /// Returns how many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.buffer.len() - self.written
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts a frame behind what waits.
    pub(super) fn push(&mut self, frame: &Frame<'_>) {
        self.make_room(frame.payload.len());
        frame.write_to(&mut self.buffer, None);
    }

    /// Puts a frame behind what waits of which the kernel has taken the first `written` bytes.
    pub(super) fn push_rest(&mut self, header: &[u8], payload: &[u8], written: usize) {
        self.make_room(payload.len());
        let header_rest = header.get(written..).unwrap_or_default();
        let payload_rest = payload.get(written.saturating_sub(header.len())..).unwrap_or_default();
        self.buffer.extend_from_slice(header_rest);
        append_bytes(&mut self.buffer, payload_rest);
    }

    fn make_room(&mut self, payload: usize) {
        if self.buffer.capacity() == 0 {
            self.buffer = take_buffer(payload + HEADER_ROOM);
        } else if self.written > self.len() {
            // More has gone than waits: moving the rest costs less than what it frees.
            self.buffer.drain(..self.written);
            self.written = 0;
        }
    }

    /// Writes what the kernel takes and returns how many bytes that was.
    ///
    /// Only the driver may say that it `is_driver`: see [`Stream::try_write`].
    pub(super) fn write_to(&mut self, stream: &mut Stream, is_driver: bool) -> io::Result<usize> {
        let rest = self.buffer.get(self.written..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(0);
        }
        let buffers = [IoSlice::new(rest)];
        let written = if is_driver {
            stream.try_write_here(&buffers)?
        } else {
            stream.try_write(&buffers)?
        };
        self.written += written;
        if self.is_empty() {
            self.clear();
        }
        Ok(written)
    }

    /// Forgets what waits.
    pub(super) fn clear(&mut self) {
        self.written = 0;
        put_buffer(mem::take(&mut self.buffer));
    }
}

/// Room for the header of a frame, so that a pooled buffer holds header and payload.
const HEADER_ROOM: usize = 16;
