//! The messages that one client receives: those of all others, whole and in order.

use std::mem;

use anyhow::{Context, Result, ensure};

use bench_support::exchange::{FIN, TEXT};

/// The messages that one client hears.
pub(crate) struct Hearing {
    /// The beginning of a frame that has not been received to its end.
    partial: Vec<u8>,
    /// How many messages each speaker was heard with.
    counts: Vec<u32>,
}

impl Hearing {
    pub(crate) fn new(speakers: usize) -> Self {
        Self { partial: Vec::new(), counts: vec![0; speakers] }
    }

    /// Takes received bytes, and calls `heard` with the speaker of each message that is whole.
    pub(crate) fn take(&mut self, mut bytes: &[u8], mut heard: impl FnMut(usize)) -> Result<()> {
        if !self.partial.is_empty() {
            let missing = (FRAME - self.partial.len()).min(bytes.len());
            let (part, rest) = bytes.split_at(missing);
            self.partial.extend(part);
            bytes = rest;
            if self.partial.len() == FRAME {
                let frame = mem::take(&mut self.partial);
                heard(self.check(&frame)?);
            }
        }
        let mut frames = bytes.chunks_exact(FRAME);
        for frame in &mut frames {
            heard(self.check(frame)?);
        }
        self.partial.extend(frames.remainder());
        Ok(())
    }

    /// Returns the speaker of a frame, if it is the one that is due.
    fn check(&mut self, frame: &[u8]) -> Result<usize> {
        let (header, message) = frame.split_at(2);
        ensure!(header == [FIN | TEXT, LENGTH], "a frame begins with {header:?}");
        let (speaker, rest) = str::from_utf8(message)?.split_at(4);
        let (number, text) = rest.split_at(8);
        ensure!(text == SAYING, "somebody said {}", message.escape_ascii());
        let speaker = speaker.parse()?;
        let count = self.counts.get_mut(speaker).context("nobody of this number speaks")?;
        ensure!(number.parse() == Ok(*count), "speaker {speaker} is not heard in order");
        *count += 1;
        Ok(speaker)
    }
}

/// Returns what a speaker says.
pub(crate) fn message(speaker: usize, number: u32) -> String {
    format!("{speaker:04}{number:08}{SAYING}")
}

/// What a speaker says behind its number and that of the message, as a line in a chat.
const SAYING: &str = ": shall we eat at noon?";
const LENGTH: u8 = 35;
const FRAME: usize = 2 + LENGTH as usize;
