//! Tests of compressing and inflating (RFC 7692 §7.2).

use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush, Status};

use crate::protocol::deflate::compressor::{Compressors, Effort, worthwhile_history};
use crate::protocol::deflate::inflater::Inflater;
use crate::protocol::deflate::window::Window;
use crate::protocol::frames::violation::Violation;
use crate::testing::Random;
use crate::types::compression::CompressionLevel;

/// Effectively no limit.
const MOST: usize = 1 << 30;

fn effort(window: u8, level: CompressionLevel) -> Effort {
    Effort::of(window, level, 1000, false)
}

fn compress(
    window: u8,
    level: CompressionLevel,
    history: &[u8],
    message: &[u8],
) -> Option<Vec<u8>> {
    let mut output = Vec::new();
    let is_shorter =
        Compressors::default().compress(effort(window, level), history, message, &mut output);
    is_shorter.then_some(output)
}

fn inflate_with(history: &[u8], data: &[u8], most: usize) -> Result<Vec<u8>, Violation> {
    let mut plain = Vec::new();
    Inflater::default().inflate(data, history, most, &mut plain).map(|()| plain)
}

fn inflate(data: &[u8]) -> Result<Vec<u8>, Violation> {
    inflate_with(b"", data, MOST)
}

/// Chat-like JSON of about so many bytes.
fn json(random: &mut Random, size: usize) -> Vec<u8> {
    const WORDS: [&str; 12] = [
        "connection",
        "socket",
        "message",
        "hello",
        "window",
        "history",
        "the",
        "of",
        "a",
        "server",
        "compressed",
        "later",
    ];
    let mut text = format!(
        "{{\"id\":{},\"user\":\"user{}\",\"text\":\"",
        random.below(1 << 30),
        random.below(50)
    );
    while text.len() + 10 < size {
        text.push_str(WORDS[random.below(WORDS.len())]);
        text.push(' ');
    }
    text.push_str("\"}");
    text.into_bytes()
}

const LEVELS: [CompressionLevel; 3] =
    [CompressionLevel::Fast, CompressionLevel::Balanced, CompressionLevel::Small];

/// RFC 7692 §7.2.3.1 and §7.2.3.2: "Hello", and once more with the history.
#[test]
fn inflates_the_example_with_a_history() {
    assert_eq!(inflate(b"\xF2\x48\xCD\xC9\xC9\x07\x00").unwrap(), b"Hello");
    assert_eq!(inflate_with(b"Hello", b"\xF2\x00\x11\x00\x00", MOST).unwrap(), b"Hello");
    assert_eq!(inflate(b"\xF2\x00\x11\x00\x00"), Err(Violation::INVALID_DEFLATE));
}

/// RFC 7692 §7.2.3.3: a block without compression.
#[test]
fn inflates_the_example_of_a_stored_block() {
    assert_eq!(inflate(b"\x00\x05\x00\xFA\xFFHello\x00").unwrap(), b"Hello");
}

/// RFC 7692 §7.2.3.4: a final block, and the empty block behind it.
#[test]
fn inflates_the_example_of_a_final_block() {
    assert_eq!(inflate(b"\xF3\x48\xCD\xC9\xC9\x07\x00\x00").unwrap(), b"Hello");
    assert_eq!(inflate(b"\xF3\x48\xCD\xC9\xC9\x07\x00").unwrap(), b"Hello");
    assert_eq!(inflate(b"\xF3\x48\xCD\xC9\xC9\x07"), Err(Violation::INVALID_DEFLATE));
}

/// RFC 7692 §7.2.3.5: two blocks in one message.
#[test]
fn inflates_the_example_of_two_blocks() {
    let data = b"\xF2\x48\x05\x00\x00\x00\xFF\xFF\xCA\xC9\xC9\x07\x00";

    assert_eq!(inflate(data).unwrap(), b"Hello");
}

/// RFC 7692 §7.2.3.6: an empty message is one byte.
#[test]
fn inflates_the_example_of_an_empty_message() {
    assert_eq!(inflate(b"\x00").unwrap(), b"");
    assert_eq!(inflate(b"\x02\x00").unwrap(), b"");
    assert_eq!(inflate(b""), Err(Violation::INVALID_DEFLATE));
}

/// RFC 7692 §7.2.3.4: behind a final block the text before it can still be referred to.
#[test]
fn refers_to_text_in_front_of_a_final_block() {
    let mut final_block = vec![0; 100];
    let mut engine = Deflate::new(6, false, 15);
    engine.compress(b"Hello", &mut final_block, DeflateFlush::Finish).unwrap();
    final_block.truncate(usize::try_from(engine.total_out()).unwrap());
    let mut random = Random(1);
    let history: Vec<u8> = random.bytes(40_000);
    let (_, before) = history.split_at(20_000);
    let again = compress(
        15,
        CompressionLevel::Small,
        &[before, b"Hello"].concat(),
        &[b"Hello", &before[..500]].concat(),
    );

    let data = [&final_block[..], &again.unwrap()].concat();

    let expected = [b"HelloHello", &before[..500]].concat();
    assert_eq!(inflate_with(&history, &data, MOST).unwrap(), expected);
}

