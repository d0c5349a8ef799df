//! The state of a connection, which handles and driver share behind one lock.
//!
//! Only data and its accessors are here; what acts on it is in the files of the features.

use std::mem;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::Waker;

use crate::net::stream::Stream;
use crate::protocol::frames::limits::Limits;
use crate::session::attached::Attached;
use crate::session::idle::{IdleChecks, Unconfirmed};
use crate::session::mask_keys::MaskKeys;
use crate::session::output::backlog::Backlog;
use crate::session::output::cork_buffer;
use crate::session::output::level::LevelMonitor;
use crate::session::output::queue::OutputQueue;
use crate::session::rate_meter::RateMeter;
use crate::session::settings::{OUTGOING_FRAME_SIZE, OutputSettings, Settings};
use crate::session::traffic::Traffic;
use crate::types::close_code::CloseCode;
use crate::types::error::Error;
use crate::types::peer_credentials::PeerCredentials;
use crate::types::role::Role;

/// The state of a connection.
pub(super) struct State {
    /// `None` before the opening handshake is done and once the connection has ended.
    pub(super) stream: Option<Stream>,
    pub(super) queue: OutputQueue,
    pub(super) extra: Attached<Extra>,
    pub(super) phase: Phase,
    pub(super) cork: Cork,
    /// The driver was woken and has not run yet, or has to run again after its turn.
    pub(super) is_woken: bool,
    /// Bytes that were written outside the driver's turns and not reported yet.
    pub(super) unreported: u32,
    /// Messages that were queued and are not counted in the server's traffic yet.
    pub(super) uncounted: u16,
    pub(super) sending: Sending,
    pub(super) idle: IdleChecks,
    pub(super) unconfirmed: Unconfirmed,
    pub(super) role: Role,
}

/// The part of the state that few connections need, allocated on first use.
#[derive(Default)]
pub(super) struct Extra {
    /// The code and the reason with which the connection ends, once they are known.
    pub(super) close: Option<(CloseCode, Box<str>)>,
    /// The system's data of the connection, once it has ended.
    pub(super) kept: Option<Kept>,
    /// The stream of a server's connection, while its end is reported.
    ///
    /// Its address is looked up only when it is asked for, or when a handle remains.
    pub(super) ended_stream: Option<Stream>,
    /// The payload of the latest ping, to be answered once the peer takes output again.
    pub(super) pending_pong: Option<Box<[u8]>>,
    /// Set when the connection is to end without a closing handshake.
    pub(super) failure: Option<Failure>,
    pub(super) settings: Settings,
    /// Present while what is read has a maximum rate.
    pub(super) rate_meter: Option<Box<RateMeter>>,
    /// The limits have changed since the driver's last turn.
    pub(super) has_new_limits: bool,
    /// Keys of the program's mask generator, instead of random ones.
    pub(super) mask_keys: Option<Box<MaskKeys>>,
    /// Messages behind the output queue of a slow peer.
    pub(super) backlog: Option<Box<Backlog>>,
    /// Present once the output level is watched.
    pub(super) level: Option<Box<LevelMonitor>>,
    /// The error with which messages were dropped at the end, if any were.
    pub(super) loss: Option<Box<Error>>,
    /// Counts the messages that the output policy has dropped.
    pub(super) dropped_messages: u64,
    /// Counts those of all connections of the server as well.
    pub(super) dropped_in_server: Option<Arc<AtomicU64>>,
    /// What `uncounted` could not hold.
    pub(super) more_uncounted: u64,
    /// Counts the messages that a later one with the same key has replaced.
    pub(super) conflated_messages: u64,
    /// A keepalive ping waits: the kernel holds less unsent output than usual.
    pub(super) has_unsent_ping: bool,
    /// Another connection is opened after the end of this one.
    pub(super) has_successor: bool,
}

/// Data of an ended connection that only the system has had.
pub(super) enum Kept {
    LocalAddress(SocketAddr),
    Credentials(PeerCredentials),
}

impl Kept {
    /// Returns the data of a stream; none without an address or credentials.
    pub(super) fn of(stream: &Stream) -> Option<Self> {
        match stream.peer_credentials() {
            Some(credentials) => Some(Self::Credentials(credentials)),
            None => stream.local_address().ok().map(Self::LocalAddress),
        }
    }
}

/// The reason for an end without a closing handshake.
pub(super) enum Failure {
    /// `abort` was called, before `close` or after it.
    Aborted { is_closing: bool },
    /// An error that is to be reported.
    Error(Error),
}

/// When output is handed to the kernel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cork {
    /// In the driver's next turn, for which it is woken.
    Off,
    /// At once: the driver's turn waits for a loop that runs inside a slot.
    Suspended,
    /// The same, and the warning that input waits for the end of that slot was logged.
    Held,
    /// At the end of the turn that the driver is in.
    On,
    /// The same, and what the connection's thread sends goes into its cork buffer.
    ///
    /// That is in front of the queue: nothing of the queue may be written.
    Lent,
    /// As with `Off`: the flush list writes the shared frame of its thread.
    ///
    /// The queue is empty: whoever locks the session first takes the frame into it. Only connections of
    /// servers, which stay on their thread.
    Listed,
}

impl Cork {
    /// Returns whether the connection's thread has output that is not in the queue.
    #[inline]
    pub(super) fn is_beside_queue(self) -> bool {
        matches!(self, Self::Lent | Self::Listed)
    }
}

/// The result of the last write of the driver.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    Free,
    /// The kernel has not taken all output.
    Blocked,
    /// A write failed: nothing can be sent any more, but what has arrived can be read.
    Broken,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The opening handshake is under way.
    Connecting,
    Open,
    /// Our close frame is in the output queue, or was sent: nothing may follow it.
    Closing,
    Ended,
}

