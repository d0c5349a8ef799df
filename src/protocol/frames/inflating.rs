//! Inflates compressed messages after their last byte (RFC 7692 §6.2, §7.2.2).

use crate::protocol::deflate::window::Window;
use crate::protocol::frames::buffer_pool::BufferPool;
use crate::protocol::frames::bytes::Unread;
use crate::protocol::frames::decoder::{Decoder, Step};
use crate::protocol::frames::frame_header::{FrameHeader, ReservedBits};
use crate::protocol::frames::mask::apply_mask;
use crate::protocol::frames::opcode::MessageKind;
use crate::protocol::frames::violation::Violation;
use crate::types::compression::HistorySize;

impl Decoder {
    /// Inflates the messages that are compressed (RFC 7692).
    ///
    /// They may refer to a `history` of messages before them.
    pub(crate) fn inflate_messages(&mut self, history: HistorySize) {
        // RFC 6455 §9.1: an extension was agreed that gives the bit a meaning.
        self.claimed = ReservedBits::RSV1;
        if !history.is_none() {
            let window = Window::for_receiving(history.bits());
            self.rare.get_or_insert_default().history = Some(window);
        }
    }

    /// Consumes and inflates a compressed message, if it is whole in the input.
    pub(super) fn inflate_frame<'i>(
        &mut self,
        header: &FrameHeader,
        unread: &mut Unread<'_>,
        pool: &mut BufferPool,
    ) -> Result<Option<Step<'i>>, Violation> {
        let is_whole = header.is_final && header.payload_length <= unread.len();
        if header.reserved.is_empty() || !is_whole {
            return Ok(None);
        }
        let kind = header.opcode.message_kind();
        let payload = unread.take(header.payload_length);
        apply_mask(payload, header.masking_key);
        self.unfinished.get_or_insert_default().message.release(pool);
        self.inflate(kind, payload, pool).map(Some)
    }

    /// Inflates a message.
    pub(super) fn inflate<'i>(
        &mut self,
        kind: MessageKind,
        data: &[u8],
        pool: &mut BufferPool,
    ) -> Result<Step<'i>, Violation> {
        let most = self.limits().max_message_size;
        let history = self.rare.as_deref_mut().and_then(|rare| rare.history.as_mut());
        let plain = pool.inflate(data, history, most)?;
        self.unfinished.get_or_insert_default().set_inflated(kind, plain);
        Ok(Step::Inflated)
    }
}
