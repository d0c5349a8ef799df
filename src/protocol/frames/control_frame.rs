//! A control frame that comes in several reads (RFC 6455 §5.5).

use crate::protocol::frames::bytes::ShortBytes;
use crate::protocol::frames::close_frame;
use crate::protocol::frames::event::Event;
use crate::protocol::frames::frame_header::{FrameHeader, LONGEST_CONTROL_PAYLOAD};
use crate::protocol::frames::mask::{MaskingKey, apply_mask};
use crate::protocol::frames::opcode::Opcode;
use crate::protocol::frames::violation::Violation;

/// A control frame of which some payload is missing.
#[derive(Debug)]
pub(crate) struct ControlFrame {
    opcode: Opcode,
    masking_key: MaskingKey,
    payload_length: usize,
    payload: ShortBytes<LONGEST_CONTROL_PAYLOAD>,
}

impl ControlFrame {
    /// Begins a control frame with this header.
    pub(crate) fn new(header: &FrameHeader) -> Self {
        Self {
            opcode: header.opcode,
            masking_key: header.masking_key,
            payload_length: header.payload_length,
            payload: ShortBytes::new(),
        }
    }

    /// Appends the next bytes of the payload, at most as many as are missing.
    pub(crate) fn append(&mut self, piece: &[u8]) {
        self.payload.extend(piece);
        if self.missing() == 0 {
            apply_mask(self.payload.as_mut_bytes(), self.masking_key);
        }
    }

    /// Returns how many bytes are missing.
    pub(crate) fn missing(&self) -> usize {
        self.payload_length - self.payload.len()
    }

    /// Returns the opcode.
    pub(crate) fn opcode(&self) -> Opcode {
        self.opcode
    }

    /// Lends the complete frame.
    pub(crate) fn event(&self) -> Result<Event<'_>, Violation> {
        event(self.opcode, self.payload.as_bytes())
    }
}

/// Returns the event of a control frame with this payload.
pub(crate) fn event(opcode: Opcode, payload: &[u8]) -> Result<Event<'_>, Violation> {
    match opcode {
        Opcode::Ping => Ok(Event::Ping(payload)),
        Opcode::Pong => Ok(Event::Pong(payload)),
        _ => close_frame::parse(payload),
    }
}
