//! Where messages lie, and how much memory they take.

use crate::protocol::frames::buffer_pool::BufferPool;
use crate::protocol::frames::decoder::Decoder;
use crate::protocol::frames::event::{Data, Event};
use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::violation::Violation;
use crate::testing::Random;
use crate::testing::decoding::{BINARY, CLOSE, FINAL, Feed, PING, TEXT, client_frame};
use crate::types::role::Role;

/// What notes on an unfinished frame take, and a control frame that comes in pieces.
const UNFINISHED: usize = 128;
const CONTROL_FRAME: usize = UNFINISHED + 160;

fn server() -> Decoder {
    Decoder::new(Role::Server, Limits::default())
}

/// Many idle connections are cheap.
#[test]
fn is_small_and_owns_nothing_while_idle() {
    assert!(size_of::<Decoder>() <= 24, "{} bytes", size_of::<Decoder>());
    assert_eq!(server().held_bytes(), 0);
}

/// A message that is whole in the input is not copied, and takes no memory.
#[test]
fn lends_whole_messages_where_they_lie() -> Result<(), Violation> {
    for (first, length) in [
        (TEXT, 1),
        (TEXT, 20),
        (TEXT, 100_000),
        (BINARY, 1),
        (BINARY, 126),
        (BINARY, 100_000),
        (PING, 125),
    ] {
        let (mut decoder, mut pool) = (server(), BufferPool::new());
        let mut input = client_frame(FINAL | first, &vec![b'a'; length]);
        let (_, payload) = input.split_at(input.len() - length);
        let expected = payload.as_ptr_range();

        let lent = match decoder.decode(&mut input, &mut pool)?.event {
            Some(Event::Message { message: Data::Text(text), last_frame: 0 }) => {
                text.as_bytes().as_ptr_range()
            }
            Some(
                Event::Message { message: Data::Binary(bytes), last_frame: 0 } | Event::Ping(bytes),
            ) => bytes.as_ptr_range(),
            other => panic!("{other:?}"),
        };

        assert_eq!(lent, expected, "{first} with {length} bytes");
        assert_eq!(decoder.held_bytes(), 0);
    }
    Ok(())
}

/// Pipelined messages and control frames take no memory either, split headers hardly any.
#[test]
fn takes_no_memory_for_whole_messages() -> Result<(), Violation> {
    let mut feed = Feed::new(Role::Server, Limits::default());
    let message = client_frame(FINAL | TEXT, b"twenty bytes of text");
    let ping = client_frame(FINAL | PING, b"ping");

    for _ in 0..100 {
        feed.read(&[&message[..], &ping, &message].concat())?;
        feed.read(&message[..3])?;
        assert!(feed.decoder.held_bytes() <= UNFINISHED);
        feed.read(&message[3..])?;
        assert_eq!(feed.decoder.held_bytes(), 0);
    }

    assert_eq!(feed.received.len(), 400);
    assert_eq!(feed.decoder.held_bytes() + feed.pool.kept_bytes(), 0);
    Ok(())
}

/// A header that promises 16 MiB costs nothing; memory follows the bytes that came.
#[test]
fn grows_with_what_came_not_with_what_was_promised() -> Result<(), Violation> {
    let mut feed = Feed::new(Role::Server, Limits::default());
    let message = client_frame(FINAL | BINARY, &vec![1; 16 * 1024 * 1024]);

    let (header, payload) = message.split_at(14);
    feed.read(header)?;
    assert!(feed.decoder.held_bytes() <= UNFINISHED);

    let mut came = 0;
    for piece in payload.chunks(50_000) {
        came += piece.len();
        feed.read(piece)?;
        let most = (came * 2).max(128 * 1024);
        assert!(feed.decoder.held_bytes() <= most + UNFINISHED, "{came} bytes came");
    }
    assert_eq!(feed.received.len(), 1);
    Ok(())
}

/// The buffer never exceeds the message: 16 MiB take 16 MiB.
#[test]
fn never_takes_more_than_the_message_needs() -> Result<(), Violation> {
    let (mut decoder, mut pool) = (server(), BufferPool::new());
    let mut message = client_frame(FINAL | TEXT, &vec![b'a'; 3_000_000]);

    for piece in message.chunks_mut(70_000) {
        decoder.decode(piece, &mut pool)?;
    }

    assert!((3_000_000..=3_000_000 + UNFINISHED).contains(&decoder.held_bytes()));
    Ok(())
}

/// After a big message an idle connection owns nothing, and the next one reuses the buffer.
#[test]
fn gives_big_buffers_back() -> Result<(), Violation> {
    let mut feed = Feed::new(Role::Server, Limits::default());
    for first in [FINAL | BINARY, FINAL | TEXT] {
        let message = client_frame(first, &vec![b'a'; 1024 * 1024]);

        for piece in message.chunks(65_536) {
            feed.read(piece)?;
        }

        assert_eq!(feed.decoder.held_bytes(), 0);
        let kept = feed.pool.kept_bytes();
        assert!((1024 * 1024..2 * 1024 * 1024).contains(&kept), "{kept} bytes");
    }
    Ok(())
}

/// A peer that sends little gets no buffer that others filled: at most four times what came.
#[test]
fn holds_no_big_buffer_for_a_few_bytes() -> Result<(), Violation> {
    let mut feed = Feed::new(Role::Server, Limits::default());
    for capacity in [4096, 65_536, 262_144, 1024 * 1024] {
        feed.pool.put(Vec::with_capacity(capacity));
    }
    let message = client_frame(FINAL | BINARY, &vec![1; 1024 * 1024]);

    let mut came = 0;
    for piece in message.chunks(1000) {
        came += piece.len();
        feed.read(piece)?;
        assert!(
            feed.decoder.held_bytes() <= (4 * came).max(4096) + UNFINISHED,
            "{came} bytes came"
        );
    }
    assert_eq!(feed.received.len(), 1);
    Ok(())
}

/// An unfinished message or control frame is freed with the connection's end.
#[test]
fn frees_everything_when_the_input_ends() -> Result<(), Violation> {
    let fragment = client_frame(BINARY, &[1; 500]);
    let ping = client_frame(FINAL | PING, &[2; 100]);
    let mut feed = Feed::new(Role::Server, Limits::default());

    feed.read(&[&fragment[..], &ping[..50]].concat())?;
    assert!(feed.decoder.held_bytes() <= 1000 + CONTROL_FRAME);
    feed.read(&ping[50..])?;
    feed.read(&client_frame(FINAL | CLOSE, b""))?;

    assert_eq!(feed.decoder.held_bytes(), 0);
    Ok(())
}

/// Garbage never panics, and never takes more memory than twice what came.
#[test]
fn survives_garbage() {
    let mut random = Random(42);
    for round in 0..3000 {
        let role = if round % 2 == 0 { Role::Server } else { Role::Client };
        let mut feed = Feed::new(role, Limits::default());
        let mut came = 0;
        for _ in 0..20 {
            let count = random.below(40);
            let mut garbage = random.bytes(count);
            if let (Some(first), 0..=6) = (garbage.first_mut(), random.below(8)) {
                *first &= 0x8F;
            }
            came += count;
            let refused = feed.read(&garbage).is_err();
            assert!(feed.decoder.held_bytes() <= 2 * came + CONTROL_FRAME, "round {round}");
            assert!(!refused || feed.decoder.has_ended(), "round {round}");
        }
    }
}