/// Each final block reloads the history: there may not be any number of them.
#[test]
fn refuses_final_blocks_without_end() {
    let block = b"\x03\x00";

    assert_eq!(inflate(&block.repeat(100)).unwrap(), b"");
    assert_eq!(inflate(&block.repeat(1000)), Err(Violation::INVALID_DEFLATE));
}

/// Every truncation of a message is found: of all kinds of blocks, with a history and without.
///
/// Of a message of several blocks, the first ones are a message too.
#[test]
fn finds_every_truncation() {
    let mut random = Random(2);
    let history = json(&mut random, 2000);
    let message = json(&mut random, 1500);
    let mut samples: Vec<(&[u8], Vec<u8>)> = Vec::new();
    for level in LEVELS {
        samples.push((b"", compress(15, level, b"", &message).unwrap()));
        samples.push((&history, compress(12, level, &history, &message).unwrap()));
        samples.push((b"", compress(15, level, b"", &message[..100]).unwrap()));
    }
    samples.push((b"", b"\x00\x05\x00\xFA\xFFHello\x00".to_vec()));
    // The end that the receiver appends could be taken for the last bytes of the block.
    samples.push((b"", b"\x00\x09\x00\xF6\xFFabcd\x00\x00\xFF\xFF\x00\x00".to_vec()));

    for (history, data) in samples {
        assert!(inflate_with(history, &data, MOST).is_ok());
        for length in 0..data.len() {
            let outcome = inflate_with(history, &data[..length], MOST);
            // RFC 7692 §7.2.3.6: one byte of zero is an empty message.
            let is_found = match &outcome {
                Err(violation) => *violation == Violation::INVALID_DEFLATE,
                Ok(plain) => data[..length] == [0] && plain.is_empty(),
            };
            assert!(is_found, "{length} of {data:x?}: {outcome:?}");
        }
    }
}

/// RFC 7692 §7.2.2: bits that are no compressed data.
#[test]
fn refuses_broken_data() {
    for data in
        [&b"\xFF"[..], b"\x07", b"garbage that is not deflate", b"\x00\x05\x00\x00\x00Hello"]
    {
        assert_eq!(inflate(data), Err(Violation::INVALID_DEFLATE), "{data:x?}");
    }
}

/// RFC 7692 §8, on memory: the limit is exact, whatever the size of the slices.
#[test]
fn a_message_may_have_exactly_the_maximum_size() {
    for size in [1, 100, 1023, 1024, 1025, 65_536, 65_537, 300_000] {
        let data = compress(15, CompressionLevel::Balanced, b"", &vec![b'x'; size])
            .unwrap_or_else(|| [&b"\x00\x01\x00\xFE\xFF"[..], b"x\x00"].concat());

        assert_eq!(inflate_with(b"", &data, size).unwrap().len(), size);
        assert_eq!(inflate_with(b"", &data, size - 1), Err(Violation::MESSAGE_TOO_BIG));
    }
}

/// The memory of a message that is refused stays within the maximum.
#[test]
fn a_bomb_takes_no_more_than_the_maximum_size() {
    let bomb = compress(15, CompressionLevel::Small, b"", &vec![0; 8 << 20]).unwrap();
    assert!(bomb.len() < 10_000);
    let mut plain = Vec::new();

    let outcome = Inflater::default().inflate(&bomb, b"", 1_000_000, &mut plain);

    assert_eq!(outcome, Err(Violation::MESSAGE_TOO_BIG));
    assert!(plain.capacity() <= 1_000_001, "{} bytes", plain.capacity());
}

/// Random messages, against histories of all sizes: another zlib stream is not needed.
#[test]
fn messages_are_inflated_as_they_were_compressed() {
    let mut random = Random(3);
    let (mut compressors, mut inflater) = (Compressors::default(), Inflater::default());
    for window in 9..=15 {
        let mut histories = (Window::for_sending(window), Window::for_receiving(window));
        for round in 0..150 {
            let size = [1, 20, 100, 600, 3000, 40_000][random.below(6)];
            let message = if round % 7 == 0 { random.bytes(size) } else { json(&mut random, size) };
            let level = LEVELS[random.below(3)];
            let effort = Effort::of(window, level, message.len(), true);
            let loaded = histories.0.last(worthwhile_history(message.len()));
            let mut output = Vec::new();
            if !compressors.compress(effort, loaded, &message, &mut output) {
                continue;
            }
            assert!(output.len() < message.len());

            let mut plain = Vec::new();
            let received = histories.1.as_bytes();
            inflater.inflate(&output, received, MOST, &mut plain).unwrap();

            assert_eq!(plain, message, "window {window}, round {round}");
            histories.0.push(&message);
            histories.1.push(&message);
        }
    }
}

