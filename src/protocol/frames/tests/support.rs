//! Makes frames, and feeds them whole and in pieces.

use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::mask::apply_mask;
use crate::protocol::frames::violation::Violation;
pub(crate) use crate::testing::decoding::{Feed, Outcome, Random, Received, decode_reads};
use crate::types::role::Role;

pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;
pub(crate) const FINAL: u8 = 0x80;

/// Decodes the bytes in one read, byte by byte, and cut in two at every position.
///
/// All ways must give the same. Of long input only some positions are tried.
pub(crate) fn decode_as(role: Role, limits: Limits, bytes: &[u8]) -> Outcome {
    let peer = (role, limits);
    let whole = decode_reads(peer, [bytes]);

    assert_eq!(decode_reads(peer, bytes.chunks(1)), whole, "byte by byte");
    let step = if bytes.len() <= 1100 { 1 } else { bytes.len() / 30 };
    let ends = bytes.len().saturating_sub(16)..bytes.len();
    for position in (0..bytes.len().min(16)).chain((16..bytes.len()).step_by(step)).chain(ends) {
        let (first, second) = bytes.split_at(position);
        assert_eq!(decode_reads(peer, [first, second]), whole, "cut at {position}");
    }
    whole
}

/// Decodes what a client sent, with the default limits.
pub(crate) fn decode(bytes: &[u8]) -> Outcome {
    decode_as(Role::Server, Limits::default(), bytes)
}

/// Returns how many bytes it takes until the first violation, and which one it is.
pub(crate) fn first_violation(peer: (Role, Limits), bytes: &[u8]) -> Option<(usize, Violation)> {
    let mut feed = Feed::new(peer.0, peer.1);
    let mut reads = bytes.chunks(1).zip(1..);
    reads.find_map(|(read, count)| feed.read(read).err().map(|violation| (count, violation)))
}

/// A frame as a client sends it; `first` is the opcode, with [`FINAL`] or without.
pub(crate) fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xFA, 0x21, 0x3D];
    let mut frame = frame_start(first, 0x80, payload.len());
    frame.extend(key);
    let start = frame.len();
    frame.extend(payload);
    apply_mask(&mut frame[start..], key);
    frame
}

/// A frame as a server sends it.
pub(crate) fn server_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = frame_start(first, 0, payload.len());
    frame.extend(payload);
    frame
}

fn frame_start(first: u8, mask_bit: u8, length: usize) -> Vec<u8> {
    let mut start = vec![first];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ ..=125), _) => start.push(mask_bit + length),
        (_, Ok(length)) => {
            start.push(mask_bit + 126);
            start.extend(length.to_be_bytes());
        }
        _ => {
            start.push(mask_bit + 127);
            start.extend((length as u64).to_be_bytes());
        }
    }
    start
}
