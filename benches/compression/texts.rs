//! The messages: chat-like JSON, and their frames.

use anyhow::{Context, Result, ensure};
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Status};

use bench_support::exchange::{Exchange, RSV1, Random};

/// The messages of one size, plain and compressed.
pub(crate) struct Texts {
    pub(crate) plain: Vec<Exchange>,
    /// Each is compressed by itself, with a window that all servers take.
    pub(crate) compressed: Vec<Exchange>,
}

impl Texts {
    /// Makes at least 64 different texts of `size` bytes, and at least 64 KiB.
    ///
    /// With fewer, a server with a history of 32 KiB would refer to the same text again.
    pub(crate) fn new(size: usize) -> Result<Self> {
        let count = u32::try_from((64 << 10) / size)?.max(64);
        let (mut plain, mut compressed) = (Vec::new(), Vec::new());
        for seed in 1..=count {
            let text = text(seed, size).into_bytes();
            let payload = compress(&text)?;
            ensure!(payload.len() < text.len(), "a text is not worth its compression");
            compressed.push(Exchange::of_text(text.clone(), RSV1, &payload, seed)?);
            plain.push(Exchange::of_text(text.clone(), 0, &text, seed)?);
        }
        Ok(Self { plain, compressed })
    }
}

/// Makes a JSON text of `size` bytes: one line of a chat, or a list of them.
fn text(seed: u32, size: usize) -> String {
    let mut random = Random::new(seed);
    let mut text = String::new();
    if size < 200 {
        text.push_str(&line(&mut random, size));
    } else {
        text.push('[');
        while text.len() + 240 < size {
            let length = 110 + random.below(60);
            text.push_str(&line(&mut random, length));
            text.push(',');
        }
        text.push_str(&line(&mut random, size - text.len() - 1));
        text.push(']');
    }
    text
}

/// Makes one line of a chat, of `length` bytes.
fn line(random: &mut Random, length: usize) -> String {
    let id = 100_000 + random.below(900_000);
    let user = pick(random, USERS);
    let second = random.below(60);
    let mut line = format!("{{\"id\":{id},\"user\":\"{user}\",\"at\":17642{second:05},\"text\":\"");
    while line.len() + 2 < length {
        line.push_str(pick(random, WORDS));
        line.push(' ');
    }
    line.truncate(length - 2);
    line.push_str("\"}");
    line
}

fn pick<'a>(random: &mut Random, words: &[&'a str]) -> &'a str {
    words.get(random.below(words.len())).copied().unwrap_or_default()
}

/// Compresses a message without reference to others (RFC 7692 §7.2.1).
fn compress(text: &[u8]) -> Result<Vec<u8>> {
    let config = DeflateConfig { window_bits: -WINDOW, ..DeflateConfig::default() };
    let mut deflate = Deflate::new_with_config(config);
    let mut output = vec![0; text.len() + 64];
    let status = deflate.compress(text, &mut output, DeflateFlush::SyncFlush);
    ensure!(status.is_ok_and(|status| status == Status::Ok), "a text cannot be compressed");
    output.truncate(usize::try_from(deflate.total_out())?);
    Ok(output.strip_suffix(&[0, 0, 0xFF, 0xFF]).context("no end of a block")?.to_vec())
}

/// The bits of the window of what the clients send: 2 KiB, the least that a server here agrees to
/// for messages of this size.
const WINDOW: i32 = 11;

const USERS: &[&str] =
    &["amelie", "bjorn", "chidi", "dagny", "emeka", "farah", "goran", "hiroko", "ines", "jonas"];

const WORDS: &[&str] = &[
    "about",
    "after",
    "again",
    "agree",
    "also",
    "always",
    "and",
    "another",
    "anyone",
    "are",
    "around",
    "ask",
    "at",
    "away",
    "back",
    "because",
    "been",
    "before",
    "better",
    "both",
    "branch",
    "bring",
    "build",
    "but",
    "call",
    "can",
    "change",
    "check",
    "close",
    "code",
    "come",
    "could",
    "day",
    "deploy",
    "did",
    "does",
    "done",
    "down",
    "each",
    "early",
    "enough",
    "error",
    "even",
    "ever",
    "every",
    "fail",
    "far",
    "few",
    "file",
    "find",
    "first",
    "fix",
    "for",
    "friday",
    "from",
    "get",
    "give",
    "going",
    "good",
    "great",
    "had",
    "half",
    "have",
    "hello",
    "help",
    "here",
    "home",
    "hour",
    "how",
    "idea",
    "if",
    "in",
    "into",
    "issue",
    "it",
    "just",
    "keep",
    "know",
    "last",
    "later",
    "least",
    "leave",
    "less",
    "let",
    "like",
    "line",
    "little",
    "long",
    "look",
    "lunch",
    "made",
    "make",
    "many",
    "maybe",
    "mean",
    "meeting",
    "merge",
    "might",
    "minute",
    "monday",
    "more",
    "morning",
    "most",
    "much",
    "must",
    "need",
    "never",
    "new",
    "next",
    "nice",
    "no",
    "not",
    "nothing",
    "now",
    "of",
    "office",
    "often",
    "okay",
    "old",
    "on",
    "once",
    "one",
    "only",
    "open",
    "or",
    "other",
    "our",
    "out",
    "over",
    "own",
    "part",
    "patch",
    "people",
    "place",
    "plan",
    "please",
    "point",
    "pull",
    "push",
    "put",
    "question",
    "quick",
    "quite",
    "read",
    "ready",
    "really",
    "release",
    "report",
    "request",
    "rest",
    "review",
    "right",
    "room",
    "run",
    "said",
    "same",
    "say",
    "second",
    "see",
    "seems",
    "send",
    "server",
    "set",
    "she",
    "should",
    "show",
    "side",
    "since",
    "slow",
    "small",
    "some",
    "soon",
    "sorry",
    "start",
    "still",
    "stop",
    "sure",
    "take",
    "talk",
    "team",
    "test",
    "than",
    "thanks",
    "that",
    "the",
    "their",
    "them",
    "then",
    "there",
    "these",
    "they",
    "thing",
    "think",
    "this",
    "those",
    "three",
    "time",
    "to",
    "today",
    "together",
    "tomorrow",
    "too",
    "try",
    "turn",
    "two",
    "under",
    "until",
    "up",
    "update",
    "use",
    "version",
    "very",
    "wait",
    "want",
    "was",
    "way",
    "we",
    "week",
    "well",
    "were",
    "what",
    "when",
    "where",
    "which",
    "while",
    "why",
    "will",
    "with",
    "without",
    "word",
    "work",
    "would",
    "write",
    "yes",
    "yesterday",
    "yet",
    "you",
    "your",
];
