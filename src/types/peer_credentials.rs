//! The credentials of the process at the other end of a Unix socket.

/// The credentials of the peer of a Unix socket, from the kernel.
///
/// They are those of the process when it connected or, for a client, when the server began to listen;
/// it may have passed the socket on since.
///
/// # Qt
///
/// Qt has no counterpart: programs call `getsockopt()` with `QLocalSocket::socketDescriptor()`.
///
/// # Examples
///
/// See [`WebSocket::peer_credentials`](crate::WebSocket::peer_credentials).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PeerCredentials {
    /// The ID of the process.
    ///
    /// `None` for a process of another PID namespace (a container), and on BSD systems. The ID may
    /// belong to another process by now: authorize users, not processes.
    pub process_id: Option<i32>,
    /// The ID of the effective user.
    pub user_id: u32,
    /// The ID of the effective group.
    pub group_id: u32,
}
