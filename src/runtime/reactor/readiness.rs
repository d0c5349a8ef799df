//! The readiness of a watched socket, as bits.

/// The readiness of a socket at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Readiness(pub(super) u32);

impl Readiness {
    /// Returns whether a read may succeed.
    #[inline]
    pub(crate) fn is_readable(self) -> bool {
        self.0 & READABLE != 0
    }

    /// Returns whether a write may succeed.
    #[inline]
    pub(crate) fn is_writable(self) -> bool {
        self.0 & WRITABLE != 0
    }

    /// Returns whether the peer ended its sending direction.
    #[inline]
    pub(crate) fn is_read_closed(self) -> bool {
        self.0 & READ_CLOSED != 0
    }

    /// Returns whether the connection is to release memory.
    #[inline]
    pub(crate) fn is_evicted(self) -> bool {
        self.0 & EVICTED != 0
    }

    /// Adds that a read may succeed, if `has_input`.
    #[cfg(feature = "tls")]
    #[inline]
    pub(crate) fn with_input(self, has_input: bool) -> Self {
        if has_input { Self(self.0 | READABLE) } else { self }
    }

    /// Returns whether an event follows a short read or write.
    ///
    /// Then a short one means that the kernel has no more to give or to take. Where no event
    /// follows, only "would block" may clear the readiness.
    #[inline]
    pub(crate) fn reports_after_short(self) -> bool {
        self.0 & AFTER_SHORT != 0
    }
}

pub(super) const READABLE: u32 = 1;
pub(super) const WRITABLE: u32 = 2;
pub(super) const READ_CLOSED: u32 = 4;
/// Not a readiness: the connection is to release memory.
pub(super) const EVICTED: u32 = 16;
/// Set where mio uses epoll or kqueue, in their edge-triggered mode.
///
/// Its other selectors report a socket again only after a call has failed with `WouldBlock` (see
/// "Portability" of `mio::Poll`).
pub(super) const AFTER_SHORT: u32 = if cfg!(any(
    target_os = "android",
    target_os = "illumos",
    target_os = "linux",
    target_os = "redox",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "ios",
    target_os = "macos",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "tvos",
    target_os = "visionos",
    target_os = "watchos",
)) {
    8
} else {
    0
};
