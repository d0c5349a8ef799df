//! Reads payload of big frames into the message itself, without a copy.

use crate::protocol::frames::decoder::Decoder;
use crate::protocol::frames::unfinished::Unfinished;

impl Decoder {
    /// Returns room for the next `most` bytes of payload, or for fewer.
    ///
    /// `None` when it were for fewer than `least`: they are not missing, or the message has no memory
    /// for them yet, which follows the input. Uncompressed text is validated, and has none. What is
    /// read into the room is added by [`add_payload`](Self::add_payload). The last byte of a frame is
    /// always input, so that no frame ends here.
    pub(crate) fn payload_room(&mut self, least: usize, most: usize) -> Option<&mut [u8]> {
        if self.is_in_payload() { self.unfinished.as_mut()?.room(least, most) } else { None }
    }

    /// Adds the bytes that were read into the room.
    pub(crate) fn add_payload(&mut self, count: usize) {
        if let Some(unfinished) = &mut self.unfinished {
            unfinished.add_payload(count);
        }
    }

    /// Leaves a big first piece of a message in the input from now on, or no longer.
    ///
    /// Behind each input with such a piece [`adopt`](Self::adopt) has to follow.
    pub(crate) fn leave_big_piece(&mut self, leaves_big_piece: bool) {
        self.leaves_big_piece = leaves_big_piece;
    }

    /// Returns whether the first piece of a message was left in the input.
    pub(crate) fn has_left_piece(&self) -> bool {
        self.unfinished.as_deref().is_some_and(Unfinished::has_left_piece)
    }

    /// Takes over the memory of the input, so that the piece is not copied.
    ///
    /// The input has so many bytes, and ends with the piece.
    pub(crate) fn adopt(&mut self, memory: Vec<u8>, length: usize) {
        if let Some(unfinished) = &mut self.unfinished {
            unfinished.adopt(memory, length);
        }
    }
}
