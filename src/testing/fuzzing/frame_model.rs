//! A plain model of RFC 6455 §5, with which the frame reader is compared.
//!
//! It looks at the whole input at once, copies everything, and validates a text from its start
//! after each piece. It shares no code with the reader but the names of the violations.

use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::violation::Violation;
use crate::testing::decoding::{Outcome, Received};
use crate::types::role::Role;

/// Returns the events of the input from a peer.
pub(crate) fn decode((role, limits): (Role, Limits), wire: &[u8]) -> Outcome {
    let mut model = Model { role, limits, message: None, received: Vec::new() };
    let violation = model.read(wire).err();
    (model.received, violation)
}

struct Model {
    role: Role,
    limits: Limits,
    message: Option<Message>,
    received: Vec<Received>,
}

/// An unfinished message.
#[derive(Clone, Default)]
struct Message {
    is_text: bool,
    bytes: Vec<u8>,
    frames: u32,
}

/// A frame; its payload may be incomplete.
struct Frame {
    opcode: u8,
    is_final: bool,
    is_complete: bool,
    payload: Vec<u8>,
}

impl Model {
    fn read(&mut self, mut wire: &[u8]) -> Result<(), Violation> {
        while let Some((frame, rest)) = self.frame(wire)? {
            let is_last = frame.opcode == 0x8 || !frame.is_complete;
            if frame.opcode < 0x8 {
                self.data(frame)?;
            } else if frame.is_complete {
                self.control(frame)?;
            }
            if is_last {
                break;
            }
            wire = rest;
        }
        Ok(())
    }

    /// Reads a header and the available payload; `None` when the header is incomplete.
    fn frame<'w>(&self, wire: &'w [u8]) -> Result<Option<(Frame, &'w [u8])>, Violation> {
        let Some(&first) = wire.first() else { return Ok(None) };
        let (opcode, is_final) = (first & 0x0F, first >= 0x80);
        self.check_first_byte(first, opcode, is_final)?;

        let Some(&second) = wire.get(1) else { return Ok(None) };
        let short_length = u64::from(second % 0x80);
        if opcode >= 0x8 && short_length > 125 {
            return Err(Violation::LONG_CONTROL_FRAME);
        }
        match self.role {
            Role::Server if second < 0x80 => return Err(Violation::UNMASKED_FRAME),
            Role::Client if second >= 0x80 => return Err(Violation::MASKED_FRAME),
            Role::Server | Role::Client => {}
        }

        let (length_size, least) = match short_length {
            126 => (2, 126),
            127 => (8, 65_536),
            _ => (0, 0),
        };
        let wire = &wire[2..];
        if length_size == 8 && wire.first().is_some_and(|&byte| byte >= 0x80) {
            return Err(Violation::NEGATIVE_LENGTH);
        }
        let Some(length) = wire.get(..length_size) else { return Ok(None) };
        let length = match length_size {
            0 => short_length,
            _ => length.iter().fold(0, |length, &byte| length * 256 + u64::from(byte)),
        };
        if length < least {
            return Err(Violation::LONG_LENGTH_ENCODING);
        }
        if opcode < 0x8 {
            self.check_size(length)?;
        }

        let key_size = if second >= 0x80 { 4 } else { 0 };
        let wire = &wire[length_size..];
        let Some(key) = wire.get(..key_size) else { return Ok(None) };
        let wire = &wire[key_size..];
        let available = usize::try_from(length).unwrap_or(usize::MAX).min(wire.len());
        let (payload, rest) = wire.split_at(available);
        let mut payload = payload.to_vec();
        for (index, byte) in payload.iter_mut().enumerate() {
            *byte ^= key.get(index % 4).unwrap_or(&0);
        }
        let is_complete = available as u64 == length;
        Ok(Some((Frame { opcode, is_final, is_complete, payload }, rest)))
    }

    fn check_first_byte(&self, byte: u8, opcode: u8, is_final: bool) -> Result<(), Violation> {
        let frames = self.message.as_ref().map_or(0, |message| message.frames);
        match opcode {
            _ if byte & 0x70 != 0 => Err(Violation::RESERVED_BITS),
            0x3..=0x7 | 0xB..=0xF => Err(Violation::RESERVED_OPCODE),
            0x8.. if !is_final => Err(Violation::FRAGMENTED_CONTROL_FRAME),
            0x8.. => Ok(()),
            0x0 if frames == 0 => Err(Violation::NOTHING_TO_CONTINUE),
            0x1 | 0x2 if frames > 0 => Err(Violation::UNFINISHED_MESSAGE),
            _ if frames >= self.limits.max_fragments => Err(Violation::TOO_MANY_FRAGMENTS),
            _ => Ok(()),
        }
    }

    fn check_size(&self, length: u64) -> Result<(), Violation> {
        let received = self.message.as_ref().map_or(0, |message| message.bytes.len());
        if length > self.limits.max_frame_size as u64 {
            return Err(Violation::FRAME_TOO_BIG);
        }
        if received as u64 + length > self.limits.max_message_size as u64 {
            return Err(Violation::MESSAGE_TOO_BIG);
        }
        Ok(())
    }

    fn data(&mut self, frame: Frame) -> Result<(), Violation> {
        let mut message = self.message.take().unwrap_or_default();
        message.frames += 1;
        message.is_text |= frame.opcode == 0x1;
        message.bytes.extend(frame.payload);

        let is_whole = frame.is_complete && frame.is_final;
        if message.is_text {
            match std::str::from_utf8(&message.bytes) {
                Err(error) if is_whole || error.error_len().is_some() => {
                    return Err(Violation::INVALID_TEXT);
                }
                Ok(text) if is_whole => self.received.push(Received::Text(text.to_owned())),
                Ok(_) | Err(_) => self.message = Some(message),
            }
        } else if is_whole {
            self.received.push(Received::Binary(message.bytes));
        } else {
            self.message = Some(message);
        }
        Ok(())
    }

    fn control(&mut self, frame: Frame) -> Result<(), Violation> {
        let payload = frame.payload;
        self.received.push(match (frame.opcode, &payload[..]) {
            (0x9, _) => Received::Ping(payload),
            (0xA, _) => Received::Pong(payload),
            (_, []) => Received::Close(None, String::new()),
            (_, [_]) => return Err(Violation::SHORT_CLOSE_PAYLOAD),
            (_, [high, low, reason @ ..]) => {
                let code = u16::from(*high) * 256 + u16::from(*low);
                if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                    return Err(Violation::FORBIDDEN_CLOSE_CODE);
                }
                let reason = std::str::from_utf8(reason);
                let reason = reason.map_err(|_| Violation::INVALID_CLOSE_REASON)?;
                Received::Close(Some(code), reason.to_owned())
            }
        });
        Ok(())
    }
}
