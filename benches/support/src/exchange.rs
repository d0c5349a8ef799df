//! The messages that a client sends at once, and the check of their echoes.

use std::iter;

use anyhow::{Result, ensure};

/// Some messages, masked and framed beforehand.
#[derive(Debug)]
pub struct Exchange {
    opcode: u8,
    request: Vec<u8>,
    messages: Vec<Vec<u8>>,
}

impl Exchange {
    /// Makes `deep` messages of `size` bytes; no two are alike, nor those of another `seed`.
    pub fn new(seed: u32, size: usize, deep: usize, is_text: bool) -> Result<Self> {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9) | 1);
        let opcode = if is_text { TEXT } else { BINARY };
        let (mut request, mut messages) = (Vec::new(), Vec::new());
        for _ in 0..deep {
            let message: Vec<u8> = (0..size).map(|_| b' ' + random.next_byte() % 95).collect();
            append_frame(&mut request, opcode, &message, random.next_key())?;
            messages.push(message);
        }
        Ok(Self { opcode, request, messages })
    }

    /// Returns the frames of all messages.
    pub fn request(&self) -> &[u8] {
        &self.request
    }
}

/// Follows the frames of the answer: a server may split a message into several.
#[derive(Debug, Default)]
pub struct Check {
    header: Vec<u8>,
    /// The bytes of the frame that have not been received.
    left: usize,
    is_control: bool,
    is_final: bool,
    /// The count of complete messages, and the bytes of the next one.
    complete: usize,
    offset: usize,
}

impl Check {
    /// Compares received bytes with the next ones; returns whether all of `exchange` is back.
    pub fn compare(&mut self, exchange: &Exchange, mut bytes: &[u8]) -> Result<bool> {
        while !bytes.is_empty() {
            if self.left == 0 {
                bytes = self.begin_frame(exchange, bytes)?;
            }
            let length = self.left.min(bytes.len());
            let (part, rest) = bytes.split_at(length);
            bytes = rest;
            self.left -= length;
            if !self.is_control {
                self.compare_payload(exchange, part)?;
            }
        }
        let is_done = self.complete == exchange.messages.len();
        if is_done {
            self.complete = 0;
        }
        Ok(is_done)
    }

    /// Takes the header, as far as it is there, and returns what follows it.
    fn begin_frame<'a>(&mut self, exchange: &Exchange, bytes: &'a [u8]) -> Result<&'a [u8]> {
        let mut taken = 0;
        while let Some(&byte) = bytes.get(taken) {
            self.header.push(byte);
            taken += 1;
            if let Some(length) = payload_length(&self.header) {
                self.left = length;
                self.check_header(exchange)?;
                self.header.clear();
                break;
            }
        }
        Ok(bytes.get(taken..).unwrap_or_default())
    }

    fn check_header(&mut self, exchange: &Exchange) -> Result<()> {
        let first = self.header.first().copied().unwrap_or_default();
        self.is_control = first & 0x08 != 0;
        if self.is_control {
            // A server may ping; nothing else is due.
            ensure!(first == PING, "a control frame: {first:#x}");
            return Ok(());
        }
        self.is_final = first & FIN != 0;
        let expected = if self.offset == 0 { exchange.opcode } else { CONTINUATION };
        ensure!(first & !FIN == expected, "the frame begins with {first:#x}");
        Ok(())
    }

    fn compare_payload(&mut self, exchange: &Exchange, part: &[u8]) -> Result<()> {
        let end = self.offset + part.len();
        let message = exchange.messages.get(self.complete);
        let due = message.and_then(|message| message.get(self.offset..end));
        ensure!(due == Some(part), "the echo differs");
        self.offset = end;
        if self.left == 0 && self.is_final && self.header.is_empty() {
            ensure!(message.is_some_and(|message| message.len() == end), "the echo is too short");
            self.complete += 1;
            self.offset = 0;
        }
        Ok(())
    }
}

/// Returns the length of the payload, once the header is whole.
fn payload_length(header: &[u8]) -> Option<usize> {
    let (length, rest) = header.split_at_checked(2)?;
    match *length.get(1)? {
        SHORT => Some(usize::from(u16::from_be_bytes(rest.try_into().ok()?))),
        LONG => usize::try_from(u64::from_be_bytes(rest.try_into().ok()?)).ok(),
        length => Some(usize::from(length)),
    }
}

/// Appends a masked frame with a whole message.
pub fn append_frame(frames: &mut Vec<u8>, opcode: u8, payload: &[u8], key: [u8; 4]) -> Result<()> {
    frames.push(FIN | opcode);
    match payload.len() {
        length @ 0..=125 => frames.push(MASKED | u8::try_from(length)?),
        length @ 126..=0xFFFF => {
            frames.push(MASKED | SHORT);
            frames.extend(u16::try_from(length)?.to_be_bytes());
        }
        length => {
            frames.push(MASKED | LONG);
            frames.extend(u64::try_from(length)?.to_be_bytes());
        }
    }
    frames.extend(key);
    frames.extend(iter::zip(payload, key.iter().cycle()).map(|(byte, key)| byte ^ key));
    Ok(())
}

/// Marsaglia's xorshift: any bytes will do, as long as they are the same in each run.
struct Random(u32);

impl Random {
    fn next_key(&mut self) -> [u8; 4] {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0.to_be_bytes()
    }

    fn next_byte(&mut self) -> u8 {
        let [byte, ..] = self.next_key();
        byte
    }
}

/// The FIN bit of a frame (RFC 6455 §5.2, as the others).
pub const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
/// Instead of a length: two bytes of it follow.
const SHORT: u8 = 126;
/// Instead of a length: eight bytes of it follow.
const LONG: u8 = 127;
const CONTINUATION: u8 = 0x0;
/// The opcode of a text frame.
pub const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const PING: u8 = FIN | 0x9;
