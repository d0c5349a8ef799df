//! Reads the headers of frames, and checks their order (RFC 6455 §5.2, §5.4).
//!
//! A header that is incomplete is kept until its other bytes arrive; a rule is checked as soon as the
//! byte is there that breaks it.

use crate::protocol::frames::bytes::Unread;
use crate::protocol::frames::decoder::Decoder;
use crate::protocol::frames::frame_header::{FirstByte, FrameHeader, SecondByte};
use crate::protocol::frames::mask::MaskingKey;
use crate::protocol::frames::opcode::Opcode;
use crate::protocol::frames::unfinished::Unfinished;
use crate::protocol::frames::violation::Violation;

impl Decoder {
    /// Consumes a header, or all there is of it.
    #[inline]
    pub(super) fn read_header(
        &mut self,
        unread: &mut Unread<'_>,
    ) -> Result<Option<FrameHeader>, Violation> {
        let earlier = self.unfinished.as_ref().map_or(0, |unfinished| unfinished.header.len());
        if earlier > 0 {
            return self.read_rest_of_header(earlier, unread);
        }
        let header = self.parse_header(unread.as_bytes())?;
        if let Some(header) = &header {
            unread.take(header.length);
        } else {
            let bytes = unread.take_all();
            if !bytes.is_empty() {
                self.unfinished.get_or_insert_default().header.extend(bytes);
            }
        }
        Ok(header)
    }

    /// Consumes a header of which some bytes came earlier, or all there is of it.
    fn read_rest_of_header(
        &mut self,
        earlier: usize,
        unread: &mut Unread<'_>,
    ) -> Result<Option<FrameHeader>, Violation> {
        let unfinished = self.unfinished.get_or_insert_default();
        unfinished.header.extend(unread.as_bytes());
        let bytes = unfinished.header;

        let header = self.parse_header(bytes.as_bytes())?;
        if let Some(header) = &header {
            unread.take(header.length.saturating_sub(earlier));
            self.unfinished.get_or_insert_default().header.clear();
        } else {
            unread.take_all();
        }
        Ok(header)
    }

    /// Reads the header at the start of `bytes` and checks as much of it as is there.
    #[inline]
    fn parse_header(&self, bytes: &[u8]) -> Result<Option<FrameHeader>, Violation> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let FirstByte { opcode, is_final, reserved } = FirstByte::parse(first, self.claimed)?;
        self.check_sequence(opcode)?;

        let Some(&second) = bytes.get(1) else { return Ok(None) };
        let second = SecondByte::parse(second, opcode)?;
        second.check_masking(self.role)?;

        let Some((payload_length, length)) = second.payload_length(bytes)? else {
            return Ok(None);
        };
        let payload_length = usize::try_from(payload_length).unwrap_or(usize::MAX);
        if !opcode.is_control() {
            let received = self.unfinished.as_deref().map_or(0, Unfinished::received);
            let is_compressed = !reserved.is_empty() || self.is_in_compressed();
            self.limits().check_size(received, payload_length, is_compressed)?;
        }

        let (masking_key, length) = if second.is_masked() {
            let key = bytes.get(length..).and_then(|key| key.first_chunk());
            let Some(&key) = key else { return Ok(None) };
            (key, length + key.len())
        } else {
            (MaskingKey::default(), length)
        };
        Ok(Some(FrameHeader { opcode, is_final, reserved, masking_key, payload_length, length }))
    }

    /// Refuses a frame that must not follow the frames before it.
    fn check_sequence(&self, opcode: Opcode) -> Result<(), Violation> {
        let fragments = self.unfinished.as_ref().map_or(0, |unfinished| unfinished.fragments);
        // RFC 6455 §5.4: a fragmented message is one text or binary frame and continuations;
        // only control frames may come between them.
        match opcode {
            Opcode::Continuation if fragments == 0 => Err(Violation::NOTHING_TO_CONTINUE),
            Opcode::Text | Opcode::Binary if fragments > 0 => Err(Violation::UNFINISHED_MESSAGE),
            Opcode::Continuation | Opcode::Text | Opcode::Binary => {
                self.limits().check_fragments(fragments)
            }
            Opcode::Close | Opcode::Ping | Opcode::Pong => Ok(()),
        }
    }
}
