//! What few connections have, and most of those not for long.

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use crate::close_code::CloseCode;
use crate::mask_generator::MaskGenerator;
use crate::protocol::limits::Limits;
use crate::session::Failure;

/// Parts of a session that are allocated when they are needed: idle connections are many.
#[derive(Default)]
pub(super) struct Rare {
    /// The code and the reason with which the connection ends, once they are known.
    pub(super) close: Option<(CloseCode, Box<str>)>,
    /// The address that this end had, once the connection has ended.
    pub(super) local_address: Option<SocketAddr>,
    /// What answers the latest ping, once the peer takes output again.
    pub(super) late_pong: Option<Box<[u8]>>,
    /// Why the connection shall end without a closing handshake.
    pub(super) failure: Option<Failure>,
    pub(super) settings: Settings,
    /// The driver has not seen the limits yet.
    pub(super) has_new_limits: bool,
    /// What masks frames instead of the usual random numbers.
    pub(super) mask_generator: Option<Box<dyn MaskGenerator>>,
}

impl Rare {
    /// Keeps what was set, for another connection, and forgets what became of the last one.
    pub(super) fn without_past(self) -> Self {
        let Self { settings, mask_generator, .. } = self;
        Self { settings, has_new_limits: true, mask_generator, ..Self::default() }
    }
}

/// What the owner of a socket may set.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    /// Messages that are longer are sent in several frames.
    pub(crate) outgoing_frame_size: NonZeroUsize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { limits: Limits::default(), outgoing_frame_size: OUTGOING_FRAME_SIZE }
    }
}

/// Qt's default: 512 KiB.
pub(super) const OUTGOING_FRAME_SIZE: NonZeroUsize = NonZeroUsize::new(512 * 1024).unwrap();