impl State {
    /// Makes the state of a socket that has no connection yet.
    pub(super) fn new(role: Role) -> Self {
        Self {
            stream: None,
            queue: OutputQueue::default(),
            extra: Attached::new(None),
            phase: Phase::Ended,
            cork: Cork::Off,
            is_woken: false,
            unreported: 0,
            uncounted: 0,
            sending: Sending::Free,
            idle: IdleChecks::default(),
            unconfirmed: Unconfirmed::default(),
            role,
        }
    }

    /// Resets the state for a new connection, but for the settings.
    pub(super) fn begin_connecting(&mut self) {
        let extra = self.extra.take().map(|extra| Box::new(extra.for_next_connection()));
        *self =
            Self { extra: Attached::new(extra), phase: Phase::Connecting, ..Self::new(self.role) };
    }

    /// Stops connecting, if that is under way.
    ///
    /// Returns the wakers to be woken without a lock.
    pub(super) fn stop_connecting(&mut self, code: CloseCode, reason: &str) -> Option<Vec<Waker>> {
        (self.phase == Phase::Connecting).then(|| {
            self.phase = Phase::Ended;
            self.extra().close = Some((code, reason.into()));
            self.take_wakers()
        })
    }

    /// Returns the extra state, allocated now if there was none.
    pub(super) fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    pub(super) fn is_readable(&self) -> bool {
        self.stream.as_ref().is_some_and(Stream::is_readable)
    }

    /// Returns whether the kernel is known to take no output.
    pub(super) fn is_blocked(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| !stream.is_writable())
    }

    /// Returns how many bytes wait for the kernel to take them.
    pub(super) fn output_len(&self) -> usize {
        self.queue.len() + self.backlog_len()
    }

    pub(super) fn backlog_len(&self) -> usize {
        let backlog = self.extra.as_ref().and_then(|extra| extra.backlog.as_ref());
        backlog.map_or(0, |backlog| backlog.len())
    }

    /// Returns the settings, or their defaults.
    pub(super) fn settings(&self) -> Settings {
        self.extra.as_ref().map(|extra| extra.settings).unwrap_or_default()
    }

    pub(super) fn output_settings(&self) -> OutputSettings {
        self.extra.as_ref().map_or(OutputSettings::DEFAULT, |extra| extra.settings.output)
    }

    /// Returns the maximum size of a message that is sent in one frame, in bytes.
    pub(super) fn outgoing_frame_size(&self) -> NonZeroUsize {
        let set = |extra: &Extra| extra.settings.outgoing_frame_size;
        self.extra.as_ref().map_or(OUTGOING_FRAME_SIZE, set)
    }

    /// Returns the limits for input if they were set since the last call.
    ///
    /// And whether what is read is measured.
    pub(super) fn take_new_limits(&mut self) -> Option<(Limits, bool)> {
        let extra = self.extra.as_mut()?;
        let are_new = mem::take(&mut extra.has_new_limits);
        let has_rates = extra.settings.rates.any();
        if !has_rates {
            extra.rate_meter = None;
        } else if extra.rate_meter.is_none() {
            extra.rate_meter = Some(Box::default());
        }
        are_new.then_some((extra.settings.limits, has_rates))
    }

    pub(super) fn take_failure(&mut self) -> Option<Failure> {
        self.extra.as_mut()?.failure.take()
    }

    /// Returns the close code and the close reason, once they are known.
    pub(super) fn close(&self) -> Option<(CloseCode, &str)> {
        let (code, reason) = self.extra.as_ref()?.close.as_ref()?;
        Some((*code, reason))
    }

    pub(super) fn has_successor(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.has_successor)
    }

    /// Returns the error with which messages were dropped at the end, if any were.
    pub(super) fn loss(&self) -> Option<Error> {
        self.extra.as_ref()?.loss.as_deref().cloned()
    }
}

impl Extra {
    /// Returns whether the driver has to do more than usual at the beginning of a turn.
    pub(super) fn has_changes(&self) -> bool {
        self.has_new_limits || self.failure.is_some()
    }

    /// Returns whether there may be something to report at the end of a turn.
    pub(super) fn has_notices(&self) -> bool {
        self.level.is_some() || self.failure.is_some()
    }

    /// Returns whether all that output needs now is to be written.
    pub(super) fn is_quiet(&self) -> bool {
        !self.has_changes()
            && !self.has_notices()
            && !self.has_unsent_ping
            && self.pending_pong.is_none()
            && self.more_uncounted == 0
    }

    /// Returns whether a short message needs no other check than that of its room.
    pub(super) fn is_plain(&self) -> bool {
        self.is_quiet()
            && self.backlog.is_none()
            && self.settings.outgoing_frame_size.get() >= cork_buffer::ROOM
            && self.settings.output.limit >= cork_buffer::ROOM
    }

    /// Counts a message that the output policy has dropped.
    pub(super) fn note_drop(&mut self) {
        self.dropped_messages += 1;
        if let Some(dropped) = &self.dropped_in_server {
            Traffic::note(dropped);
        }
    }

    /// Keeps the settings for another connection, and drops the rest.
    fn for_next_connection(self) -> Self {
        let Self { settings, mask_keys, level, .. } = self;
        // Tasks that wait for room poll again.
        let level = level.map(|_| Box::default());
        Self { settings, has_new_limits: true, mask_keys, level, ..Self::default() }
    }
}

// Idle connections are many: the counter of messages has the last bytes of a word. Streams of Windows
// are larger.
#[cfg(all(unix, target_pointer_width = "64"))]
const _: () = assert!(size_of::<State>() <= 64);
