//! Compresses the messages to send (RFC 7692 §7.2.1).

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush};

use crate::protocol::deflate::short_compressor::ShortCompressor;
use crate::types::compression::CompressionLevel;

/// The compressors of a thread: one for each window, and one for short messages.
///
/// They serve all its connections, and a message does not depend on the one before.
#[derive(Default)]
pub(crate) struct Compressors {
    by_window: [Option<Deflate>; WINDOWS],
    short: Option<Box<ShortCompressor>>,
}

/// The way in which a message is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Effort {
    /// The bits of the window; from 9 on.
    window: u8,
    /// zlib's level.
    level: u8,
}

impl Compressors {
    /// Compresses a message into `output`, and returns whether that is shorter.
    ///
    /// It is as it is sent. The message may refer to `history`, which its receiver has.
    pub(crate) fn compress(
        &mut self,
        effort: Effort,
        history: &[u8],
        message: &[u8],
        output: &mut Vec<u8>,
    ) -> bool {
        // zlib returns an error for an empty message behind another one.
        if message.is_empty() {
            return false;
        }
        let place = usize::from(effort.window).checked_sub(MIN_WINDOW);
        let Some(slot) = place.and_then(|place| self.by_window.get_mut(place)) else {
            return false;
        };
        if effort.level == FAST && message.len() < SHORT {
            let farthest = 1 << effort.window;
            let short = self.short.get_or_insert_default();
            short.compress(farthest, history, message, output);
            return output.len() < message.len();
        }
        let Some(length) = run(slot, effort, history, message, output) else {
            // It may not be used again: `reset` drops the output that waits inside, but not its place.
            *slot = None;
            return false;
        };
        let length = length.saturating_sub(REMOVED);
        output.truncate(length);
        length < message.len()
    }
}

#[cfg(test)]
impl Compressors {
    /// Returns whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_zlib() && self.short.is_none()
    }

    /// Returns whether there is one of zlib, which takes much memory.
    pub(crate) fn has_zlib(&self) -> bool {
        self.by_window.iter().any(Option::is_some)
    }
}

impl Effort {
    /// The bits of their window.
    pub(crate) const SHARED_WINDOW: u8 = 12;

    /// Returns the effort for a message of many clients, of so many bytes.
    pub(crate) const fn shared(message: usize) -> Self {
        Self::of(Self::SHARED_WINDOW, CompressionLevel::Balanced, message, false)
    }

    /// Returns the effort for a message of so many bytes.
    pub(crate) const fn of(
        window: u8,
        level: CompressionLevel,
        message: usize,
        has_history: bool,
    ) -> Self {
        let level = match level {
            CompressionLevel::Fast => FAST,
            CompressionLevel::Small => SMALL,
            CompressionLevel::Balanced if message > LONG => FAST,
            CompressionLevel::Balanced if has_history && message < SHORT => FAST,
            CompressionLevel::Balanced if has_history && message <= MEDIUM => SMALL,
            CompressionLevel::Balanced => BALANCED,
        };
        Self { window, level }
    }
}

/// Compresses a message for one window, and returns the length of the data.
///
/// The compressor is made when it is needed, and reset for each message.
fn run(
    slot: &mut Option<Deflate>,
    Effort { window, level }: Effort,
    history: &[u8],
    message: &[u8],
    output: &mut Vec<u8>,
) -> Option<usize> {
    let (window_bits, level) = (-i32::from(window), i32::from(level));
    let engine = match slot {
        Some(engine) => {
            engine.reset();
            engine.set_level(level).ok()?;
            engine
        }
        None => slot.insert(Deflate::new_with_config(DeflateConfig {
            window_bits,
            level,
            ..DeflateConfig::default()
        })),
    };
    if !history.is_empty() {
        engine.set_dictionary(history).ok()?;
    }
    output.resize(most_output(message.len()), 0);
    engine.compress(message, output, DeflateFlush::SyncFlush).ok()?;
    // Output that is full may have no end.
    let length = usize::try_from(engine.total_out()).ok()?;
    let is_whole = length < output.len() && engine.total_in() == message.len() as u64;
    is_whole.then_some(length)
}

/// Returns more than a message of so many bytes ever becomes.
///
/// That is 9 bits for each byte, and the headers of the blocks.
const fn most_output(message: usize) -> usize {
    message + message / 8 + 64
}

/// Returns how much history is worth loading for a message, in bytes.
///
/// Loading costs time in proportion; a longer message gains more.
pub(crate) const fn worthwhile_history(message: usize) -> usize {
    let proportional = message.saturating_mul(8);
    if proportional > MIN_HISTORY { proportional } else { MIN_HISTORY }
}

const FAST: u8 = 1;
const BALANCED: u8 = 3;
const SMALL: u8 = 6;
/// Longer messages are compressed at the fast level, in bytes.
const LONG: usize = 64 * 1024;
/// Shorter ones too, where there is a history; zlib would take longer for them.
const SHORT: usize = 512;
/// The size up to which more effort with a history pays, in bytes.
///
/// At 1 KiB it is 2 % fewer bytes for 5 % of the rate.
const MEDIUM: usize = 4 * 1024;
const MIN_HISTORY: usize = 512;
/// The end `00 00 FF FF` of the data is not sent (RFC 7692 §7.2.1).
const REMOVED: usize = 4;
/// The bits of the smallest window: zlib has none of 8 bits.
const MIN_WINDOW: usize = 9;
/// 9 to 15 bits.
const WINDOWS: usize = 7;
