//! Reads payload of big frames into the message itself, without a copy.

use crate::protocol::frames::decoder::Decoder;

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

    /// Leaves a big first piece of a message in the input from now on.
    ///
    /// Behind each input [`adopt_left_piece`](Self::adopt_left_piece) has to follow.
    pub(crate) fn leave_big_pieces(&mut self) {
        self.leaves_big_pieces = true;
    }

    /// Takes over the memory of the input if a first piece was left there.
    ///
    /// Returns whether it was.
    ///
    /// The input has so many bytes, and ends with the piece.
    #[inline]
    pub(crate) fn adopt_left_piece(
        &mut self,
        length: usize,
        take_memory: impl FnOnce() -> Vec<u8>,
    ) -> bool {
        self.unfinished.is_some() && self.adopt_any_left_piece(length, take_memory)
    }

    #[cold]
    fn adopt_any_left_piece(
        &mut self,
        length: usize,
        take_memory: impl FnOnce() -> Vec<u8>,
    ) -> bool {
        let unfinished = self.unfinished.as_deref_mut().filter(|it| it.has_left_piece());
        if let Some(unfinished) = unfinished {
            unfinished.adopt_left_piece(take_memory(), length);
            return true;
        }
        false
    }
}
