//! Feeds a decoder as an event loop does, and collects what came out.

use crate::protocol::frames::buffer_pool::BufferPool;
use crate::protocol::frames::decoder::Decoder;
use crate::protocol::frames::event::{Data, Event};
use crate::protocol::frames::limits::Limits;
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
            Event::Frame(frame) => unreachable!("nobody asked for {frame:?}"),
            Event::Ping(payload) => Self::Ping(payload.to_vec()),
            Event::Pong(payload) => Self::Pong(payload.to_vec()),
            Event::Close { code, reason } => Self::Close(code.map(u16::from), reason.to_owned()),
        }
    }
}

/// Everything that came out, and how it ended.
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
pub(crate) fn decode_reads<'a>(
    (role, limits): (Role, Limits),
    reads: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    let mut feed = Feed::new(role, limits);
    let violation = reads.into_iter().find_map(|read| feed.read(read).err());
    (feed.received, violation)
}

/// Numbers that are the same in each run (Vigna's splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap_or_default()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}
