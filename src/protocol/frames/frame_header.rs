//! Frame headers, and the rules that a header can break by itself (RFC 6455 §5.2).

use crate::protocol::frames::mask::MaskingKey;
use crate::protocol::frames::opcode::Opcode;
use crate::protocol::frames::violation::Violation;
use crate::types::role::Role;

/// The maximum length of a header: 2 bytes, 8 for the length, and 4 for the key.
pub(crate) const LONGEST_HEADER: usize = 14;

/// The longest payload of a control frame (RFC 6455 §5.5).
pub(crate) const LONGEST_CONTROL_PAYLOAD: usize = 125;

/// The header of a received frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameHeader {
    pub(crate) opcode: Opcode,
    pub(crate) is_final: bool,
    pub(crate) reserved: ReservedBits,
    /// The key, all zero when the frame is not masked.
    pub(crate) masking_key: MaskingKey,
    pub(crate) payload_length: usize,
    /// The length of the header, in bytes.
    pub(crate) length: usize,
}

/// The fields in the first byte of a header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FirstByte {
    pub(crate) opcode: Opcode,
    pub(crate) is_final: bool,
    pub(crate) reserved: ReservedBits,
}

impl FirstByte {
    /// Reads the first byte of a header; `claimed` bits have a meaning.
    pub(crate) fn parse(byte: u8, claimed: ReservedBits) -> Result<Self, Violation> {
        let reserved = ReservedBits(byte & RESERVED_BITS);
        // RFC 6455 §5.2: the reserved bits are zero unless an extension gives them a meaning.
        if reserved.0 & !claimed.0 != 0 {
            return Err(Violation::RESERVED_BITS);
        }
        // RFC 6455 §5.2: an unknown opcode fails the connection.
        let opcode = Opcode::from_bits(byte & OPCODE_BITS).ok_or(Violation::RESERVED_OPCODE)?;
        let is_final = byte & FINAL_BIT != 0;
        // RFC 6455 §5.4 and §5.5: control frames are never fragmented.
        if opcode.is_control() && !is_final {
            return Err(Violation::FRAGMENTED_CONTROL_FRAME);
        }
        // RFC 7692 §6: the bits belong to a message, and stand in its first frame.
        if !reserved.is_empty() && !matches!(opcode, Opcode::Text | Opcode::Binary) {
            return Err(Violation::RESERVED_BITS);
        }
        Ok(Self { opcode, is_final, reserved })
    }
}

/// The three bits of a frame that only extensions use (RFC 6455 §5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReservedBits(u8);

impl ReservedBits {
    pub(crate) const NONE: Self = Self(0);
    /// The bit of compressed messages (RFC 7692 §6).
    #[cfg(feature = "compression")]
    pub(crate) const RSV1: Self = Self(0x40);

    /// Returns whether all of them are zero.
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns them as they stand in the first byte of a header.
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }
}

/// The fields in the second byte of a header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecondByte(u8);

impl SecondByte {
    /// Reads the second byte of a header.
    pub(crate) fn parse(byte: u8, opcode: Opcode) -> Result<Self, Violation> {
        // RFC 6455 §5.5: control frames carry at most 125 bytes.
        if opcode.is_control() && byte & LENGTH_BITS > LENGTH_IN_7_BITS {
            return Err(Violation::LONG_CONTROL_FRAME);
        }
        Ok(Self(byte))
    }

    /// Returns whether a masking key follows the length.
    pub(crate) fn is_masked(self) -> bool {
        self.0 & MASK_BIT != 0
    }

    /// Refuses a frame with the wrong masking for a decoder of this `role`.
    ///
    /// # Qt
    ///
    /// Qt accepts both directions masked or not (RCV-21).
    pub(crate) fn check_masking(self, role: Role) -> Result<(), Violation> {
        // RFC 6455 §5.1: a client masks every frame, a server none; the other end closes with
        // 1002 when it sees otherwise.
        match (role, self.is_masked()) {
            (Role::Server, true) | (Role::Client, false) => Ok(()),
            (Role::Server, false) => Err(Violation::UNMASKED_FRAME),
            (Role::Client, true) => Err(Violation::MASKED_FRAME),
        }
    }

    /// Returns the length of the payload and where in the header its encoding ends.
    ///
    /// `None` asks for more bytes of the `header`.
    #[inline]
    pub(crate) fn payload_length(self, header: &[u8]) -> Result<Option<(u64, usize)>, Violation> {
        let extended = header.get(2..).unwrap_or_default();
        match self.0 & LENGTH_BITS {
            LENGTH_IN_16_BITS => {
                let Some(&bytes) = extended.first_chunk() else { return Ok(None) };
                let length = u16::from_be_bytes(bytes).into();
                check_shortest_form(length, LENGTH_IN_7_BITS.into())?;
                Ok(Some((length, 4)))
            }
            LENGTH_IN_64_BITS => {
                // RFC 6455 §5.2: the highest bit of the 64-bit length is zero.
                if extended.first().is_some_and(|byte| byte & 0x80 != 0) {
                    return Err(Violation::NEGATIVE_LENGTH);
                }
                let Some(&bytes) = extended.first_chunk() else { return Ok(None) };
                let length = u64::from_be_bytes(bytes);
                check_shortest_form(length, u16::MAX.into())?;
                Ok(Some((length, 10)))
            }
            length => Ok(Some((length.into(), 2))),
        }
    }
}

/// Returns the length of the first of these frames, header included.
///
/// It was encoded by this program, and its header is complete.
pub(crate) fn encoded_length(frames: &[u8]) -> usize {
    let second = SecondByte(frames.get(1).copied().unwrap_or_default());
    let key = if second.is_masked() { size_of::<MaskingKey>() } else { 0 };
    match second.payload_length(frames) {
        Ok(Some((length, end))) => {
            usize::try_from(length).unwrap_or(usize::MAX).saturating_add(end + key)
        }
        // No frame: nothing can follow it.
        Ok(None) | Err(_) => frames.len().max(1),
    }
}

fn check_shortest_form(length: u64, shorter_form_holds: u64) -> Result<(), Violation> {
    // RFC 6455 §5.2: the minimal number of bytes must be used to encode the length.
    if length > shorter_form_holds { Ok(()) } else { Err(Violation::LONG_LENGTH_ENCODING) }
}

pub(crate) const FINAL_BIT: u8 = 0x80;
pub(crate) const MASK_BIT: u8 = 0x80;
pub(crate) const LENGTH_IN_7_BITS: u8 = 125;
pub(crate) const LENGTH_IN_16_BITS: u8 = 126;
pub(crate) const LENGTH_IN_64_BITS: u8 = 127;
const RESERVED_BITS: u8 = 0x70;
const OPCODE_BITS: u8 = 0x0F;
const LENGTH_BITS: u8 = 0x7F;
