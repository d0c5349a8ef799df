//! The least that a server with permessage-deflate does beside the kernel (RFC 7692).
//!
//! One compressor and one inflater serve all clients, with the bytes that a client has been sent
//! last as their history. Messages come whole, and are not checked.

use anyhow::{Context, Result, anyhow};
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush};

pub(crate) struct Compression {
    inflate: Inflate,
    deflate: Deflate,
    history: usize,
    plain: Vec<u8>,
    frame: Vec<u8>,
}

impl Compression {
    /// Reads `HISTORY LEVEL` behind `--deflate`: bytes, and zlib's level.
    pub(crate) fn from_arguments() -> Result<Option<Self>> {
        let mut arguments = std::env::args().skip_while(|argument| argument != "--deflate");
        if arguments.next().is_none() {
            return Ok(None);
        }
        let mut number = || arguments.next().context("--deflate takes HISTORY LEVEL");
        let (history, level) = (number()?.parse()?, number()?.parse()?);
        let window_bits = -WINDOW_BITS;
        let config = DeflateConfig { window_bits, level, ..DeflateConfig::default() };
        Ok(Some(Self {
            inflate: Inflate::new(false, 15),
            deflate: Deflate::new_with_config(config),
            history,
            plain: vec![0; LARGEST],
            frame: vec![0; LARGEST],
        }))
    }

    /// Returns the parameters of the answer to an offer.
    pub(crate) fn parameters(&self) -> String {
        let none = if self.history == 0 { "; server_no_context_takeover" } else { "" };
        format!(
            "permessage-deflate; client_no_context_takeover; server_max_window_bits={WINDOW_BITS}{none}"
        )
    }

    /// Returns the frame that answers a compressed message, whose data has its end.
    pub(crate) fn echo(&mut self, payload: &[u8], history: &mut Vec<u8>) -> Result<&[u8]> {
        let failed = |error: &dyn std::fmt::Debug| anyhow!("{error:?}");
        self.inflate.reset(false);
        let flush = InflateFlush::SyncFlush;
        self.inflate.decompress(payload, &mut self.plain, flush).map_err(|error| failed(&error))?;
        let message = &self.plain[..usize::try_from(self.inflate.total_out())?];

        self.deflate.reset();
        if !history.is_empty() {
            self.deflate.set_dictionary(history).map_err(|error| failed(&error))?;
        }
        let output = &mut self.frame[HEADER..];
        self.deflate
            .compress(message, output, DeflateFlush::SyncFlush)
            .map_err(|error| failed(&error))?;
        let length = usize::try_from(self.deflate.total_out())? - END.len();
        remember(message, self.history, history);

        let start = match length {
            0..126 => {
                self.frame[HEADER - 2..HEADER].copy_from_slice(&[FIRST, u8::try_from(length)?]);
                HEADER - 2
            }
            _ => {
                let [high, low] = u16::try_from(length)?.to_be_bytes();
                self.frame[..HEADER].copy_from_slice(&[FIRST, 126, high, low]);
                0
            }
        };
        Ok(&self.frame[start..HEADER + length])
    }
}

/// Keeps the last `size` bytes that were sent.
fn remember(message: &[u8], size: usize, history: &mut Vec<u8>) {
    let message = &message[message.len().saturating_sub(size)..];
    let too_many = (history.len() + message.len()).saturating_sub(size);
    history.drain(..too_many);
    history.extend_from_slice(message);
}

/// What the data of a message ends with, and what is not sent of it (RFC 7692 §7.2.1).
pub(crate) const END: [u8; 4] = [0, 0, 0xFF, 0xFF];
/// FIN, RSV1 and the opcode of a text (RFC 6455 §5.2).
pub(crate) const FIRST: u8 = 0xC1;
const WINDOW_BITS: i32 = 12;
/// The longest header of a frame of this server, in bytes.
const HEADER: usize = 4;
const LARGEST: usize = 64 << 10;
