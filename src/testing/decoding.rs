//! Makes frames, and decodes reads as an event loop does.

use crate::protocol::frames::buffer_pool::BufferPool;
use crate::protocol::frames::decoder::Decoder;
use crate::protocol::frames::event::{Data, Event};
use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::mask::apply_mask;
use crate::protocol::frames::violation::Violation;
use crate::types::role::Role;

/// An event that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Received {
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
            #[cfg(feature = "compression")]
            Event::Inflated(Data::Text(text)) => Self::Text(text.to_owned()),
            #[cfg(feature = "compression")]
            Event::Inflated(Data::Binary(bytes)) => Self::Binary(bytes.to_vec()),
            Event::Frame(frame) => unreachable!("{frame:?} is not to be reported"),
            Event::Ping(payload) => Self::Ping(payload.to_vec()),
            Event::Pong(payload) => Self::Pong(payload.to_vec()),
            Event::Close { code, reason } => Self::Close(code.map(u16::from), reason.to_owned()),
        }
    }
}

/// All events, and the violation at their end.
pub(crate) type Outcome = (Vec<Received>, Option<Violation>);

/// Feeds one peer's bytes, read by read, as an event loop does.
pub(crate) struct Feed {
    pub(crate) decoder: Decoder,
    pub(crate) pool: BufferPool,
    pub(crate) received: Vec<Received>,
}

impl Feed {
    pub(crate) fn new(role: Role, limits: Limits) -> Self {
        let decoder = Decoder::new(role, limits);
        Self { decoder, pool: BufferPool::new(), received: Vec::new() }
    }

    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        self.read_input(&mut bytes.to_vec())
    }

    fn read_input(&mut self, input: &mut [u8]) -> Result<(), Violation> {
        let mut unread = input;
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

    /// Reads into the message itself, as a session does, as long as it has room.
    ///
    /// A big first piece of a message stays in the memory of the input.
    pub(crate) fn read_directly(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let mut input = fill_room(&mut self.decoder, bytes).to_vec();
        self.decoder.leave_big_pieces();
        let outcome = self.read_input(&mut input);
        self.decoder.adopt_left_piece(input.len(), || input);
        outcome
    }

    /// Decodes these reads, each of them by `read`, up to the first violation.
    pub(crate) fn decode<'a>(
        mut self,
        reads: impl IntoIterator<Item = &'a [u8]>,
        read: impl Fn(&mut Self, &[u8]) -> Result<(), Violation>,
    ) -> Outcome {
        let violation = reads.into_iter().find_map(|bytes| read(&mut self, bytes).err());
        (self.received, violation)
    }
}

/// Reads bytes into the message itself as long as it has room; returns the others.
pub(crate) fn fill_room<'b>(decoder: &mut Decoder, mut bytes: &'b [u8]) -> &'b [u8] {
    while let Some(room) = decoder.payload_room(1, bytes.len()) {
        let (piece, rest) = bytes.split_at(room.len());
        room.copy_from_slice(piece);
        decoder.add_payload(piece.len());
        bytes = rest;
    }
    bytes
}

/// Decodes these reads.
pub(crate) fn decode_reads<'a>(
    (role, limits): (Role, Limits),
    reads: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    Feed::new(role, limits).decode(reads, Feed::read)
}

/// Decodes these reads, into the messages themselves where they have room.
pub(crate) fn decode_direct_reads<'a>(
    (role, limits): (Role, Limits),
    reads: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    Feed::new(role, limits).decode(reads, Feed::read_directly)
}

/// Decodes the bytes in one read, byte by byte, and cut in two at every position.
///
/// All ways must give the same. Of long input only some positions are tried.
pub(crate) fn decode_as(role: Role, limits: Limits, bytes: &[u8]) -> Outcome {
    let peer = (role, limits);
    let whole = decode_reads(peer, [bytes]);

    assert_eq!(decode_reads(peer, bytes.chunks(1)), whole, "byte by byte");
    let direct = decode_direct_reads(peer, bytes.chunks(1));
    assert_eq!(direct, whole, "byte by byte, into the message");
    let step = if bytes.len() <= 1100 { 1 } else { bytes.len() / 30 };
    let ends = bytes.len().saturating_sub(16)..bytes.len();
    for position in (0..bytes.len().min(16)).chain((16..bytes.len()).step_by(step)).chain(ends) {
        let (first, second) = bytes.split_at(position);
        assert_eq!(decode_reads(peer, [first, second]), whole, "cut at {position}");
        let direct = decode_direct_reads(peer, [first, second]);
        assert_eq!(direct, whole, "cut at {position}, into the message");
    }
    whole
}

/// Decodes the input from a client, with the default limits.
pub(crate) fn decode(bytes: &[u8]) -> Outcome {
    decode_as(Role::Server, Limits::default(), bytes)
}

/// Returns the first violation, and after how many bytes it is found.
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

pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;
pub(crate) const FINAL: u8 = 0x80;
