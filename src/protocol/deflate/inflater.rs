//! Inflates the messages that a peer has compressed (RFC 7692 §7.2.2).

use std::fmt;

use zlib_rs::{Inflate, InflateError, InflateFlush, Status};

use crate::protocol::frames::violation::Violation;

/// The inflater of a thread, for all its connections.
///
/// Between two messages it holds nothing of theirs.
pub(crate) struct Inflater {
    /// Of the maximum window: it follows any peer.
    engine: Inflate,
}

/// The outcome of one step of the engine.
struct Step {
    consumed: usize,
    produced: usize,
    has_ended: bool,
    /// The output was filled, so that more of it may be pending.
    is_full: bool,
}

impl Inflater {
    /// Appends the plain text of the message `data` to `plain`, which is empty.
    ///
    /// `history` is the plain text of the messages before it to which it may refer.
    ///
    /// # Errors
    ///
    /// When the data is broken or breaks off, or the plain text has more than `most` bytes.
    pub(crate) fn inflate(
        &mut self,
        data: &[u8],
        history: &[u8],
        most: usize,
        plain: &mut Vec<u8>,
    ) -> Result<(), Violation> {
        self.begin(history, plain)?;
        let mut rest = data;
        let mut final_blocks = 0;
        loop {
            let step = self.step(rest, most, plain)?;
            rest = rest.get(step.consumed..).unwrap_or_default();
            if step.has_ended && rest.is_empty() {
                return Ok(());
            }
            if step.has_ended {
                // RFC 7692 §7.2.3.4: a final block ends the compressed data, but not the message.
                final_blocks += 1;
                if final_blocks > MAX_FINAL_BLOCKS {
                    return Err(Violation::INVALID_DEFLATE);
                }
                self.begin(history, plain)?;
            } else if rest.is_empty() && !step.is_full {
                return self.check_end();
            } else if step.consumed == 0 && step.produced == 0 {
                return Err(Violation::INVALID_DEFLATE);
            }
        }
    }

    /// Begins compressed data that refers to `history`, and to the message so far.
    fn begin(&mut self, history: &[u8], plain: &[u8]) -> Result<(), Violation> {
        self.engine.reset(false);
        for text in [history, plain] {
            let last = text.get(text.len().saturating_sub(1 << MAX_WINDOW)..).unwrap_or_default();
            if !last.is_empty() {
                self.engine.set_dictionary(last).map_err(broken)?;
            }
        }
        Ok(())
    }

    /// Inflates as much as one slice of output takes.
    fn step(&mut self, input: &[u8], most: usize, plain: &mut Vec<u8>) -> Result<Step, Violation> {
        let (start, before) = (plain.len(), self.engine.total_in());
        let room =
            if start == 0 { first_slice(input.len()) } else { start.clamp(MIN_SLICE, MAX_SLICE) };
        let room = room.min((most - start).saturating_add(1));
        make_room(plain, room, most);
        let output = plain.get_mut(start..).unwrap_or_default();
        let total = self.engine.total_out();

        let status =
            self.engine.decompress(input, output, InflateFlush::NoFlush).map_err(broken)?;
        let consumed = count(self.engine.total_in() - before);
        let produced = count(self.engine.total_out() - total);
        plain.truncate(start + produced);
        if plain.len() > most {
            return Err(Violation::MESSAGE_TOO_BIG);
        }
        let (has_ended, is_full) = (status == Status::StreamEnd, produced == room);
        Ok(Step { consumed, produced, has_ended, is_full })
    }

    /// Detects a message that breaks off.
    ///
    /// The four bytes that the sender has removed are an empty block without output. At their end,
    /// and only there, an empty final block may follow.
    fn check_end(&mut self) -> Result<(), Violation> {
        let mut output = [0];
        let total = (self.engine.total_in(), self.engine.total_out());
        let flush = InflateFlush::NoFlush;
        let status = self.engine.decompress(&END, &mut output, flush).map_err(broken)?;

        let consumed = count(self.engine.total_in() - total.0);
        let is_whole = status == Status::StreamEnd
            && consumed == END.len()
            && self.engine.total_out() == total.1;
        if is_whole { Ok(()) } else { Err(Violation::INVALID_DEFLATE) }
    }
}

impl Default for Inflater {
    fn default() -> Self {
        Self { engine: Inflate::new(false, MAX_WINDOW) }
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").finish_non_exhaustive()
    }
}

/// Returns the size of the first slice of output, in bytes, for so much data.
pub(crate) fn first_slice(data: usize) -> usize {
    data.saturating_mul(USUAL_RATIO).clamp(MIN_SLICE, MAX_SLICE)
}

/// Adds `room` zeros to `plain`, which never takes more than it may have.
///
/// Its memory doubles, so that many slices cost linear time.
fn make_room(plain: &mut Vec<u8>, room: usize, most: usize) {
    let needed = plain.len() + room;
    if needed > plain.capacity() {
        let doubled = plain.capacity().saturating_mul(2).min(most.saturating_add(1)).max(needed);
        plain.reserve_exact(doubled - plain.len());
    }
    plain.resize(needed, 0);
}

fn broken(_: InflateError) -> Violation {
    // RFC 6455 §7.4.1: data that is not consistent with the type of the message.
    Violation::INVALID_DEFLATE
}

fn count(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// The bytes that the sender has removed, and an empty final block.
///
/// RFC 7692 §7.2.1 and §7.2.2.
const END: [u8; 6] = [0, 0, 0xFF, 0xFF, 3, 0];
/// The bits of the maximum window.
const MAX_WINDOW: u8 = 15;
/// The final blocks of a message: each one costs as much as its history is long.
const MAX_FINAL_BLOCKS: u32 = 128;
/// Text has that much more bytes than its compressed form, often.
const USUAL_RATIO: usize = 4;
const MIN_SLICE: usize = 1024;
const MAX_SLICE: usize = 64 * 1024;
