//! Payload that is read into the message itself.

use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::violation::Violation;
use crate::testing::Random;
use crate::testing::decoding::{
    BINARY, CONTINUATION, FINAL, Feed, PING, Received, TEXT, client_frame, decode_direct_reads,
};
use crate::types::role::Role;

const MESSAGE: usize = 1024 * 1024;

fn bytes(length: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(length).collect()
}

fn room_of(feed: &mut Feed, least: usize) -> usize {
    feed.decoder.payload_room(least, usize::MAX).map_or(0, |room| room.len())
}

/// Reads as much into the message as it has room for, with 0xFF as payload on the wire.
fn fill(feed: &mut Feed) -> usize {
    let Some(room) = feed.decoder.payload_room(1, usize::MAX) else { return 0 };
    room.fill(0xFF);
    let count = room.len();
    feed.decoder.add_payload(count);
    count
}

/// RFC 6455 §5.3: the key goes on wherever the payload is cut, and however it is read.
#[test]
fn big_messages_are_the_same() {
    let peer = (Role::Server, Limits::default());
    let (first, second) = (bytes(700_001), bytes(400_003));
    let wire = [
        client_frame(FINAL | BINARY, &first),
        client_frame(BINARY, &first),
        client_frame(FINAL | PING, b"between"),
        client_frame(FINAL | CONTINUATION, &second),
        client_frame(FINAL | TEXT, &b"x".repeat(300_000)),
        client_frame(FINAL | BINARY, &second),
    ]
    .concat();
    let expected = vec![
        Received::Binary(first.clone()),
        Received::Ping(b"between".to_vec()),
        Received::Binary([&first[..], &second].concat()),
        Received::Text("x".repeat(300_000)),
        Received::Binary(second),
    ];
    let mut random = Random(7);

    for longest in [1000, 70_000, 300_000, 2_000_000] {
        let mut rest = &wire[..];
        let reads = std::iter::from_fn(|| {
            let (read, behind) = rest.split_at((1 + random.below(longest)).min(rest.len()));
            rest = behind;
            (!read.is_empty()).then_some(read)
        });

        let outcome = decode_direct_reads(peer, reads);

        assert!(outcome == (expected.clone(), None), "other messages, reads of up to {longest}");
    }
}

/// Memory follows the bytes that came: room is what the message has anyway.
#[test]
fn room_takes_no_memory_of_its_own() -> Result<(), Violation> {
    let mut feed = Feed::new(Role::Server, Limits::default());
    let message = client_frame(FINAL | BINARY, &bytes(MESSAGE));

    feed.read(&message[..14 + 200_000])?;
    let held = feed.decoder.held_bytes();
    assert_eq!(fill(&mut feed), 0, "the memory fits what came");
    feed.read(&message[..100_000])?;
    let grown = feed.decoder.held_bytes();
    assert!(grown > held);

    assert_eq!(fill(&mut feed), 400_000 - 300_000);
    assert_eq!((fill(&mut feed), feed.decoder.held_bytes()), (0, grown));
    Ok(())
}

/// The first piece of a big message is not copied, where the memory of the input has room for the rest.
#[test]
fn a_message_takes_over_the_memory_of_the_input() -> Result<(), Violation> {
    let mut feed = Feed::new(Role::Server, Limits::default());
    let (payload, behind) = (bytes(MESSAGE), client_frame(FINAL | BINARY, b"behind"));
    let wire = [client_frame(FINAL | BINARY, b"before"), client_frame(FINAL | BINARY, &payload)];
    let (wire, header) = (wire.concat(), 6 + 6 + 14);
    let mut memory = Vec::with_capacity(wire.len());
    memory.extend(&wire[..300_000]);
    let place = memory.as_ptr();

    feed.decoder.leave_big_pieces();
    let mut consumed = 0;
    while consumed < memory.len() {
        let decoded = feed.decoder.decode(&mut memory[consumed..], &mut feed.pool)?;
        consumed += decoded.consumed;
        feed.received.extend(decoded.event.map(Received::from));
    }
    assert!(feed.decoder.adopt_left_piece(memory.len(), || memory));
    assert!(!feed.decoder.adopt_left_piece(0, Vec::new), "it is taken over once");
    feed.read_directly(&wire[300_000..])?;
    feed.read(&behind)?;

    let expected = [b"before".to_vec(), payload, b"behind".to_vec()].map(Received::Binary);
    assert!(feed.received == expected);
    let memory = feed.pool.take_used(MESSAGE).unwrap();
    assert_eq!((memory.as_ptr(), memory.capacity()), (place, header + MESSAGE));
    Ok(())
}

/// Only the first piece of a binary message is left, if it is big and the frame goes on.
#[test]
fn other_pieces_are_not_left_in_the_input() {
    let big = bytes(400_000);
    for wire in [
        client_frame(FINAL | TEXT, &b"x".repeat(400_000))[..300_000].to_vec(),
        client_frame(FINAL | BINARY, &big)[..200_000].to_vec(),
        [client_frame(BINARY, b"begun"), client_frame(CONTINUATION, &big)].concat()[..300_000]
            .to_vec(),
        client_frame(BINARY, &big),
    ] {
        let mut feed = Feed::new(Role::Server, Limits::default());
        feed.decoder.leave_big_pieces();

        let outcome = feed.read(&wire);

        assert!(!feed.decoder.adopt_left_piece(0, Vec::new), "{outcome:?}");
    }
}

/// A frame ends with input, behind which the next one may be.
#[test]
fn the_last_byte_of_a_frame_is_input() -> Result<(), Violation> {
    let mut feed = Feed::new(Role::Server, Limits::default());
    feed.pool.put(Vec::with_capacity(MESSAGE));
    let message = client_frame(FINAL | BINARY, &bytes(MESSAGE));
    assert_eq!(room_of(&mut feed, 1), 0, "there is no message");

    feed.read(&message[..14 + 300_000])?;
    let missing = MESSAGE - 300_000;
    assert_eq!(room_of(&mut feed, missing), 0);
    assert_eq!(room_of(&mut feed, missing - 1), missing - 1);
    assert_eq!(fill(&mut feed), missing - 1);
    assert_eq!((fill(&mut feed), feed.received.len()), (0, 0));

    feed.read(&message[message.len() - 1..])?;
    assert!(
        matches!(&feed.received[..], [Received::Binary(received)] if received.len() == MESSAGE)
    );
    Ok(())
}

/// Text is validated as it comes, and has no room.
#[test]
fn text_is_not_read_directly() -> Result<(), Violation> {
    let mut feed = Feed::new(Role::Server, Limits::default());
    feed.pool.put(Vec::with_capacity(MESSAGE));

    feed.read(&client_frame(FINAL | TEXT, &b"a".repeat(MESSAGE))[..400_000])?;

    assert_eq!(room_of(&mut feed, 1), 0);
    Ok(())
}

/// What a connection has sent is not seen by another one that gets its memory.
#[test]
fn nothing_of_another_message_is_lent() -> Result<(), Violation> {
    let mut feed = Feed::new(Role::Server, Limits::default());
    let secret = client_frame(FINAL | BINARY, &vec![0xEE; MESSAGE]);
    feed.read(&secret[..400_000])?;
    feed.read(&secret[400_000..])?;
    let message = client_frame(FINAL | BINARY, &vec![0xAA; 500_000]);

    feed.read(&message[..300_000])?;
    assert!(room_of(&mut feed, 1) > 0);
    feed.read(&message[300_000..])?;

    assert!(feed.received[1] == Received::Binary(vec![0xAA; 500_000]));
    Ok(())
}
