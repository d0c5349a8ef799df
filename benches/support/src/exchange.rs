//! The messages that a client sends at once, and the check of their echoes.

use std::fmt::Debug;
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
        let mut random = Random::new(seed);
        let opcode = if is_text { TEXT } else { BINARY };
        let (mut request, mut messages) = (Vec::new(), Vec::new());
        for _ in 0..deep {
            let message: Vec<u8> = (0..size).map(|_| b' ' + random.next_byte() % 95).collect();
            append_frame(&mut request, opcode, &message, random.next_key())?;
            messages.push(message);
        }
        Ok(Self { opcode, request, messages })
    }

    /// Makes one text message, of which the payload of the frame is `payload`.
    ///
    /// `rsv` has the reserved bits of the frame's first byte, such as [`RSV1`].
    pub fn of_text(text: Vec<u8>, rsv: u8, payload: &[u8], seed: u32) -> Result<Self> {
        let mut request = Vec::new();
        let key = Random::new(seed).next_key();
        append_frame(&mut request, TEXT | rsv, payload, key)?;
        Ok(Self { opcode: TEXT, request, messages: vec![text] })
    }

    /// Returns the first message.
    pub fn message(&self) -> &[u8] {
        self.messages.first().map_or(&[], Vec::as_slice)
    }

    /// Returns the frames of all messages.
    pub fn request(&self) -> &[u8] {
        &self.request
    }
}

/// Checks what a server sends back.
pub trait Check: Debug {
    /// Takes received bytes; returns whether all of `exchange` is back.
    fn take(&mut self, exchange: &Exchange, bytes: &[u8]) -> Result<bool>;
}

/// Compares echoes with what was sent: a server may split a message into several frames.
#[derive(Debug, Default)]
pub struct EchoCheck {
    frames: Frames,
    /// The count of complete messages, and the bytes of the next one.
    complete: usize,
    offset: usize,
}

impl Check for EchoCheck {
    fn take(&mut self, exchange: &Exchange, mut bytes: &[u8]) -> Result<bool> {
        while let Some(piece) = self.frames.take(&mut bytes) {
            if piece.begins {
                self.check_header(exchange, piece.first)?;
            }
            if !piece.is_control() {
                self.compare_payload(exchange, &piece)?;
            }
        }
        let is_done = self.complete == exchange.messages.len();
        if is_done {
            self.complete = 0;
        }
        Ok(is_done)
    }
}

impl EchoCheck {
    fn check_header(&self, exchange: &Exchange, first: u8) -> Result<()> {
        if first & CONTROL != 0 {
            // A server may ping; nothing else is due.
            ensure!(first == PING, "a control frame: {first:#x}");
            return Ok(());
        }
        let expected = if self.offset == 0 { exchange.opcode } else { CONTINUATION };
        ensure!(first & !FIN == expected, "the frame begins with {first:#x}");
        Ok(())
    }

    fn compare_payload(&mut self, exchange: &Exchange, piece: &Piece<'_>) -> Result<()> {
        let end = self.offset + piece.payload.len();
        let message = exchange.messages.get(self.complete);
        let due = message.and_then(|message| message.get(self.offset..end));
        ensure!(due == Some(piece.payload), "the echo differs");
        self.offset = end;
        if piece.ends_message() {
            ensure!(message.is_some_and(|message| message.len() == end), "the echo is too short");
            self.complete += 1;
            self.offset = 0;
        }
        Ok(())
    }
}

/// Takes frames apart as they arrive.
#[derive(Debug, Default)]
pub struct Frames {
    header: Vec<u8>,
    first: u8,
    /// The bytes of the payload that have not been received.
    left: usize,
}

/// A part of a frame, or all of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Piece<'a> {
    /// The first byte of the frame's header.
    pub first: u8,
    /// Whether the frame begins here.
    pub begins: bool,
    /// Some of its payload.
    pub payload: &'a [u8],
    /// Whether the frame ends here.
    pub ends: bool,
}

impl Frames {
    /// Takes the next piece of `bytes`; `None` when nothing or less than a header is left.
    pub fn take<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<Piece<'a>> {
        let begins = self.left == 0;
        if begins {
            self.read_header(bytes)?;
        }
        let (payload, rest) = bytes.split_at(self.left.min(bytes.len()));
        if payload.is_empty() && self.left > 0 && !begins {
            return None;
        }
        *bytes = rest;
        self.left -= payload.len();
        Some(Piece { first: self.first, begins, payload, ends: self.left == 0 })
    }

    /// Takes the header, as far as it is there; `None` until it is whole.
    fn read_header(&mut self, bytes: &mut &[u8]) -> Option<()> {
        loop {
            let (&byte, rest) = bytes.split_first()?;
            *bytes = rest;
            self.header.push(byte);
            if let Some(length) = payload_length(&self.header) {
                self.left = length;
                self.first = self.header.first().copied().unwrap_or_default();
                self.header.clear();
                return Some(());
            }
        }
    }
}

impl Piece<'_> {
    /// Returns whether the frame is a control frame.
    pub const fn is_control(&self) -> bool {
        self.first & CONTROL != 0
    }

    /// Returns whether a message ends with it.
    pub const fn ends_message(&self) -> bool {
        self.ends && self.first & FIN != 0 && !self.is_control()
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
#[derive(Debug)]
pub struct Random(u32);

impl Random {
    /// Begins anew; another seed gives other numbers.
    pub const fn new(seed: u32) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9) | 1)
    }

    /// Returns an index below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        let number = u32::from_be_bytes(self.next_key());
        usize::try_from(number).unwrap_or_default() % count
    }

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
/// The first reserved bit: of a compressed message in RFC 7692 §6.
pub const RSV1: u8 = 0x40;
/// The bit of an opcode that control frames have.
const CONTROL: u8 = 0x08;
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
