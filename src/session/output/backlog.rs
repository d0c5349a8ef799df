//! The backlog of a slow peer: messages that can still be dropped.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::protocol::frames::fragmentation::first_message;
use crate::session::output::chunk::{Chunk, HEADER_ROOM};
use crate::session::output::conflation_keys::ConflationKeys;
use crate::session::output::queue::OutputQueue;

/// Whole messages that wait behind the output queue, so that they can be dropped.
///
/// There are some only while the queue is not empty: once that is written, the first of them follow.
/// Short messages are packed, so that they take little more memory than their bytes; where one ends
/// is read from its own header.
#[derive(Default)]
pub(crate) struct Backlog {
    chunks: VecDeque<Chunk>,
    /// The bytes of the first chunk that have left.
    start: usize,
    length: usize,
    /// How many chunks have left.
    left: u64,
    /// The places of the messages that a later one with the same key replaces.
    keys: Option<Box<ConflationKeys>>,
}

impl Backlog {
    /// Returns how many bytes wait here.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Returns how many bytes of memory they take; shared messages count in parts.
    pub(crate) fn weight(&self) -> usize {
        self.chunks.iter().map(Chunk::weight).sum::<usize>().saturating_sub(self.start)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Puts a message at the end, which `encode` appends, of about `payload` bytes.
    pub(crate) fn push(&mut self, payload: usize, encode: impl FnOnce(&mut Vec<u8>)) {
        let needed = payload + HEADER_ROOM;
        let block = match self.chunks.back_mut() {
            Some(Chunk::Own(last)) if last.len() + needed <= BLOCK => last,
            _ => {
                self.chunks.push_back(Chunk::Own(Vec::with_capacity(needed)));
                let Some(Chunk::Own(block)) = self.chunks.back_mut() else { return };
                block
            }
        };
        let before = block.len();
        encode(block);
        self.length += block.len() - before;
    }

    /// Puts an encoded message of many connections at the end; a short one is copied.
    pub(crate) fn push_shared(&mut self, message: &Arc<[u8]>) {
        if message.len() < MIN_SHARED {
            self.push(message.len(), |block| block.extend_from_slice(message));
        } else {
            self.length += message.len();
            self.chunks.push_back(Chunk::Shared(Arc::clone(message)));
        }
    }

    /// Puts an encoded message with a key at the end, in a chunk of its own.
    pub(crate) fn push_keyed(&mut self, key: u64, message: &Arc<[u8]>) {
        let place = self.left + self.chunks.len() as u64;
        self.keys.get_or_insert_default().set(key, place, self.left);
        self.length += message.len();
        self.chunks.push_back(Chunk::Shared(Arc::clone(message)));
    }

    /// Returns the length of the message with this key that waits, if there is one.
    pub(crate) fn keyed_len(&self, key: u64) -> Option<usize> {
        self.chunks.get(self.index_of(key)?).map(Chunk::len)
    }

    /// Replaces the message with this key; returns whether there was one.
    ///
    /// The new one takes its place: at the end it might never be reached by a slow peer.
    pub(crate) fn replace(&mut self, key: u64, message: &Arc<[u8]>) -> bool {
        let chunk = self.index_of(key).and_then(|index| self.chunks.get_mut(index));
        let Some(chunk) = chunk else { return false };
        self.length = self.length - chunk.len() + message.len();
        *chunk = Chunk::Shared(Arc::clone(message));
        true
    }

    /// Drops the oldest message; returns whether there was one.
    pub(crate) fn drop_first(&mut self) -> bool {
        let message = self.first().len();
        self.skip(message);
        message > 0
    }

    /// Moves the oldest message into the queue; returns whether there was one.
    pub(crate) fn move_first(&mut self, queue: &mut OutputQueue) -> bool {
        let message = self.first();
        let length = message.len();
        let is_alone = self.chunks.front().is_some_and(|chunk| chunk.len() == length);
        if !is_alone {
            queue.push_encoded(message);
            self.skip(length);
        } else if let Some(chunk) = self.pop_chunk() {
            self.length -= length;
            queue.push_chunk(chunk);
        }
        length > 0
    }

    fn index_of(&self, key: u64) -> Option<usize> {
        let place = self.keys.as_ref()?.place(key)?;
        usize::try_from(place.checked_sub(self.left)?).ok()
    }

    fn pop_chunk(&mut self) -> Option<Chunk> {
        let chunk = self.chunks.pop_front()?;
        self.left += 1;
        Some(chunk)
    }

    /// Returns the oldest message; empty when there is none.
    fn first(&self) -> &[u8] {
        let chunk = self.chunks.front().map(Chunk::as_bytes).unwrap_or_default();
        first_message(chunk.get(self.start..).unwrap_or_default())
    }

    /// Removes the first bytes, which are a whole message.
    fn skip(&mut self, count: usize) {
        self.start += count;
        self.length -= count;
        if self.chunks.front().is_some_and(|chunk| chunk.len() == self.start) {
            self.pop_chunk();
            self.start = 0;
        }
    }
}

/// Short messages share allocations of this size, in bytes.
const BLOCK: usize = 4 * 1024;
/// Messages of many connections are shared from this size on, in bytes.
///
/// A place for one takes up to 48 bytes.
const MIN_SHARED: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::frames::frame::Frame;
    use crate::protocol::frames::opcode::MessageKind;

