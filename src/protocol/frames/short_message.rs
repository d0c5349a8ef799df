//! The fast path of the decoder: short messages of one frame.
//!
//! Nothing is refused here: any other frame is left to the decoder, which checks the rules.

use crate::protocol::frames::bytes::Unread;
use crate::protocol::frames::frame_header::{FINAL_BIT, LENGTH_IN_7_BITS, MASK_BIT};
use crate::protocol::frames::mask::{MaskingKey, apply_mask};
use crate::protocol::frames::opcode::{MessageKind, Opcode};
use crate::types::role::Role;

/// Takes the first frame if it is a complete message of at most 125 bytes.
///
/// The payload is unmasked.
#[inline]
pub(crate) fn take_short_message<'i>(
    unread: &mut Unread<'i>,
    role: Role,
) -> Option<(MessageKind, &'i mut [u8])> {
    let &[first, second, ref rest @ ..] = unread.as_bytes() else { return None };
    let kind = match first {
        TEXT => MessageKind::Text,
        BINARY => MessageKind::Binary,
        _ => return None,
    };
    // RFC 6455 §5.1: a client masks, a server does not.
    let (key, header, mask_bit) = match role {
        Role::Server => (*rest.first_chunk()?, 2 + size_of::<MaskingKey>(), MASK_BIT),
        Role::Client => (MaskingKey::default(), 2, 0),
    };
    // Without the right bit this is more than 125.
    let length = second ^ mask_bit;
    let end = header + usize::from(length);
    if length > LENGTH_IN_7_BITS || end > unread.len() {
        return None;
    }
    let payload = unread.take(end).get_mut(header..)?;
    apply_mask(payload, key);
    Some((kind, payload))
}

const TEXT: u8 = FINAL_BIT | Opcode::Text.bits();
const BINARY: u8 = FINAL_BIT | Opcode::Binary.bits();

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(input: &[u8], role: Role) -> Option<(MessageKind, Vec<u8>, usize)> {
        let mut input = input.to_vec();
        let mut unread = Unread::new(&mut input);
        let (kind, payload) = take_short_message(&mut unread, role)?;
        Some((kind, payload.to_vec(), unread.len()))
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
            let frame = [&[0x81, second][..], &[0; 200]].concat();
            assert_eq!(taken(&frame, Role::Server), None, "{second:#x}");
        }
        for second in [126, 127, 0x80, 0x85, 0xFD, 0xFE, 0xFF] {
            let frame = [&[0x81, second][..], &[0; 200]].concat();
            assert_eq!(taken(&frame, Role::Client), None, "{second:#x}");
        }
    }
}
