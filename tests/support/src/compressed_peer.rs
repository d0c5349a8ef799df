//! A raw client that compresses (RFC 7692), with zlib streams of its own.

use std::fmt;

use anyhow::{Context, Result, ensure};
use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush, Status};

use crate::raw_peer::{ACCEPT, RawPeer, TEXT, masked, masked_frame, request_with};

/// The bit of compressed messages, in the first byte of a frame.
pub const RSV1: u8 = 0x40;
/// The bit of the last frame of a message.
pub const FINAL: u8 = 0x80;

/// The two streams of an end: what it sends may refer to all that it has sent.
pub struct Streams {
    deflate: Deflate,
    inflate: Inflate,
    keeps_sent: bool,
    keeps_received: bool,
}

/// A raw client with compression.
#[derive(Debug)]
pub struct CompressedPeer {
    /// The connection.
    pub raw: RawPeer,
    /// The streams of this end.
    pub streams: Streams,
    /// The answer to its offer.
    pub agreed: String,
}

/// A message as it was received.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// The opcode.
    pub opcode: u8,
    /// Its first frame had RSV1.
    pub is_compressed: bool,
    /// The length of the payloads of its frames.
    pub length: usize,
    /// The number of its frames.
    pub frames: usize,
    /// The plain text.
    pub payload: Vec<u8>,
}

impl Streams {
    /// Makes streams for what both ends have agreed on.
    pub fn new(keeps_sent: bool, keeps_received: bool) -> Self {
        let (deflate, inflate) = (Deflate::new(6, false, 9), Inflate::new(false, 15));
        Self { deflate, inflate, keeps_sent, keeps_received }
    }

    /// Returns the payload of a message.
    pub fn compress(&mut self, message: &[u8]) -> Result<Vec<u8>> {
        if !self.keeps_sent {
            self.deflate.reset();
        }
        let mut output = vec![0; message.len() + message.len() / 8 + 100];
        let before = self.deflate.total_out();
        let status = self.deflate.compress(message, &mut output, DeflateFlush::SyncFlush);
        ensure!(status == Ok(Status::Ok), "{status:?}");
        output.truncate(usize::try_from(self.deflate.total_out() - before)?);
        ensure!(output.ends_with(&[0, 0, 0xFF, 0xFF]));
        output.truncate(output.len() - 4);
        Ok(output)
    }

    /// Returns the plain text of a payload.
    pub fn inflate(&mut self, payload: &[u8]) -> Result<Vec<u8>> {
        if !self.keeps_received {
            self.inflate.reset(false);
        }
        let input = [payload, &[0, 0, 0xFF, 0xFF]].concat();
        let (mut plain, mut rest) = (Vec::new(), &input[..]);
        loop {
            let mut output = vec![0; 65_536];
            let before = (self.inflate.total_in(), self.inflate.total_out());
            let outcome = self.inflate.decompress(rest, &mut output, InflateFlush::SyncFlush);
            ensure!(outcome.is_ok(), "{outcome:?} after {:?}", String::from_utf8_lossy(&plain));
            let consumed = usize::try_from(self.inflate.total_in() - before.0)?;
            let produced = usize::try_from(self.inflate.total_out() - before.1)?;
            rest = rest.get(consumed..).unwrap_or_default();
            plain.extend(output.get(..produced).unwrap_or_default());
            if rest.is_empty() && produced < output.len() {
                return Ok(plain);
            }
            ensure!(consumed + produced > 0, "{} bytes are left", rest.len());
        }
    }
}

impl CompressedPeer {
    /// Connects, offers this, and finishes the opening handshake.
    pub fn open(port: u16, offer: &str) -> Result<Self> {
        let mut raw = RawPeer::connect(port)?;
        raw.send(request_with(&format!("Sec-WebSocket-Extensions: {offer}\r\n")))?;
        let head = raw.read_head()?;
        ensure!(head.starts_with("HTTP/1.1 101 ") && head.contains(ACCEPT), "{head}");
        let answer = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
        let agreed = answer.with_context(|| head.clone())?.to_owned();
        let keeps = |end: &str| !agreed.contains(&format!("{end}_no_context_takeover"));
        let streams = Streams::new(keeps("client"), keeps("server"));
        Ok(Self { raw, streams, agreed })
    }

    /// Sends a text message compressed.
    pub fn send_text(&mut self, text: &str) -> Result<()> {
        let payload = self.streams.compress(text.as_bytes())?;
        self.raw.send(masked_frame(FINAL | RSV1 | TEXT, &payload))
    }

    /// Sends a text message as it is.
    pub fn send_plain(&mut self, text: &str) -> Result<()> {
        self.raw.send(masked(TEXT, text.as_bytes()))
    }

    /// Reads a message, or a control frame, and inflates it.
    pub fn read(&mut self) -> Result<Message> {
        let (first, mut payload) = self.raw.read_any_frame()?;
        let (mut frames, mut is_final) = (1, first & FINAL != 0);
        while !is_final {
            let (next, more) = self.raw.read_any_frame()?;
            ensure!(next & !FINAL == 0, "a frame with {next:#x} continues a message");
            payload.extend(more);
            (frames, is_final) = (frames + 1, next & FINAL != 0);
        }
        ensure!(first & 0x30 == 0, "other reserved bits in {first:#x}");
        let (is_compressed, length) = (first & RSV1 != 0, payload.len());
        let payload = if is_compressed { self.streams.inflate(&payload)? } else { payload };
        Ok(Message { opcode: first & 0x0F, is_compressed, length, frames, payload })
    }

    /// Reads a text message, which has to be this one, and returns whether it was compressed.
    pub fn expect_text(&mut self, text: &str) -> Result<bool> {
        let message = self.read()?;
        ensure!(message.opcode == TEXT && message.payload == text.as_bytes(), "{message:?} came");
        Ok(message.is_compressed)
    }

    /// Sends a text message compressed, and reads its echo, which has to be compressed.
    pub fn check_echo(&mut self, text: &str) -> Result<()> {
        self.send_text(text)?;
        ensure!(self.expect_text(text)?, "the echo of {text:?} was not compressed");
        Ok(())
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").finish_non_exhaustive()
    }
}

/// Returns a message of about so many bytes that compresses as chat messages do.
pub fn chat_message(number: usize, size: usize) -> String {
    let words = ["hello", "compressed", "window", "message", "the", "server", "of", "history", "a"];
    let mut text = format!("{{\"id\":{number},\"user\":\"user{}\",\"text\":\"", number % 7);
    let mut next = number.wrapping_mul(2_654_435_761);
    while text.len() + 10 < size {
        next = next.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        text.push_str(words[(next >> 16) % words.len()]);
        text.push(' ');
    }
    text + "\"}"
}

/// Returns a compressed message of so many MiB; each of them takes one KiB.
pub fn bomb(mib: usize) -> Result<Vec<u8>> {
    let part = Streams::new(false, false).compress(&vec![b'x'; 1 << 20])?;
    ensure!(part.len() < 1200, "{} bytes", part.len());
    Ok(vec![part; mib].join(&[0, 0, 0xFF, 0xFF][..]))
}
