//! Random conversations: what one end sends is what the other receives.

use std::num::NonZeroUsize;

use crate::protocol::frames::close_frame::ClosePayload;
use crate::protocol::frames::fragmentation::Frames;
use crate::protocol::frames::frame::Frame;
use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::mask::MaskingKey;
use crate::protocol::frames::opcode::MessageKind;
use crate::protocol::frames::violation::Violation;
use crate::testing::Random;
use crate::testing::decoding::{Feed, Received, decode_reads};
use crate::types::close_code::CloseCode;
use crate::types::role::Role;

/// Writes random messages in random frames with control frames between them.
struct Conversation {
    random: Random,
    sender: Role,
    wire: Vec<u8>,
    expected: Vec<Received>,
}

impl Conversation {
    fn new(seed: u64, sender: Role) -> Self {
        Self { random: Random(seed), sender, wire: Vec::new(), expected: Vec::new() }
    }

    fn random(seed: u64, sender: Role) -> Self {
        let mut conversation = Self::new(seed, sender);
        for _ in 0..conversation.random.below(12) {
            match conversation.random.below(4) {
                0 => conversation.send_control_frame(),
                _ => conversation.send_message(),
            }
        }
        conversation.send_close();
        conversation
    }

    fn key(&mut self) -> Option<MaskingKey> {
        let key = self.random.next().to_ne_bytes();
        (self.sender == Role::Client).then(|| [key[0], key[1], key[2], key[3]])
    }

    fn length(&mut self) -> usize {
        match self.random.below(10) {
            0 => 0,
            1..=5 => self.random.below(130),
            6..=8 => self.random.below(2000),
            _ => 65_000 + self.random.below(1000),
        }
    }

    fn text(&mut self, length: usize) -> String {
        let alphabet = ['a', ' ', 'é', '€', '漢', '😀', '\u{10FFFF}', '\0'];
        (0..length).map(|_| alphabet[self.random.below(alphabet.len())]).collect()
    }

    fn send_message(&mut self) {
        let length = self.length();
        let (kind, message) = if self.random.below(2) == 0 {
            let text = self.text(length);
            (MessageKind::Text, Received::Text(text))
        } else {
            (MessageKind::Binary, Received::Binary(self.random.bytes(length)))
        };
        let bytes = match &message {
            Received::Text(text) => text.as_bytes(),
            Received::Binary(bytes) => bytes,
            _ => &[],
        };

        let frame_size = NonZeroUsize::MIN.saturating_add(self.random.below(2 * bytes.len() + 1));
        for frame in Frames::of(kind, bytes, frame_size.max(NonZeroUsize::new(3).unwrap())) {
            let key = self.key();
            frame.write_to(&mut self.wire, key);
            if !frame.is_final && self.random.below(20) == 0 {
                self.send_control_frame();
            }
        }
        self.expected.push(message);
    }

    fn send_control_frame(&mut self) {
        let length = self.random.below(126);
        let payload = self.random.bytes(length);
        let key = self.key();
        if self.random.below(2) == 0 {
            Frame::ping(&payload).write_to(&mut self.wire, key);
            self.expected.push(Received::Ping(payload));
        } else {
            Frame::pong(&payload).write_to(&mut self.wire, key);
            self.expected.push(Received::Pong(payload));
        }
    }

    fn send_close(&mut self) {
        let key = self.key();
        let payload = ClosePayload::new(CloseCode::new(4000), "bye");
        Frame::close(&payload).write_to(&mut self.wire, key);
        self.expected.push(Received::Close(Some(4000), "bye".to_owned()));
    }

    /// Receives the wire in reads of random lengths, mostly short or mostly long ones.
    fn receive(&mut self) -> Result<Vec<Received>, Violation> {
        let receiver = if self.sender == Role::Client { Role::Server } else { Role::Client };
        let mut feed = Feed::new(receiver, Limits::default());
        let longest = [3, 30, 1000, 70_000][self.random.below(4)];
        let mut wire = &self.wire[..];
        while !wire.is_empty() {
            let count = (1 + self.random.below(longest)).min(wire.len());
            let (read, rest) = wire.split_at(count);
            feed.read(read)?;
            wire = rest;
        }
        assert!(feed.decoder.has_ended());
        assert_eq!(feed.decoder.held_bytes(), 0);
        Ok(feed.received)
    }
}

/// RFC 6455 §5 in whole.
#[test]
fn receives_what_was_sent() -> Result<(), Violation> {
    for seed in 0..100 {
        let sender = if seed % 3 == 0 { Role::Server } else { Role::Client };
        let mut conversation = Conversation::random(seed, sender);

        let received = conversation.receive()?;

        assert_eq!(received, conversation.expected, "seed {seed}");
    }
    Ok(())
}

/// A spoiled byte has the same consequences wherever the reads begin and end.
#[test]
fn judges_spoiled_bytes_alike_however_they_are_read() {
    let peer = (Role::Server, Limits { max_frame_size: 3000, ..Limits::default() });
    for seed in 1000..1100 {
        let Conversation { mut random, mut wire, .. } = Conversation::random(seed, Role::Client);
        for _ in 0..=random.below(3) {
            let position = random.below(wire.len());
            wire[position] ^= 1 << random.below(8);
        }

        let whole = decode_reads(peer, [&wire[..]]);

        for count in [1, 7, 130, 4096] {
            assert_eq!(decode_reads(peer, wire.chunks(count)), whole, "seed {seed}, {count}");
        }
    }
}
