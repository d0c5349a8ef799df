//! Frames of a message, each by itself.

use crate::protocol::frames::buffer_pool::BufferPool;
use crate::protocol::frames::decoder::{Decoded, Decoder};
use crate::protocol::frames::event::{Data, Event};
use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::violation::Violation;
use crate::testing::decoding::{
    BINARY, CONTINUATION, FINAL, PING, TEXT, client_frame, decode_reads,
};
use crate::types::role::Role;

/// What each frame added, and whether it was the last one; read in pieces of `size` bytes.
fn frames_of(bytes: &[u8], size: usize) -> Result<Vec<(String, bool)>, Violation> {
    let mut decoder = Decoder::new(Role::Server, Limits::default());
    let mut pool = BufferPool::new();
    let mut frames = Vec::new();
    decoder.report_frames(true);
    for piece in bytes.chunks(size) {
        let mut input = piece.to_vec();
        let mut unread = &mut input[..];
        while !unread.is_empty() {
            let Decoded { consumed, event } = decoder.decode(unread, &mut pool)?;
            let (data, is_last) = match event {
                Some(Event::Frame(frame)) => (Some(frame), false),
                Some(Event::Message { message, last_frame }) => {
                    (Some(message.since(last_frame)), true)
                }
                _ => (None, false),
            };
            match data {
                Some(Data::Text(text)) => frames.push((text.to_owned(), is_last)),
                Some(Data::Binary(bytes)) => frames.push((format!("{bytes:?}"), is_last)),
                None => {}
            }
            unread = &mut unread[consumed..];
        }
        decoder.recycle(&mut pool);
    }
    Ok(frames)
}

/// Qt: RCV-23; frames of text carry whole characters, however they were cut.
#[test]
fn reports_each_frame_with_whole_characters() -> Result<(), Violation> {
    let (first, second) = "aé€b".as_bytes().split_at(2);
    let stream = [
        client_frame(TEXT, first),
        client_frame(FINAL | PING, b"between"),
        client_frame(CONTINUATION, b""),
        client_frame(FINAL | CONTINUATION, second),
        client_frame(FINAL | TEXT, b"alone"),
        client_frame(BINARY, &[1, 2]),
        client_frame(FINAL | CONTINUATION, &[3]),
    ]
    .concat();
    let expected = [
        ("a", false),
        ("", false),
        ("é€b", true),
        ("alone", true),
        ("[1, 2]", false),
        ("[3]", true),
    ]
    .map(|(text, is_last)| (text.to_owned(), is_last));

    for size in [1, 2, 3, 5, 7, stream.len()] {
        assert_eq!(frames_of(&stream, size)?, expected, "in pieces of {size}");
    }
    Ok(())
}

/// Frames of a message are reported only when that is enabled.
#[test]
fn reports_no_frame_unless_asked() {
    let stream = [client_frame(TEXT, b"a"), client_frame(FINAL | CONTINUATION, b"b")].concat();

    let (received, violation) = decode_reads((Role::Server, Limits::default()), [&stream[..]]);

    assert_eq!((received.len(), violation), (1, None));
}
