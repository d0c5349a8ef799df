//! Frames to send (RFC 6455 §5.2).

use crate::protocol::frames::bytes::ShortBytes;
use crate::protocol::frames::close_frame::ClosePayload;
use crate::protocol::frames::copying::append_bytes;
use crate::protocol::frames::frame_header::{
    FINAL_BIT, LENGTH_IN_7_BITS, LENGTH_IN_16_BITS, LENGTH_IN_64_BITS, LONGEST_CONTROL_PAYLOAD,
    LONGEST_HEADER, MASK_BIT, ReservedBits,
};
use crate::protocol::frames::mask::{MaskingKey, apply_mask};
use crate::protocol::frames::opcode::{MessageKind, Opcode};

/// A frame to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) opcode: Opcode,
    pub(crate) is_final: bool,
    pub(crate) reserved: ReservedBits,
    pub(crate) payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Makes a frame that is a whole message.
    pub(crate) fn message(kind: MessageKind, payload: &'a [u8]) -> Self {
        Self { opcode: kind.into(), is_final: true, reserved: ReservedBits::NONE, payload }
    }

    /// Makes a ping. The payload is cut to 125 bytes, as Qt cuts it (SND-11).
    pub(crate) fn ping(payload: &'a [u8]) -> Self {
        Self::control(Opcode::Ping, payload)
    }

    /// Makes a pong, which carries the payload of the ping that it answers.
    pub(crate) fn pong(payload: &'a [u8]) -> Self {
        Self::control(Opcode::Pong, payload)
    }

    /// Makes a close frame.
    pub(crate) fn close(payload: &'a ClosePayload) -> Self {
        Self::control(Opcode::Close, payload.as_bytes())
    }

    /// Appends the frame to `out`.
    ///
    /// A client passes a fresh key for each frame, a server passes none (RFC 6455 §5.1, §5.3).
    #[expect(
        clippy::inline_always,
        reason = "a short message takes 40 instructions more without it"
    )]
    #[inline(always)]
    pub(crate) fn write_to(&self, out: &mut Vec<u8>, key: Option<MaskingKey>) {
        match (key, u8::try_from(self.payload.len())) {
            // Most frames of a server.
            (None, Ok(length @ ..=LENGTH_IN_7_BITS)) => {
                out.extend_from_slice(&[self.first_byte(), length]);
                out.extend_from_slice(self.payload);
            }
            _ => self.write_any_to(out, key),
        }
    }

    #[inline(never)]
    fn write_any_to(self, out: &mut Vec<u8>, key: Option<MaskingKey>) {
        out.reserve(LONGEST_HEADER + self.payload.len());
        self.encode_header(key, |bytes| out.extend_from_slice(bytes));
        let start = out.len();
        append_bytes(out, self.payload);

        if let Some(key) = key
            && let Some(payload) = out.get_mut(start..)
        {
            apply_mask(payload, key);
        }
    }

    /// Returns the header alone, for a payload that is written from where it lies.
    pub(crate) fn header(&self, key: Option<MaskingKey>) -> EncodedHeader {
        let mut header = EncodedHeader::new();
        self.encode_header(key, |bytes| header.extend(bytes));
        header
    }

    /// Passes the parts of the header to `append`, in order.
    #[inline]
    fn encode_header(&self, key: Option<MaskingKey>, mut append: impl FnMut(&[u8])) {
        let first = self.first_byte();
        let mask_bit = if key.is_some() { MASK_BIT } else { 0 };

        // RFC 6455 §5.2: the length takes the shortest of three forms.
        let length = self.payload.len();
        if let Ok(length @ ..=LENGTH_IN_7_BITS) = u8::try_from(length) {
            append(&[first, mask_bit | length]);
        } else if let Ok(length) = u16::try_from(length) {
            let [high, low] = length.to_be_bytes();
            append(&[first, mask_bit | LENGTH_IN_16_BITS, high, low]);
        } else {
            append(&[first, mask_bit | LENGTH_IN_64_BITS]);
            append(&(length as u64).to_be_bytes());
        }
        if let Some(key) = key {
            append(&key);
        }
    }

    #[inline]
    fn first_byte(&self) -> u8 {
        let final_bit = if self.is_final { FINAL_BIT } else { 0 };
        final_bit | self.reserved.bits() | self.opcode.bits()
    }

    fn control(opcode: Opcode, payload: &'a [u8]) -> Self {
        // RFC 6455 §5.5: control frames carry at most 125 bytes.
        let payload = payload.get(..LONGEST_CONTROL_PAYLOAD).unwrap_or(payload);
        Self { opcode, is_final: true, reserved: ReservedBits::NONE, payload }
    }
}

/// The header of a frame as it goes over the wire.
pub(crate) type EncodedHeader = ShortBytes<LONGEST_HEADER>;

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(payload: &[u8], key: Option<MaskingKey>) -> Vec<u8> {
        let frame =
            Frame { opcode: Opcode::Binary, is_final: true, reserved: ReservedBits::NONE, payload };
        frame.header(key).as_bytes().to_vec()
    }

    /// Qt: SND-07; RFC 6455 §5.2.
    #[test]
    fn encodes_the_length_in_its_shortest_form() {
        assert_eq!(header_of(&[], None), [0x82, 0]);
        assert_eq!(header_of(&[0; 125], None), [0x82, 125]);
        assert_eq!(header_of(&[0; 126], None), [0x82, 126, 0, 126]);
        assert_eq!(header_of(&vec![0; 65_535], None), [0x82, 126, 0xFF, 0xFF]);
        assert_eq!(header_of(&vec![0; 65_536], None), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    /// RFC 6455 §5.7: the masked "Hello" of the examples.
    #[test]
    fn writes_the_masked_example_of_the_rfc() {
        let frame = Frame {
            opcode: Opcode::Text,
            is_final: true,
            reserved: ReservedBits::NONE,
            payload: b"Hello",
        };
        let mut out = vec![0xAA];

        frame.write_to(&mut out, Some([0x37, 0xFA, 0x21, 0x3D]));

        let expected = b"\xAA\x81\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58";
        assert_eq!(out, expected);
    }

    /// Qt: SND-08; "hi" from a client takes eight bytes.
    #[test]
    fn masks_frames_of_clients_only() {
        let frame = Frame {
            opcode: Opcode::Text,
            is_final: true,
            reserved: ReservedBits::NONE,
            payload: b"hi",
        };
        let (mut from_server, mut from_client) = (Vec::new(), Vec::new());

        frame.write_to(&mut from_server, None);
        frame.write_to(&mut from_client, Some([1, 2, 3, 4]));

        assert_eq!(from_server, b"\x81\x02hi");
        assert_eq!(from_client.len(), 8);
    }

    /// Qt: SND-11.
    #[test]
    fn cuts_the_payload_of_a_ping() {
        assert_eq!(Frame::ping(&[7; 300]).payload, [7; 125]);
        assert_eq!(Frame::pong(b"short").payload, b"short");
    }
}
