//! Fuzz targets: the frame reader and the frame writer, without I/O.

use std::num::NonZeroUsize;

use crate::protocol::frames::buffer_pool::BufferPool;
use crate::protocol::frames::close_frame::ClosePayload;
use crate::protocol::frames::decoder::{Decoded, Decoder};
use crate::protocol::frames::event::{Data, Event};
use crate::protocol::frames::fragmentation::Frames;
use crate::protocol::frames::frame::Frame;
use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::opcode::MessageKind;
use crate::testing::Random;
use crate::testing::decoding::{
    Feed, Outcome, Received, decode_direct_reads, decode_reads, fill_room,
};
use crate::testing::fuzzing::frame_model;
use crate::types::close_code::CloseCode;
use crate::types::role::Role;

/// Reads the input of a server.
pub fn frames_server(data: &[u8]) {
    check(Role::Server, data);
}

/// Reads the input of a client.
pub fn frames_client(data: &[u8]) {
    check(Role::Client, data);
}

/// The first three bytes choose limits, reads and the size of written frames.
///
/// The others are the input from the peer.
fn check(role: Role, data: &[u8]) {
    let Some((&[limits, seed, frame_size], wire)) = data.split_first_chunk() else { return };
    let peer = (role, limits_of(limits));
    let mut random = Random(seed.into());

    let outcome = decode_reads(peer, [wire]);

    assert_eq!(outcome, frame_model::decode(peer, wire), "the reader differs from the model");
    for longest in [1, 2, 16, 300] {
        let reads = random_reads(wire, longest, &mut random);
        assert_eq!(decode_reads(peer, reads), outcome, "reads of up to {longest} bytes differ");
        let reads = random_reads(wire, longest, &mut random);
        assert_eq!(decode_direct_reads(peer, reads), outcome, "direct reads differ");
    }
    check_memory(peer, wire, usize::from(seed) + 1);
    check_frames(peer, random_reads(wire, 16, &mut random));
    check_round_trip(role, &outcome.0, NonZeroUsize::MIN.saturating_add(frame_size.into()));
}

/// Limits that a short input can meet, and the default.
pub(super) fn limits_of(choice: u8) -> Limits {
    match choice % 4 {
        0 => Limits::default(),
        1 => Limits { max_frame_size: 100, max_message_size: 150, max_fragments: 4 },
        2 => Limits { max_frame_size: 1000, max_message_size: 600, max_fragments: 1 },
        _ => Limits { max_frame_size: 0, max_message_size: 0, max_fragments: 100 },
    }
}

pub(super) fn random_reads<'w>(
    mut wire: &'w [u8],
    longest: usize,
    random: &mut Random,
) -> impl Iterator<Item = &'w [u8]> {
    std::iter::from_fn(move || {
        let length = (1 + random.below(longest)).min(wire.len());
        let (read, rest) = wire.split_at(length);
        wire = rest;
        (!read.is_empty()).then_some(read)
    })
}

/// Checks that memory follows the input; between messages there is none.
fn check_memory((role, limits): (Role, Limits), wire: &[u8], read_size: usize) {
    let mut feed = Feed::new(role, limits);
    let mut came = 0;
    for read in wire.chunks(read_size) {
        came += read.len();
        let is_refused = feed.read(read).is_err();
        let held = feed.decoder.held_bytes();
        assert!(held <= 4 * came + 5000, "{held} bytes are held for {came}");
        if is_refused {
            break;
        }
        assert!(
            !feed.decoder.is_between_messages() || held == 0,
            "{held} bytes are held while idle"
        );
    }

    // RFC 6455 §5.5.1: after the end everything is ignored.
    if feed.decoder.has_ended() {
        let heard = feed.received.len();
        assert_eq!(feed.read(&[0xFF; 100]), Ok(()));
        assert_eq!((feed.received.len(), feed.decoder.held_bytes()), (heard, 0));
    }
}

/// Checks that the reported frames, with the last one, are the message.
fn check_frames<'w>((role, limits): (Role, Limits), reads: impl Iterator<Item = &'w [u8]>) {
    let (mut decoder, mut pool) = (Decoder::new(role, limits), BufferPool::new());
    decoder.report_frames(true);
    let mut frames = Vec::new();
    for read in reads {
        let mut input = fill_room(&mut decoder, read).to_vec();
        let mut unread = &mut input[..];
        while !unread.is_empty() {
            let Ok(Decoded { consumed, event }) = decoder.decode(unread, &mut pool) else { return };
            match event {
                Some(Event::Frame(Data::Text(text))) => frames.extend(text.bytes()),
                Some(Event::Frame(Data::Binary(bytes))) => frames.extend_from_slice(bytes),
                Some(Event::Message { message, last_frame }) => {
                    let bytes = match message {
                        Data::Text(text) => text.as_bytes(),
                        Data::Binary(bytes) => bytes,
                    };
                    assert_eq!(bytes.get(..last_frame), Some(&frames[..]), "other frames");
                    frames.clear();
                }
                _ => {}
            }
            unread = &mut unread[consumed..];
        }
        decoder.recycle(&mut pool);
    }
}

/// Checks that received messages can be sent again, and are read alike.
fn check_round_trip(role: Role, received: &[Received], frame_size: NonZeroUsize) {
    let wire = written(role, received, frame_size);

    let outcome: Outcome = decode_reads((role, Limits::default()), [&wire[..]]);

    assert_eq!(outcome, (received.to_vec(), None), "what was written is read otherwise");
}

/// Returns the frames of these messages, as sent to an endpoint of this role.
pub(super) fn written(reader: Role, messages: &[Received], frame_size: NonZeroUsize) -> Vec<u8> {
    let mut random = Random(0);
    let mut wire = Vec::new();
    for message in messages {
        let mut write = |frame: &Frame<'_>| {
            let [a, b, c, d, ..] = random.next().to_ne_bytes();
            frame.write_to(&mut wire, (reader == Role::Server).then_some([a, b, c, d]));
        };
        match message {
            Received::Text(text) => {
                Frames::of(MessageKind::Text, text.as_bytes(), frame_size)
                    .for_each(|frame| write(&frame));
            }
            Received::Binary(bytes) => {
                Frames::of(MessageKind::Binary, bytes, frame_size).for_each(|frame| write(&frame));
            }
            Received::Ping(payload) => write(&Frame::ping(payload)),
            Received::Pong(payload) => write(&Frame::pong(payload)),
            Received::Close(code, reason) => {
                let code = code.map_or(CloseCode::MISSING_STATUS_CODE, CloseCode::new);
                write(&Frame::close(&ClosePayload::new(code, reason)));
            }
        }
    }
    wire
}
