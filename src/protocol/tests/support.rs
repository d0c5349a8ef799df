//! Makes frames, feeds them whole and in pieces, and collects what came out.

use crate::protocol::buffer_pool::BufferPool;
use crate::protocol::decoder::Decoder;
use crate::protocol::event::{Data, Event};
use crate::protocol::limits::Limits;
use crate::protocol::mask::apply_mask;
use crate::protocol::role::Role;
use crate::protocol::violation::Violation;

pub(super) const CONTINUATION: u8 = 0x0;
pub(super) const TEXT: u8 = 0x1;
pub(super) const BINARY: u8 = 0x2;
pub(super) const CLOSE: u8 = 0x8;
pub(super) const PING: u8 = 0x9;
pub(super) const PONG: u8 = 0xA;
pub(super) const FINAL: u8 = 0x80;

/// An event that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Received {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

impl From<Event<'_>> for Received {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Message { message: Data::Text(text), .. } => Self::Text(text.to_owned()),
            Event::Message { message: Data::Binary(bytes), .. } => Self::Binary(bytes.to_vec()),
            Event::Frame(frame) => panic!("nobody asked for {frame:?}"),
            Event::Ping(payload) => Self::Ping(payload.to_vec()),
            Event::Pong(payload) => Self::Pong(payload.to_vec()),
            Event::Close { code, reason } => Self::Close(code.map(u16::from), reason.to_owned()),
        }
    }
}

/// Everything that came out, and how it ended.
pub(super) type Outcome = (Vec<Received>, Option<Violation>);

/// Feeds one peer's bytes, read by read, as an event loop does.
pub(super) struct Feed {
    pub(super) decoder: Decoder,
    pub(super) pool: BufferPool,
    pub(super) received: Vec<Received>,
}

impl Feed {
    pub(super) fn new(role: Role, limits: Limits) -> Self {
        let decoder = Decoder::new(role, limits);
        Self { decoder, pool: BufferPool::new(), received: Vec::new() }
    }

    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let mut input = bytes.to_vec();
        let mut unread = &mut input[..];
        while !unread.is_empty() {
            let decoded = self.decoder.decode(unread, &mut self.pool)?;
            let consumed = decoded.consumed;
            assert!(consumed > 0, "the decoder stands still");
            match decoded.event {
                Some(event) => self.received.push(event.into()),
                None => assert_eq!(consumed, unread.len(), "bytes are left without an event"),
            }
            unread = &mut unread[consumed..];
        }
        self.decoder.recycle(&mut self.pool);
        Ok(())
    }
}

/// Decodes these reads.
pub(super) fn decode_reads<'a>(
    (role, limits): (Role, Limits),
    reads: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    let mut feed = Feed::new(role, limits);
    let violation = reads.into_iter().find_map(|read| feed.read(read).err());
    (feed.received, violation)
}

/// Decodes the bytes in one read, byte by byte, and cut in two at every position.
///
/// All ways must give the same. Of long input only some positions are tried.
pub(super) fn decode_as(role: Role, limits: Limits, bytes: &[u8]) -> Outcome {
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
pub(super) fn decode(bytes: &[u8]) -> Outcome {
    decode_as(Role::Server, Limits::default(), bytes)
}

/// Returns how many bytes it takes until the first violation, and which one it is.
pub(super) fn first_violation(peer: (Role, Limits), bytes: &[u8]) -> Option<(usize, Violation)> {
    let mut feed = Feed::new(peer.0, peer.1);
    let mut reads = bytes.chunks(1).zip(1..);
    reads.find_map(|(read, count)| feed.read(read).err().map(|violation| (count, violation)))
}

/// A frame as a client sends it; `first` is the opcode, with [`FINAL`] or without.
pub(super) fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xFA, 0x21, 0x3D];
    let mut frame = frame_start(first, 0x80, payload.len());
    frame.extend(key);
    let start = frame.len();
    frame.extend(payload);
    apply_mask(&mut frame[start..], key);
    frame
}

/// A frame as a server sends it.
pub(super) fn server_frame(first: u8, payload: &[u8]) -> Vec<u8> {
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

/// Numbers that are the same in each run (Vigna's splitmix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    pub(super) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}
