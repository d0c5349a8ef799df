//! The fast path of the decoder: messages of one frame, up to 64 KiB.
//!
//! Nothing is refused here: any other frame is left to the decoder, which checks the rules.

use crate::protocol::frames::frame_header::{
    FINAL_BIT, LENGTH_IN_7_BITS, LENGTH_IN_16_BITS, MASK_BIT,
};
use crate::protocol::frames::mask::{MaskingKey, apply_mask};
use crate::protocol::frames::opcode::{MessageKind, Opcode};
use crate::types::role::Role;

/// A complete message at the beginning of the input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShortMessage {
    pub(crate) kind: MessageKind,
    key: MaskingKey,
    /// Where in the input the payload begins.
    start: usize,
    /// Where it ends.
    pub(crate) end: usize,
}

impl ShortMessage {
    /// Finds a complete message of one frame with a length of at most 16 bits.
    #[inline]
    pub(crate) fn find(input: &[u8], role: Role) -> Option<Self> {
        let &[first, second, ref rest @ ..] = input else { return None };
        let kind = match first {
            TEXT => MessageKind::Text,
            BINARY => MessageKind::Binary,
            _ => return None,
        };
        // RFC 6455 §5.1: a client masks, a server does not.
        let mask_bit = if role == Role::Server { MASK_BIT } else { 0 };
        // Without the right bit this is more than 126.
        let (length, rest, start) = match second ^ mask_bit {
            length @ ..=LENGTH_IN_7_BITS => (usize::from(length), rest, 2),
            LENGTH_IN_16_BITS => {
                let (&length, rest) = rest.split_first_chunk()?;
                let length = u16::from_be_bytes(length);
                // RFC 6455 §5.2: the length takes the shortest form.
                if length <= u16::from(LENGTH_IN_7_BITS) {
                    return None;
                }
                (usize::from(length), rest, 4)
            }
            _ => return None,
        };
        let (key, start) = match role {
            Role::Server => (*rest.first_chunk()?, start + size_of::<MaskingKey>()),
            Role::Client => (MaskingKey::default(), start),
        };
        let end = start + length;
        (end <= input.len()).then_some(Self { kind, key, start, end })
    }

    /// Unmasks the payload where it lies in the `input`, and returns it.
    #[inline]
    pub(crate) fn unmask<'i>(&self, input: &'i mut [u8]) -> &'i [u8] {
        let payload = input.get_mut(self.start..self.end).unwrap_or_default();
        apply_mask(payload, self.key);
        payload
    }
}

const TEXT: u8 = FINAL_BIT | Opcode::Text.bits();
const BINARY: u8 = FINAL_BIT | Opcode::Binary.bits();

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(input: &[u8], role: Role) -> Option<(MessageKind, Vec<u8>, usize)> {
        let mut input = input.to_vec();
        let message = ShortMessage::find(&input, role)?;
        let payload = message.unmask(&mut input).to_vec();
        Some((message.kind, payload, input.len() - message.end))
    }

    /// RFC 6455 §5.7: the examples, with another frame behind them.
    #[test]
    fn takes_whole_messages() {
        let masked = b"\x81\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58\x81\x85";
        let hello = (MessageKind::Text, b"Hello".to_vec(), 2);
        assert_eq!(taken(masked, Role::Server), Some(hello.clone()));
        assert_eq!(taken(b"\x81\x05Hello\x81\x05", Role::Client), Some(hello));

        let empty = (MessageKind::Binary, Vec::new(), 0);
        assert_eq!(taken(b"\x82\x80\x01\x02\x03\x04", Role::Server), Some(empty.clone()));
        assert_eq!(taken(b"\x82\x00", Role::Client), Some(empty));
    }

    /// RFC 6455 §5.2: the second of the three forms of a length.
    #[test]
    fn takes_messages_with_a_length_of_16_bits() {
        for length in [126, 1000, u16::MAX] {
            let payload = vec![7; length.into()];
            let [high, low] = length.to_be_bytes();
            let unmasked = [&[0x82, 126, high, low], &payload[..]].concat();
            let masked = [&[0x82, 254, high, low, 0, 0, 0, 0], &payload[..]].concat();
            let expected = Some((MessageKind::Binary, payload, 0));

            assert_eq!(taken(&unmasked, Role::Client), expected);
            assert_eq!(taken(&masked, Role::Server), expected);
            assert_eq!(taken(&masked[..masked.len() - 1], Role::Server), None);
        }
    }

    /// Parts, fragments, control frames, reserved bits, other lengths, and the wrong masking.
    #[test]
    fn leaves_everything_else_alone() {
        for length in 0..11 {
            let part = &b"\x81\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58"[..length];
            assert_eq!(taken(part, Role::Server), None, "{length} bytes");
        }
        for first in [0x01, 0x02, 0x80, 0x83, 0x88, 0x89, 0x8A, 0xC1, 0xA1, 0x91] {
            let frame = [first, 0x80, 1, 2, 3, 4, 5, 6];
            assert_eq!(taken(&frame, Role::Server), None, "{first:#x}");
        }
        for second in [0, 5, 125, 126, 127, 0xFE, 0xFF] {
            // A length of 16 bits that 7 would hold.
            let frame = [&[0x81, second][..], &[0; 200]].concat();
            assert_eq!(taken(&frame, Role::Server), None, "{second:#x}");
        }
        for second in [126, 127, 0x80, 0x85, 0xFD, 0xFE, 0xFF] {
            let frame = [&[0x81, second][..], &[0; 200]].concat();
            assert_eq!(taken(&frame, Role::Client), None, "{second:#x}");
        }
    }
}
