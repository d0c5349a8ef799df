//! The credentials of the peer of a Unix socket, as the system reports them.

use std::os::fd::AsFd;

use crate::types::peer_credentials::PeerCredentials;

/// Returns the credentials of the peer.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn of_peer(socket: &impl AsFd) -> Option<PeerCredentials> {
    use nix::sys::socket::getsockopt;
    use nix::sys::socket::sockopt;

    let known = getsockopt(socket, sockopt::PeerCredentials).ok()?;
    // 0 is a process that this PID namespace does not have.
    let process_id = Some(known.pid()).filter(|id| *id > 0);
    Some(PeerCredentials { process_id, user_id: known.uid(), group_id: known.gid() })
}

/// Returns the credentials of the peer.
#[cfg(any(
    target_os = "macos",
    target_os = "ios",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
pub(super) fn of_peer(socket: &impl AsFd) -> Option<PeerCredentials> {
    let (user, group) = nix::unistd::getpeereid(socket).ok()?;
    Some(PeerCredentials {
        process_id: process_id(socket),
        user_id: user.as_raw(),
        group_id: group.as_raw(),
    })
}

#[cfg(any(target_os = "macos", target_os = "ios"))]
fn process_id(socket: &impl AsFd) -> Option<i32> {
    use nix::sys::socket::getsockopt;
    use nix::sys::socket::sockopt::LocalPeerPid;

    getsockopt(socket, LocalPeerPid).ok().filter(|id| *id > 0)
}

#[cfg(any(
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
fn process_id(_socket: &impl AsFd) -> Option<i32> {
    None
}

/// Returns `None`: this system has no call for it.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "ios",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
pub(super) fn of_peer(_socket: &impl AsFd) -> Option<PeerCredentials> {
    None
}
