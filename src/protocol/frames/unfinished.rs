//! The unfinished frame and message of a connection.

use std::mem;

use crate::protocol::frames::assembly::{Assembly, BIG_PIECE};
use crate::protocol::frames::buffer_pool::BufferPool;
use crate::protocol::frames::bytes::ShortBytes;
use crate::protocol::frames::bytes::Unread;
use crate::protocol::frames::control_frame::ControlFrame;
#[cfg(feature = "compression")]
use crate::protocol::frames::event::Data;
use crate::protocol::frames::frame_header::{FrameHeader, LONGEST_HEADER};
use crate::protocol::frames::mask::{MaskingKey, advanced, apply_mask};
use crate::protocol::frames::opcode::MessageKind;
#[cfg(feature = "compression")]
use crate::protocol::frames::utf8;
use crate::protocol::frames::violation::Violation;

/// The parts of a header, a message and a control frame received so far.
///
/// Apart from the decoder, so that a connection between messages does without it.
#[derive(Debug, Default)]
pub(crate) struct Unfinished {
    /// The first bytes of an incomplete header.
    pub(crate) header: ShortBytes<LONGEST_HEADER>,
    /// How many frames the message has so far; zero without one.
    pub(crate) fragments: u32,
    /// The unfinished message, or the last one until it is recycled.
    pub(crate) message: Assembly,
    frame: UnfinishedFrame,
    /// The first piece of the message, so many bytes, is still at the end of the input.
    left: usize,
    /// The kind of a message that is compressed, or was.
    compressed: Option<MessageKind>,
    /// The unfinished control frame, or the last one until it is recycled.
    pub(crate) control: Option<Box<ControlFrame>>,
}

impl Unfinished {
    /// Begins a data frame of the message.
    pub(crate) fn begin_frame(&mut self, header: &FrameHeader) {
        if self.fragments == 0 {
            self.compressed = (!header.reserved.is_empty()).then(|| header.opcode.message_kind());
        }
        self.fragments += 1;
        self.frame = UnfinishedFrame {
            is_final: header.is_final,
            masking_key: header.masking_key,
            missing: header.payload_length,
            start: self.message.len(),
        };
    }

    /// Consumes payload for the message and returns whether the frame is complete.
    pub(crate) fn read_payload(
        &mut self,
        unread: &mut Unread<'_>,
        max_message_size: usize,
        leaves_big_pieces: bool,
        pool: &mut BufferPool,
    ) -> Result<bool, Violation> {
        let frame = &mut self.frame;
        let most =
            if frame.is_final { self.message.received() + frame.missing } else { max_message_size };

        let piece = unread.take(frame.missing);
        frame.unmask(piece);
        let is_big = frame.missing > 0 && piece.len() >= BIG_PIECE;
        let is_first = || self.compressed.is_none() && self.message.is_empty_binary();
        if leaves_big_pieces && is_big && is_first() {
            self.left = piece.len();
            return Ok(false);
        }
        self.message.append(piece, most, pool)?;
        Ok(frame.missing == 0)
    }

    /// Returns whether the first piece of the message was left in the input.
    pub(crate) fn has_left_piece(&self) -> bool {
        self.left > 0
    }

    /// Takes over the memory of the input, which ends here.
    pub(crate) fn adopt_left_piece(&mut self, memory: Vec<u8>, end: usize) {
        let start = end.saturating_sub(mem::take(&mut self.left));
        self.message.adopt(memory, start..end);
    }

    /// Returns room for payload that is missing, except for the last byte.
    pub(crate) fn room(&mut self, least: usize, most: usize) -> Option<&mut [u8]> {
        let missing = self.frame.missing.saturating_sub(1);
        self.message.room(least, most.min(missing))
    }

    /// Adds payload that was read into the room.
    pub(crate) fn add_payload(&mut self, count: usize) {
        let piece = self.message.fill(count);
        self.frame.unmask(piece);
    }

    /// Returns whether the message is compressed.
    pub(crate) fn is_compressed(&self) -> bool {
        self.fragments > 0 && self.compressed.is_some()
    }

    /// Takes a message that is compressed and complete, with its kind.
    #[cfg(feature = "compression")]
    pub(crate) fn take_compressed(&mut self) -> Option<(MessageKind, Vec<u8>)> {
        self.compressed.map(|kind| (kind, self.message.take()))
    }

    /// Sets the plain text of a message that was compressed.
    #[cfg(feature = "compression")]
    pub(crate) fn set_inflated(&mut self, kind: MessageKind, plain: Vec<u8>) {
        self.compressed = Some(kind);
        self.message.set(plain);
    }

    /// Lends the plain text of a message that was compressed.
    #[cfg(feature = "compression")]
    pub(crate) fn inflated(&self) -> Result<Data<'_>, Violation> {
        match (self.message.data(), self.compressed) {
            (Data::Binary(bytes), Some(MessageKind::Text)) => utf8::text(bytes).map(Data::Text),
            (data, _) => Ok(data),
        }
    }

    /// Returns whether the data frame is the last one of its message.
    pub(crate) fn is_final(&self) -> bool {
        self.frame.is_final
    }

    /// Returns where in the message the data frame begins.
    pub(crate) fn frame_start(&self) -> usize {
        self.frame.start
    }

    /// Returns how many bytes of the message have come.
    pub(crate) fn received(&self) -> usize {
        if self.fragments > 0 { self.message.received() } else { 0 }
    }
}

/// A data frame of which some payload is missing.
#[derive(Debug, Default)]
struct UnfinishedFrame {
    is_final: bool,
    /// The key for the next byte.
    masking_key: MaskingKey,
    missing: usize,
    start: usize,
}

impl UnfinishedFrame {
    /// Unmasks the next piece of the payload.
    fn unmask(&mut self, piece: &mut [u8]) {
        apply_mask(piece, self.masking_key);
        self.masking_key = advanced(self.masking_key, piece.len());
        self.missing -= piece.len();
    }
}
