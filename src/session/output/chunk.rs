//! The chunks of the output: bytes of one connection, or a shared message.

use std::sync::Arc;

use crate::protocol::frames::frame_header::encoded_length;
use crate::session::buffers::put_buffer;

/// A part of the output: encoded frames.
pub(crate) enum Chunk {
    /// Frames of this connection alone, to which more can be added.
    Own(Vec<u8>),
    /// A message that other connections send as well.
    Shared(Arc<[u8]>),
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

    /// Returns its memory in bytes: of a shared message, the part of one holder.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Own(bytes) => bytes.len(),
            Self::Shared(bytes) => bytes.len() / Arc::strong_count(bytes),
        }
    }

    /// Gives the buffer back to the pool.
    #[inline]
    pub(crate) fn recycle(self) {
        if let Self::Own(buffer) = self
            && buffer.capacity() > 0
        {
            put_buffer(buffer);
        }
    }
}

impl Default for Chunk {
    fn default() -> Self {
        Self::Own(Vec::new())
    }
}

/// Returns the first beginning of a frame, or the end, at or behind `place`.
pub(crate) fn boundary_from(frames: &[u8], mut boundary: usize, place: usize) -> usize {
    while boundary < place {
        boundary += encoded_length(frames.get(boundary..).unwrap_or_default());
    }
    boundary.min(frames.len())
}

/// The room for a header, so that a pooled buffer holds header and payload.
pub(crate) const HEADER_ROOM: usize = 16;
/// Fewer bytes are copied behind others, so that one write takes both.
pub(crate) const MIN_CHUNK: usize = 16 * 1024;