/// RFC 7692 §7.1.1: for the peer it is a stream like any other with context takeover.
#[test]
fn a_stream_with_context_takeover_can_follow() {
    for window in [9, 12, 15] {
        let mut random = Random(window.into());
        let mut peer = Inflate::new(false, window);
        let (mut compressors, mut history) = (Compressors::default(), Window::for_sending(window));
        for _ in 0..300 {
            let size = 40 + random.below(5000);
            let message = json(&mut random, size);
            let effort = Effort::of(window, CompressionLevel::Balanced, message.len(), true);
            let mut output = Vec::new();
            let loaded = history.last(worthwhile_history(message.len()));
            assert!(compressors.compress(effort, loaded, &message, &mut output));
            history.push(&message);
            output.extend([0, 0, 0xFF, 0xFF]);

            let mut plain = vec![0; message.len() + 1];
            let before = peer.total_out();
            let status = peer.decompress(&output, &mut plain, InflateFlush::SyncFlush).unwrap();

            assert_eq!(status, Status::Ok);
            plain.truncate(usize::try_from(peer.total_out() - before).unwrap());
            assert_eq!(plain, message);
        }
    }
}

/// A history makes messages shorter, and nothing of it stays with the compressor.
#[test]
fn a_compressor_forgets_the_history_of_the_message_before() {
    let mut random = Random(4);
    let message = json(&mut random, 1000);
    let mut compressors = Compressors::default();
    for level in LEVELS {
        let effort = effort(12, level);
        let (mut alone, mut known, mut again) = (Vec::new(), Vec::new(), Vec::new());

        assert!(compressors.compress(effort, b"", &message, &mut alone));
        assert!(compressors.compress(effort, &message, &message, &mut known));
        assert!(compressors.compress(effort, b"", &message, &mut again));

        assert!(known.len() < alone.len() / 2, "{} bytes", known.len());
        assert_eq!(alone, again);
    }
}

/// Below 512 bytes the fast level has a compressor of its own, without the memory of zlib.
#[test]
fn short_messages_need_no_zlib() {
    let mut compressors = Compressors::default();
    let mut has_zlib = |length| {
        let (fast, message) = (effort(12, CompressionLevel::Fast), vec![b'a'; length]);
        assert!(compressors.compress(fast, b"", &message, &mut Vec::new()), "{length}");
        compressors.has_zlib()
    };

    assert_eq!([64, 511, 512].map(&mut has_zlib), [false, false, true]);
}

/// Traps of zlib-rs: an empty message, a window of 8 bits, and what does not become shorter.
#[test]
fn what_cannot_be_compressed_is_refused() {
    let mut random = Random(5);
    let mut compressors = Compressors::default();
    let mut output = Vec::new();
    let text = vec![b'x'; 1000];
    for level in LEVELS {
        assert!(compressors.compress(effort(15, level), b"", &text, &mut output));
        for message in [&b""[..], b"a", b"abc", &random.bytes(100), &random.bytes(100_000)] {
            assert!(!compressors.compress(effort(15, level), b"", message, &mut output));
        }
        assert!(!compressors.compress(effort(8, level), b"", &text, &mut output));
        assert!(compressors.compress(effort(15, level), b"", &text, &mut output));
        assert_eq!(inflate(&output).unwrap(), text);
    }
}

/// An inflater that has met broken data is as good as a new one.
#[test]
fn an_inflater_recovers_from_broken_data() {
    let mut inflater = Inflater::default();
    let good = compress(15, CompressionLevel::Small, b"", &[7; 500]).unwrap();
    for bad in [&b"\xFF\xFF"[..], &good[..good.len() - 1], b"\x03\x00\xFF"] {
        assert!(inflater.inflate(bad, b"", MOST, &mut Vec::new()).is_err());
        let mut plain = Vec::new();
        inflater.inflate(&good, b"", MOST, &mut plain).unwrap();
        assert_eq!(plain, [7; 500]);
    }
}

/// The levels of the three settings, and of messages by their size.
#[test]
fn the_level_follows_the_size_of_a_message() {
    let level = |setting, message, has_history| {
        let effort = Effort::of(12, setting, message, has_history);
        [1, 3, 6]
            .into_iter()
            .find(|level| format!("{effort:?}").contains(&format!("level: {level}")))
    };

    for (size, has_history) in [(100, true), (100, false), (1000, true), (1 << 20, false)] {
        assert_eq!(level(CompressionLevel::Fast, size, has_history), Some(1));
        assert_eq!(level(CompressionLevel::Small, size, has_history), Some(6));
    }
    let balanced = |size, has_history| level(CompressionLevel::Balanced, size, has_history);
    assert_eq!([balanced(511, true), balanced(512, true)], [Some(1), Some(6)]);
    assert_eq!([balanced(4096, true), balanced(4097, true)], [Some(6), Some(3)]);
    assert_eq!([balanced(300, false), balanced(65_536, false)], [Some(3), Some(3)]);
    assert_eq!([balanced(65_537, false), balanced(65_537, true)], [Some(1), Some(1)]);
}
