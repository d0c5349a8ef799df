//! The options of a TCP socket that decide how much output the kernel holds, and for how long.
//!
//! A peer that reads slowly shows progress when the kernel takes more output. With the send buffer
//! of Linux, which grows to megabytes, that happens once in tens of seconds; with a limit on the
//! unsent part of it (`TCP_NOTSENT_LOWAT`) it happens whenever the peer has read some hundred KiB.

use std::time::Duration;

use socket2::SockRef;

/// Sets how many bytes the kernel holds that it has not sent; `None` is the system's default.
///
/// Systems without `TCP_NOTSENT_LOWAT` report room for output in small steps by themselves.
pub(crate) fn set_unsent_limit(socket: &SockRef<'_>, limit: Option<usize>) {
    // Whether the limit is in force decides about how much is buffered, never about what arrives.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = socket.set_tcp_notsent_lowat(as_option(limit));
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (socket, limit);
}

/// Sets how much output the kernel holds for a peer, as far as the system can limit it.
pub(crate) fn set_send_buffer(socket: &SockRef<'_>, size: Option<usize>) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    set_unsent_limit(socket, size);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    if let Some(size) = size {
        let _ = socket.set_send_buffer_size(size);
    }
}

/// Lets the kernel end a connection whose peer acknowledges no output for so long (RFC 5482);
/// returns whether it will.
pub(crate) fn set_user_timeout(socket: &SockRef<'_>, timeout: Option<Duration>) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return socket.set_tcp_user_timeout(timeout).is_ok();
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = (socket, timeout);
        false
    }
}

/// How much unsent output the kernel holds by default: enough for a full network path, and for a
/// peer of 20 KiB/s to show progress several times a minute.
pub(crate) const SEND_BUFFER: usize = 512 * 1024;

/// `TCP_NOTSENT_LOWAT` is a 32-bit number, and 0 the system's default.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn as_option(limit: Option<usize>) -> u32 {
    limit.map_or(0, |limit| u32::try_from(limit.max(1)).unwrap_or(u32::MAX))
}
