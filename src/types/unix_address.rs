//! Addresses of Unix sockets: paths, and names in the abstract namespace of Linux.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};

#[cfg(target_os = "android")]
use std::os::android::net::SocketAddrExt;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;

/// The address of a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UnixAddress {
    /// A file.
    Path(PathBuf),
    /// A name in the abstract namespace, which has no file.
    Abstract(Vec<u8>),
}

impl UnixAddress {
    /// Returns the address of a path; `@` or NUL begins an abstract name.
    ///
    /// A relative path is made absolute: the working directory may change.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        match path.as_os_str().as_bytes() {
            [] | [b'@' | 0] => Err(invalid("the path is empty")),
            [b'@' | 0, name @ ..] => Ok(Self::Abstract(name.to_owned())),
            _ => Ok(Self::Path(std::path::absolute(path)?)),
        }
    }

    /// Returns the address of a socket; `None` without a name.
    pub(crate) fn of(address: &SocketAddr) -> Option<Self> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(name) = address.as_abstract_name() {
            return Some(Self::Abstract(name.to_owned()));
        }
        address.as_pathname().map(|path| Self::Path(path.to_owned()))
    }

    /// Returns the address for system calls; an error when it cannot be one.
    pub(crate) fn to_socket_address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Path(path) => SocketAddr::from_pathname(path),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Abstract(name) => SocketAddr::from_abstract_name(name),
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            Self::Abstract(_) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "abstract names of Unix sockets exist on Linux alone",
            )),
        }
    }

    /// Returns the address as a path, with `@` in front of an abstract name.
    pub(crate) fn to_path(&self) -> PathBuf {
        match self {
            Self::Path(path) => path.clone(),
            Self::Abstract(name) => OsString::from_vec([b"@", name.as_slice()].concat()).into(),
        }
    }
}

impl fmt::Display for UnixAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_path().display().fmt(f)
    }
}

pub(crate) fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}
