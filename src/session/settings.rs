//! What few connections have, and most of those not for long.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::net::stream::options::SEND_BUFFER;
use crate::protocol::frames::limits::Limits;
use crate::session::Failure;
use crate::session::masking::MaskKeys;
use crate::session::output::backlog::Backlog;
use crate::session::output::level::LevelMonitor;
use crate::types::close_code::CloseCode;
use crate::types::error::Error;
use crate::types::output_policy::OutputPolicy;

/// Parts of a session that are allocated when they are needed: idle connections are many.
#[derive(Default)]
pub(super) struct Extra {
    /// The code and the reason with which the connection ends, once they are known.
    pub(super) close: Option<(CloseCode, Box<str>)>,
    /// The address that this end had, once the connection has ended.
    pub(super) local_address: Option<SocketAddr>,
    /// What answers the latest ping, once the peer takes output again.
    pub(super) pending_pong: Option<Box<[u8]>>,
    /// Why the connection shall end without a closing handshake.
    pub(super) failure: Option<Failure>,
    pub(super) settings: Settings,
    /// The driver has not seen the limits yet.
    pub(super) has_new_limits: bool,
    /// What masks frames instead of the usual random numbers.
    pub(super) mask_keys: Option<Box<MaskKeys>>,
    /// What waits behind the output of a peer that reads slowly.
    pub(super) backlog: Option<Box<Backlog>>,
    /// There is one once somebody has asked how much output waits.
    pub(super) level: Option<Box<LevelMonitor>>,
    /// Why messages that were sent were dropped with the connection, if any were.
    pub(super) loss: Option<Box<Error>>,
    /// How many messages such a peer has missed.
    pub(super) dropped_messages: u64,
    /// The kernel holds less unsent output than usual, until a keepalive ping has left.
    pub(super) has_unsent_ping: bool,
}

impl Extra {
    /// Returns whether the driver has to know something when it begins a turn.
    pub(super) fn has_changes(&self) -> bool {
        self.has_new_limits || self.failure.is_some()
    }

    /// Returns whether there may be something to tell at the end of a turn.
    pub(super) fn has_notices(&self) -> bool {
        self.level.is_some() || self.failure.is_some()
    }

    /// Keeps what was set, for another connection, and forgets what became of the last one.
    pub(super) fn without_past(self) -> Self {
        let Self { settings, mask_keys, level, .. } = self;
        // Who waits for room looks anew.
        let level = level.map(|_| Box::default());
        Self { settings, has_new_limits: true, mask_keys, level, ..Self::default() }
    }
}

/// What the owner of a socket may set.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    /// Messages that are longer are sent in several frames.
    pub(crate) outgoing_frame_size: NonZeroUsize,
    pub(crate) output: OutputSettings,
    /// How many bytes may wait for slots that are not called at once.
    pub(crate) receive_queue_limit: usize,
    pub(crate) timeouts: Timeouts,
    /// How much unsent output the kernel holds; `None` is the system's default.
    pub(crate) send_buffer: Option<usize>,
}

/// How long a connection waits for its peer; `None` is without end.
#[derive(Clone, Copy)]
pub(crate) struct Timeouts {
    /// For progress of the output.
    pub(crate) write: Option<Duration>,
    /// For the peer's close frame, since its last sign of life.
    pub(crate) closing: Option<Duration>,
}

/// What is done about a peer that reads slowly.
#[derive(Clone, Copy)]
pub(crate) struct OutputSettings {
    pub(crate) policy: OutputPolicy,
    /// How many bytes may wait.
    pub(crate) limit: usize,
    /// From how many bytes on those who send should wait.
    pub(crate) high_water_mark: usize,
}

impl OutputSettings {
    pub(super) const DEFAULT: Self =
        Self { policy: OutputPolicy::Close, limit: OUTPUT_LIMIT, high_water_mark: HIGH_WATER_MARK };
}

impl Timeouts {
    pub(super) const DEFAULT: Self =
        Self { write: Some(WRITE_TIMEOUT), closing: Some(CLOSING_TIMEOUT) };
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            outgoing_frame_size: OUTGOING_FRAME_SIZE,
            output: OutputSettings::DEFAULT,
            timeouts: Timeouts::DEFAULT,
            send_buffer: Some(SEND_BUFFER),
            receive_queue_limit: RECEIVE_QUEUE_LIMIT,
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
/// Enough to keep another thread busy until more was read; a longer queue would delay other sockets.
const RECEIVE_QUEUE_LIMIT: usize = 128 * 1024;
/// More than any message that is received by default.
pub(super) const OUTPUT_LIMIT: usize = 16 * 1024 * 1024;
