//! The settings of a connection, and their defaults.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::net::stream::options::SEND_BUFFER;
use crate::protocol::frames::limits::Limits;
use crate::session::rate_meter::Rates;
use crate::types::output::OutputPolicy;

/// The settings that a program may change.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) rates: Rates,
    /// Longer messages are sent fragmented.
    pub(crate) outgoing_frame_size: NonZeroUsize,
    pub(crate) output: OutputSettings,
    /// The limit of messages that wait for slots not called directly, in bytes.
    pub(crate) receive_queue_limit: usize,
    pub(crate) timeouts: Timeouts,
    /// The limit of unsent output in the kernel, in bytes; `None` is the system's.
    pub(crate) send_buffer: Option<usize>,
    /// Messages are compressed where that was agreed on.
    #[cfg(feature = "compression")]
    pub(crate) compresses: bool,
}

/// How long a connection waits for its peer; `None` is without a limit.
#[derive(Clone, Copy)]
pub(crate) struct Timeouts {
    /// For progress of the output.
    pub(crate) write: Option<Duration>,
    /// For the peer's close frame, since its last sign of life.
    pub(crate) closing: Option<Duration>,
}

/// The back-pressure settings.
#[derive(Clone, Copy)]
pub(crate) struct OutputSettings {
    pub(crate) policy: OutputPolicy,
    /// The limit of waiting output, in bytes.
    pub(crate) limit: usize,
    /// The high-water mark of waiting output, in bytes.
    pub(crate) high_water_mark: usize,
}

impl OutputSettings {
    pub(super) const DEFAULT: Self =
        Self { policy: OutputPolicy::Close, limit: OUTPUT_LIMIT, high_water_mark: HIGH_WATER_MARK };
}

impl Timeouts {
    const DEFAULT: Self = Self { write: Some(WRITE_TIMEOUT), closing: Some(CLOSING_TIMEOUT) };
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            rates: Rates::default(),
            outgoing_frame_size: OUTGOING_FRAME_SIZE,
            output: OutputSettings::DEFAULT,
            timeouts: Timeouts::DEFAULT,
            send_buffer: Some(SEND_BUFFER),
            receive_queue_limit: RECEIVE_QUEUE_LIMIT,
            #[cfg(feature = "compression")]
            compresses: true,
        }
    }
}

/// Qt's default: 512 KiB.
pub(super) const OUTGOING_FRAME_SIZE: NonZeroUsize = NonZeroUsize::new(512 * 1024).unwrap();
/// What a fast network takes within some milliseconds.
const HIGH_WATER_MARK: usize = 1024 * 1024;
/// A program that is debugged, or a page in the background, is not dead.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
const CLOSING_TIMEOUT: Duration = Duration::from_secs(10);
/// Enough to keep another thread busy until more was read.
///
/// A longer queue would delay other sockets.
const RECEIVE_QUEUE_LIMIT: usize = 128 * 1024;
/// More than any message that is received by default.
pub(super) const OUTPUT_LIMIT: usize = 16 * 1024 * 1024;
