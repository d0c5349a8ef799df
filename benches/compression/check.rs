//! What the clients do with the answers.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use anyhow::{Result, anyhow, ensure};
use zlib_rs::{Inflate, InflateFlush};

use bench_support::exchange::{Check, Exchange, Frames, RSV1};

/// Counts the messages of one connection and the bytes of all.
#[derive(Debug)]
pub(crate) struct CountingCheck {
    frames: Frames,
    received: Rc<Cell<u64>>,
    /// Only one connection of each server looks into its messages, so that the generator does not
    /// hold the servers up.
    contents: Option<Contents>,
}

/// The messages of a connection, inflated.
struct Contents {
    inflate: Inflate,
    is_compressed: bool,
    payload: Vec<u8>,
}

impl CountingCheck {
    /// Adds what is received to `received`, in bytes, and compares the messages if `compares`.
    pub(crate) fn new(received: Rc<Cell<u64>>, compares: bool) -> Self {
        let contents = compares.then(Contents::new);
        Self { frames: Frames::default(), received, contents }
    }
}

impl Check for CountingCheck {
    fn take(&mut self, exchange: &Exchange, mut bytes: &[u8]) -> Result<bool> {
        let length = u64::try_from(bytes.len())?;
        self.received.set(self.received.get() + length);
        let mut is_done = false;
        while let Some(piece) = self.frames.take(&mut bytes) {
            let is_end = piece.ends_message();
            if let Some(contents) = self.contents.as_mut().filter(|_| !piece.is_control()) {
                contents.add(piece.first, piece.payload);
                if is_end {
                    contents.compare(exchange.message())?;
                }
            }
            is_done |= is_end;
        }
        Ok(is_done)
    }
}

impl Contents {
    fn new() -> Self {
        let inflate = Inflate::new(false, 15);
        Self { inflate, is_compressed: false, payload: Vec::new() }
    }

    fn add(&mut self, first: u8, payload: &[u8]) {
        if self.payload.is_empty() {
            self.is_compressed = first & RSV1 != 0;
        }
        self.payload.extend(payload);
    }

    /// Compares the message that is whole now.
    fn compare(&mut self, sent: &[u8]) -> Result<()> {
        if self.is_compressed {
            self.payload.extend([0, 0, 0xFF, 0xFF]);
            self.payload = self.inflate(sent.len() + 1)?;
        }
        ensure!(self.payload == sent, "the echo differs");
        self.payload.clear();
        Ok(())
    }

    fn inflate(&mut self, most: usize) -> Result<Vec<u8>> {
        let mut plain = vec![0; most];
        let before = self.inflate.total_out();
        self.inflate
            .decompress(&self.payload, &mut plain, InflateFlush::SyncFlush)
            .map_err(|error| anyhow!("the echo cannot be inflated: {error:?}"))?;
        plain.truncate(usize::try_from(self.inflate.total_out() - before)?);
        Ok(plain)
    }
}

impl fmt::Debug for Contents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Contents").finish_non_exhaustive()
    }
}
