//! The buffer of a binary message, into which a stream may read by itself.

use std::ops::Range;

use crate::protocol::frames::copying::{append_bytes, copy_bytes};

/// The bytes that have come, and initialized room behind them.
///
/// What lies in the room, and in front of the bytes, is left from other messages, and reaches no slot.
#[derive(Debug, Default)]
pub(crate) struct MessageBuffer {
    bytes: Vec<u8>,
    start: usize,
    length: usize,
}

impl MessageBuffer {
    /// Makes an empty buffer of this memory; what it contains becomes room.
    pub(crate) fn with_memory(memory: Vec<u8>) -> Self {
        Self { bytes: memory, start: 0, length: 0 }
    }

    /// Makes a buffer of the bytes in a range of this memory.
    ///
    /// What is behind them becomes room.
    pub(crate) fn within(memory: Vec<u8>, range: Range<usize>) -> Self {
        Self { bytes: memory, start: range.start, length: range.len() }
    }

    /// Appends bytes.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        let end = self.end();
        let room = self.bytes.get_mut(end..).unwrap_or_default();
        let (front, rest) = bytes.split_at(bytes.len().min(room.len()));
        copy_bytes(room, front);
        append_bytes(&mut self.bytes, rest);
        self.length += bytes.len();
    }

    /// Returns room for `most` bytes, or for what the memory has, but at least `least`.
    pub(crate) fn room(&mut self, least: usize, most: usize) -> Option<&mut [u8]> {
        let size = most.min(self.capacity() - self.length);
        if size < least {
            return None;
        }
        let (start, end) = (self.end(), self.end() + size);
        // Memory that was such a buffer before is initialized already.
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes.get_mut(start..end)
    }

    /// Adds the first `count` bytes of the room, and returns them.
    pub(crate) fn fill(&mut self, count: usize) -> &mut [u8] {
        let start = self.end();
        let end = start.saturating_add(count).min(self.bytes.len());
        self.length = end - self.start;
        self.bytes.get_mut(start..end).unwrap_or_default()
    }

    /// Takes more memory: so much is reserved in all, and `ahead` of the bytes.
    ///
    /// What lies in front of them is a part of that.
    pub(crate) fn reserve(&mut self, capacity: usize, ahead: usize) {
        let size = capacity + ahead.max(self.start);
        // The reservation counts from the end of the room: with it, there would be more memory.
        self.bytes.truncate(self.end());
        self.bytes.reserve_exact(size.saturating_sub(self.end()));
    }

    /// Returns the bytes that have come.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.start..self.end()).unwrap_or_default()
    }

    /// Returns how many bytes have come.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Returns for how many bytes there is memory.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity() - self.start
    }

    /// Returns the bytes that have come, by themselves.
    #[cfg(feature = "compression")]
    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.truncate(self.end());
        self.bytes.drain(..self.start);
        self.bytes
    }

    /// Returns the memory, with whatever it contains.
    pub(crate) fn into_memory(self) -> Vec<u8> {
        self.bytes
    }

    fn end(&self) -> usize {
        self.start + self.length
    }
}

impl From<Vec<u8>> for MessageBuffer {
    /// Makes a buffer of the bytes of a whole message.
    fn from(bytes: Vec<u8>) -> Self {
        Self { start: 0, length: bytes.len(), bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A buffer in which another message was before.
    fn used_buffer() -> MessageBuffer {
        let mut memory = Vec::with_capacity(8);
        memory.extend([0xEE; 4]);
        MessageBuffer::with_memory(memory)
    }

    #[test]
    fn lends_nothing_of_the_message_before() {
        let mut buffer = used_buffer();
        assert_eq!(buffer.as_bytes(), b"");

        buffer.append(b"ab");
        assert_eq!(buffer.as_bytes(), b"ab");
        buffer.append(b"cdef");
        assert_eq!(buffer.as_bytes(), b"abcdef");
        assert_eq!((buffer.len(), buffer.capacity()), (6, 8));
    }

    #[test]
    fn takes_over_memory_with_bytes_in_it() {
        let mut memory = Vec::with_capacity(10);
        memory.extend(b"__ab____");
        let mut buffer = MessageBuffer::within(memory, 2..4);
        assert_eq!((buffer.as_bytes(), buffer.len(), buffer.capacity()), (&b"ab"[..], 2, 8));

        assert!(buffer.room(7, 7).is_none());
        buffer.room(1, 3).unwrap().copy_from_slice(b"cde");
        assert_eq!(buffer.fill(2), b"cd");
        buffer.append(b"efgh");
        assert_eq!((buffer.as_bytes(), buffer.capacity()), (&b"abcdefgh"[..], 8));

        buffer.reserve(100, 10);
        assert!(buffer.capacity() >= 100);
        assert_eq!(buffer.as_bytes(), b"abcdefgh");
        #[cfg(feature = "compression")]
        assert_eq!(buffer.into_bytes(), b"abcdefgh");
    }

    #[test]
    fn has_room_for_what_its_memory_takes() {
        let mut buffer = used_buffer();
        buffer.append(b"a");

        let mut length = |least, most| buffer.room(least, most).map(|room| room.len());
        assert_eq!(length(1, 3), Some(3));
        assert_eq!(length(7, usize::MAX), Some(7));
        assert_eq!(length(8, usize::MAX), None);
        assert_eq!(length(2, 1), None);
        assert_eq!(buffer.as_bytes(), b"a");
    }

    /// Clearing what nobody reads into would cost as much as the copy that is saved.
    #[test]
    fn initializes_no_room_that_is_too_small() {
        let mut buffer = used_buffer();

        assert!(buffer.room(9, usize::MAX).is_none());

        assert_eq!(buffer.into_memory().len(), 4);
    }

    #[test]
    fn adds_what_was_read_into_the_room() {
        let mut buffer = used_buffer();
        buffer.append(b"a");
        buffer.room(1, 5).unwrap().copy_from_slice(b"bcdef");

        assert_eq!(buffer.fill(2), b"bc");
        assert_eq!(buffer.as_bytes(), b"abc");
        buffer.append(b"!");
        assert_eq!(buffer.as_bytes(), b"abc!");
        assert_eq!(buffer.fill(99).len(), 2, "no more than the room that was taken");
    }

    #[test]
    fn grows_without_what_was_left_in_it() {
        let mut buffer = used_buffer();
        buffer.append(b"ab");

        buffer.reserve(100, 0);

        assert!(buffer.capacity() >= 100);
        assert_eq!(buffer.as_bytes(), b"ab");
        assert_eq!(buffer.into_memory(), b"ab");
    }
}
