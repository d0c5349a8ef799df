//! Socket options: no delay of output, its limits in the kernel, and the backlog.
//!
//! A peer that reads slowly shows progress when the kernel takes more output. With the send buffer
//! of Linux, which grows to megabytes, that happens once in tens of seconds; with a limit on the
//! unsent part of it (`TCP_NOTSENT_LOWAT`) it happens whenever the peer has read some hundred KiB.

use std::time::Duration;

use socket2::SockRef;

/// Sets the maximum of unsent output in the kernel, in bytes.
///
/// `None` is the system's default.
///
/// Systems without `TCP_NOTSENT_LOWAT` report room for output in small steps by themselves. There
/// `None` raises the send buffer, which is smaller than that of Linux, or was set.
pub(crate) fn set_unsent_limit(socket: &SockRef<'_>, limit: Option<usize>) {
    // Without the limit more is buffered; nothing else depends on it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = socket.set_tcp_notsent_lowat(as_option(limit));
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    if limit.is_none() {
        raise_send_buffer(socket);
    }
}

/// Raises the send buffer to what TCP has on Linux, or as far as the system allows.
pub(super) fn raise_send_buffer(socket: &SockRef<'_>) {
    let current = socket.send_buffer_size().unwrap_or(0);
    let mut size = LARGE_SEND_BUFFER;
    // Some systems reduce a size to their maximum, others refuse it.
    while size > current && socket.set_send_buffer_size(size).is_err() {
        size /= 2;
    }
}

/// Sets the maximum of output in the kernel, in bytes.
///
/// Not all systems can limit it.
pub(crate) fn set_send_buffer(socket: &SockRef<'_>, size: Option<usize>) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    set_unsent_limit(socket, size);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    if let Some(size) = size {
        let _ = socket.set_send_buffer_size(size);
    }
}

/// Turns off Nagle's algorithm; the session collects the output, not the kernel.
pub(crate) fn set_no_delay(socket: &SockRef<'_>) {
    // Some systems refuse the option when the peer has already ended the connection, which the next
    // read reports.
    let _ = socket.set_tcp_nodelay(true);
}

/// Turns off Nagle's algorithm for the connections that a listener accepts.
///
/// Only where they are known to inherit the option, which saves a call for each.
pub(crate) fn set_inherited_no_delay(listener: &SockRef<'_>) {
    if INHERITS_NO_DELAY {
        set_no_delay(listener);
    }
}

/// Turns off Nagle's algorithm for an accepted connection, unless inherited.
pub(crate) fn set_accepted_no_delay(socket: &SockRef<'_>) {
    if !INHERITS_NO_DELAY {
        set_no_delay(socket);
    }
}

/// Whether accepted connections have the `TCP_NODELAY` of their listener.
const INHERITS_NO_DELAY: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Sets the maximum time until output is acknowledged (RFC 5482).
///
/// After it the kernel ends the connection.
///
/// Returns whether the system supports it.
pub(crate) fn set_user_timeout(socket: &SockRef<'_>, timeout: Option<Duration>) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return socket.set_tcp_user_timeout(timeout).is_ok();
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = (socket, timeout);
        false
    }
}

/// The backlog of the kernel, in connections: large enough for bursts of clients.
pub(super) const BACKLOG: i32 = 4096;

/// The default maximum of unsent output in the kernel, in bytes.
///
/// It is enough for a full network path, and for a peer of 20 KiB/s to show progress several times
/// a minute.
pub(crate) const SEND_BUFFER: usize = 512 * 1024;

/// The size to which the send buffer of TCP grows on Linux, in bytes (`tcp_wmem`).
const LARGE_SEND_BUFFER: usize = 4 * 1024 * 1024;

/// `TCP_NOTSENT_LOWAT` is a 32-bit number, and 0 the system's default.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn as_option(limit: Option<usize>) -> u32 {
    limit.map_or(0, |limit| u32::try_from(limit.max(1)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::io;

    use socket2::{Domain, Socket, Type};

    use super::*;

    /// Each system allows some hundred KiB.
    #[test]
    fn a_send_buffer_that_was_made_small_is_raised() -> io::Result<()> {
        for domain in [
            Domain::IPV4,
            #[cfg(unix)]
            Domain::UNIX,
        ] {
            let socket = Socket::new(domain, Type::STREAM, None)?;
            socket.set_send_buffer_size(16 * 1024)?;

            raise_send_buffer(&SockRef::from(&socket));

            assert!(socket.send_buffer_size()? >= 128 * 1024, "{domain:?}");
        }
        Ok(())
    }
}
