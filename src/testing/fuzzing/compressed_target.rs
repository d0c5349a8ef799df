//! Fuzz target: compressed frames, without I/O (RFC 7692 §6, §7.2).

use std::num::NonZeroUsize;

use crate::protocol::deflate::compressor::{Compressors, Effort, worthwhile_history};
use crate::protocol::deflate::window::Window;
use crate::protocol::frames::fragmentation::Frames;
use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::opcode::MessageKind;
use crate::testing::Random;
use crate::testing::decoding::{Feed, Outcome, Received};
use crate::testing::fuzzing::frames_target::{limits_of, random_reads};
use crate::types::compression::{CompressionLevel, HistorySize};
use crate::types::role::Role;

/// The agreement of both ends, as the first byte chooses it.
#[derive(Clone, Copy)]
struct Peer {
    role: Role,
    limits: Limits,
    history: HistorySize,
}

/// Reads compressed frames of a peer.
///
/// The first three bytes choose role, limits, history, reads and frame size. The others are its input.
pub fn compressed(data: &[u8]) {
    let Some((&[choice, seed, frame_size], wire)) = data.split_first_chunk() else { return };
    let bits = choice >> 2 & 7;
    let peer = Peer {
        role: if choice & 0x80 == 0 { Role::Server } else { Role::Client },
        limits: limits_of(choice),
        history: if bits == 0 { HistorySize::NONE } else { HistorySize::of_window(8 + bits) },
    };
    let mut random = Random(seed.into());

    let outcome = read_all(peer, [wire]);

    for longest in [1, 2, 16, 300] {
        let reads = random_reads(wire, longest, &mut random);
        assert!(read_all(peer, reads) == outcome, "reads of up to {longest} bytes differ");
    }
    let sizes = outcome.0.iter().map(|received| match received {
        Received::Text(text) => text.len(),
        Received::Binary(bytes) => bytes.len(),
        _ => 0,
    });
    assert!(sizes.max().is_none_or(|size| size <= peer.limits.max_message_size), "too big");
    check_round_trip(peer, &outcome.0, NonZeroUsize::MIN.saturating_add(frame_size.into()));
}

/// Reads the input, and checks that memory follows it.
///
/// What is inflated is not kept.
fn read_all<'w>(peer: Peer, reads: impl IntoIterator<Item = &'w [u8]>) -> Outcome {
    let mut feed = Feed::new(peer.role, peer.limits);
    feed.decoder.inflate_messages(peer.history);
    let mut came = 0;
    let violation = reads.into_iter().find_map(|read| {
        came += read.len();
        let outcome = feed.read(read);
        // After a violation the last message is freed at the end of the turn.
        let held = if outcome.is_ok() { feed.decoder.held_bytes() } else { 0 };
        assert!(held <= 4 * came + 5000, "{held} bytes are held for {came}");
        outcome.err()
    });
    (feed.received, violation)
}

/// Checks that received messages can be sent compressed, and are read alike.
fn check_round_trip(peer: Peer, received: &[Received], frame_size: NonZeroUsize) {
    let (mut compressors, mut random, mut wire) = (Compressors::default(), Random(0), Vec::new());
    let window = peer.history.bits().max(9);
    let mut history = (!peer.history.is_none()).then(|| Window::for_sending(window));
    let mut messages = Vec::new();
    for event in received {
        let (kind, payload) = match event {
            Received::Text(text) => (MessageKind::Text, text.as_bytes()),
            Received::Binary(bytes) => (MessageKind::Binary, &bytes[..]),
            _ => continue,
        };
        let level = [CompressionLevel::Fast, CompressionLevel::Balanced, CompressionLevel::Small]
            [random.below(3)];
        let effort = Effort::of(window, level, payload.len(), history.is_some());
        let known = history.as_ref().map(|it| it.last(worthwhile_history(payload.len())));
        let mut output = Vec::new();
        let is_shorter =
            compressors.compress(effort, known.unwrap_or_default(), payload, &mut output);
        let frames = if is_shorter {
            Frames::of_compressed(kind, &output, frame_size)
        } else {
            Frames::of(kind, payload, frame_size)
        };
        for frame in frames {
            let [a, b, c, d, ..] = random.next().to_ne_bytes();
            frame.write_to(&mut wire, (peer.role == Role::Server).then_some([a, b, c, d]));
        }
        if let Some(history) = history.as_mut().filter(|_| is_shorter) {
            history.push(payload);
        }
        messages.push(event.clone());
    }

    let limits = Limits { max_fragments: u32::MAX, ..Limits::DEFAULT };
    let outcome = read_all(Peer { limits, ..peer }, [&wire[..]]);
    assert!(outcome == (messages, None), "the messages arrive differently");
}