    fn push(backlog: &mut Backlog, payload: &[u8]) {
        backlog.push(payload.len(), |block| {
            Frame::message(MessageKind::Text, payload).write_to(block, None);
        });
    }

    #[test]
    fn short_messages_are_packed_and_still_dropped_one_by_one() {
        let mut backlog = Backlog::default();
        for _ in 0..10_000 {
            push(&mut backlog, b"x");
        }
        assert_eq!(backlog.len(), 30_000);
        let capacity = |chunk: &Chunk| match chunk {
            Chunk::Own(block) => block.capacity(),
            Chunk::Shared(_) => 0,
        };
        assert!(backlog.chunks.iter().map(capacity).sum::<usize>() < 45_000);

        for left in (0..10_000).rev() {
            assert!(backlog.drop_first());
            assert_eq!(backlog.len(), 3 * left);
        }

        assert!(backlog.is_empty() && !backlog.drop_first());
    }

    #[test]
    fn messages_of_all_kinds_leave_in_their_order() {
        let shared: Arc<[u8]> = {
            let mut frame = Vec::new();
            Frame::message(MessageKind::Text, &[b's'; 600]).write_to(&mut frame, None);
            frame.into()
        };
        let (mut backlog, mut queue) = (Backlog::default(), OutputQueue::default());
        push(&mut backlog, b"dropped");
        push(&mut backlog, b"a");
        backlog.push_shared(&shared);
        push(&mut backlog, &vec![b'b'; 20_000]);
        push(&mut backlog, b"");
        assert_eq!(Arc::strong_count(&shared), 2);

        assert!(backlog.drop_first());
        let mut lengths = Vec::new();
        while backlog.move_first(&mut queue) {
            lengths.push(queue.len());
        }

        assert_eq!(lengths, [3, 607, 20_611, 20_613]);
        assert_eq!(backlog.len(), 0);
        assert_eq!(Arc::strong_count(&shared), 1);
    }

    /// The memory budget counts what waits; a shared message in parts.
    #[test]
    fn messages_weigh_until_they_have_left() {
        let mut backlog = Backlog::default();
        push(&mut backlog, &[b'a'; 98]);
        push(&mut backlog, &[b'b'; 98]);
        let shared: Arc<[u8]> = vec![0x82; 600].into();
        backlog.push_shared(&shared);
        assert_eq!(backlog.weight(), 200 + 300);

        assert!(backlog.drop_first());
        assert_eq!(backlog.weight(), 100 + 300);
        drop(shared);
        assert!(backlog.drop_first());
        assert_eq!(backlog.weight(), 600);
    }
}
