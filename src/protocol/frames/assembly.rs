//! Puts a message together that comes in several frames or reads.

use std::mem;
use std::ops::Range;

use crate::protocol::frames::buffer_pool::{AHEAD, BufferPool, good_capacity};
use crate::protocol::frames::copying::append_text;
use crate::protocol::frames::event::Data;
use crate::protocol::frames::message_buffer::MessageBuffer;
use crate::protocol::frames::opcode::MessageKind;
use crate::protocol::frames::utf8::SplitCharacter;
use crate::protocol::frames::violation::Violation;

/// The bytes of a message that have come so far; text is validated piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    content: Content,
    split: SplitCharacter,
}

/// Validated text is kept as such, so that it is not validated again to be lent.
#[derive(Debug)]
enum Content {
    Text(String),
    Binary(MessageBuffer),
}

impl Assembly {
    /// Begins a message. What is left of the one before goes to the pool.
    pub(crate) fn begin(&mut self, kind: MessageKind, pool: &mut BufferPool) {
        self.release(pool);
        if kind == MessageKind::Text {
            self.content = Content::Text(String::new());
        }
    }

    /// Appends the next piece. The message will not grow over `most` bytes.
    pub(crate) fn append(
        &mut self,
        piece: &[u8],
        most: usize,
        pool: &mut BufferPool,
    ) -> Result<(), Violation> {
        self.content.make_room(self.received() + piece.len(), most, pool);
        match &mut self.content {
            Content::Text(text) => self.split.append(text, piece),
            Content::Binary(bytes) => {
                bytes.append(piece);
                Ok(())
            }
        }
    }

    /// Takes over the first piece of a binary message, with its memory.
    pub(crate) fn adopt(&mut self, memory: Vec<u8>, piece: Range<usize>) {
        self.content = Content::Binary(MessageBuffer::within(memory, piece));
    }

    /// Returns whether nothing of a binary message has come.
    pub(crate) fn is_empty_binary(&self) -> bool {
        matches!(&self.content, Content::Binary(bytes) if bytes.len() == 0)
    }

    /// Returns room for `least` to `most` bytes; text, which is validated, has none.
    pub(crate) fn room(&mut self, least: usize, most: usize) -> Option<&mut [u8]> {
        match &mut self.content {
            Content::Text(_) => None,
            Content::Binary(bytes) => bytes.room(least, most),
        }
    }

    /// Adds bytes that were written into the room, and returns them.
    pub(crate) fn fill(&mut self, count: usize) -> &mut [u8] {
        match &mut self.content {
            Content::Text(_) => &mut [],
            Content::Binary(bytes) => bytes.fill(count),
        }
    }

    /// Ends the message, which must not end inside a character.
    pub(crate) fn finish(&self) -> Result<(), Violation> {
        // RFC 6455 §5.6: the whole message is valid UTF-8, a single frame need not be.
        if self.split.is_empty() { Ok(()) } else { Err(Violation::INVALID_TEXT) }
    }

    /// Lends what has come so far, but for a character that is not complete.
    pub(crate) fn data(&self) -> Data<'_> {
        match &self.content {
            Content::Text(text) => Data::Text(text),
            Content::Binary(bytes) => Data::Binary(bytes.as_bytes()),
        }
    }

    /// Returns how many bytes can be lent.
    pub(crate) fn len(&self) -> usize {
        self.content.len()
    }

    /// Takes what has come so far.
    #[cfg(feature = "compression")]
    pub(crate) fn take(&mut self) -> Vec<u8> {
        match mem::take(self).content {
            Content::Text(text) => text.into_bytes(),
            Content::Binary(bytes) => bytes.into_bytes(),
        }
    }

    /// Sets the whole message.
    #[cfg(feature = "compression")]
    pub(crate) fn set(&mut self, bytes: Vec<u8>) {
        *self = Self { content: Content::Binary(bytes.into()), ..Self::default() };
    }

    /// Gives the buffer to the pool.
    pub(crate) fn release(&mut self, pool: &mut BufferPool) {
        pool.put(mem::take(self).content.into_memory());
    }

    /// Returns how many bytes of the message came so far.
    pub(crate) fn received(&self) -> usize {
        self.content.len() + self.split.len()
    }

    /// Returns how many bytes the buffer occupies.
    pub(crate) fn capacity(&self) -> usize {
        self.content.capacity()
    }
}

impl Content {
    /// Makes room for `needed` bytes in all, in a buffer of the pool if one fits.
    ///
    /// The room doubles, so that many small pieces cost linear time, but never exceeds `most`:
    /// the memory follows the bytes that came, not those that were promised.
    fn make_room(&mut self, needed: usize, most: usize, pool: &mut BufferPool) {
        if needed <= self.capacity() {
            return;
        }
        let doubled = good_capacity(self.capacity().saturating_mul(2).max(needed));
        let room = doubled.min(most).max(needed);
        let pooled = pool.take_used(needed);
        let outgrown = match (&mut *self, pooled) {
            (Self::Text(text), Some(mut memory)) => {
                memory.clear();
                let mut bigger = String::from_utf8(memory).unwrap_or_default();
                append_text(&mut bigger, text);
                mem::replace(text, bigger).into_bytes()
            }
            (Self::Binary(bytes), Some(memory)) => {
                let mut bigger = MessageBuffer::with_memory(memory);
                bigger.append(bytes.as_bytes());
                mem::replace(bytes, bigger).into_memory()
            }
            (Self::Text(text), None) => return text.reserve_exact(room - text.len()),
            (Self::Binary(bytes), None) => {
                // The memory of the input needs more for such a message.
                let ahead = if room == most && room >= BIG_PIECE { AHEAD } else { 0 };
                return bytes.reserve(room, ahead);
            }
        };
        pool.put(outgrown);
    }

    fn into_memory(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) => bytes.into_memory(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    fn capacity(&self) -> usize {
        match self {
            Self::Text(text) => text.capacity(),
            Self::Binary(bytes) => bytes.capacity(),
        }
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::Binary(MessageBuffer::default())
    }
}

/// The least first piece that is taken over with its memory, in bytes.
///
/// It entitles to a buffer of 1 MiB, as that of the input may be.
pub(crate) const BIG_PIECE: usize = if cfg!(fuzzing) { 16 } else { 256 * 1024 };
