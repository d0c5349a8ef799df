//! Listening Unix sockets, and their files.
//!
//! A socket is bound under a private name, gets its mode, begins to listen, and is then linked to its
//! path: no process can connect before, and none finds a file there that does not listen yet. The
//! umask, which belongs to the whole process, is not changed. Three servers that begin at once, where
//! an ended process has left its file, may leave one without a path; of two, one fails.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};

use log::debug;
use mio::net;
use nix::sys::stat::Mode;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::net::stream::options::BACKLOG;
use crate::protocol::random;
use crate::types::unix_address::{UnixAddress, invalid};

/// A listening socket, and its file.
pub(super) struct UnixListener {
    /// Dropped first: while the socket is open, no other file has its number.
    _file: Option<SocketFile>,
    pub(super) io: net::UnixListener,
}

impl UnixListener {
    /// Binds and listens; `mode` has the permissions of the file.
    ///
    /// A file that a process has left there is removed.
    pub(super) fn bind(address: &UnixAddress, mode: u32) -> io::Result<Self> {
        // Checks the address.
        address.to_socket_address()?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        let file = match address {
            UnixAddress::Path(path) => Some(SocketFile::listen(&socket, path, mode)?),
            UnixAddress::Abstract(name) => {
                let name = [b"\0", name.as_slice()].concat();
                socket.bind(&SockAddr::unix(as_path(&name))?)?;
                socket.listen(BACKLOG)?;
                None
            }
        };
        let io = net::UnixListener::from_std(StdUnixListener::from(socket));
        Ok(Self { _file: file, io })
    }

    /// Takes a listening socket over, without its file.
    pub(super) fn adopt(listener: StdUnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { _file: None, io: net::UnixListener::from_std(listener) })
    }
}

/// The file of a listening socket.
///
/// Its drop removes it, unless another one has replaced it.
struct SocketFile {
    path: PathBuf,
    id: FileId,
}

impl SocketFile {
    /// Binds a socket to a path, and listens.
    fn listen(socket: &Socket, path: &Path, mode: u32) -> io::Result<Self> {
        let mode = permissions(mode)?;
        let private = PrivateName::beside(path);
        let address = SockAddr::unix(&private.0)
            .map_err(|_| invalid("the path is too long: no name beside it is an address"))?;
        // On Linux the file gets the mode of the socket, less the umask.
        let _ = nix::sys::stat::fchmod(socket, mode);
        socket.bind(&address)?;
        let id = set_mode(&private.0, mode)?;
        socket.listen(BACKLOG)?;
        // Only now: the number of a file that is removed would be that of the new one.
        remove_stale(path)?;
        give_name(&private.0, path)?;
        Ok(Self { path: path.to_owned(), id })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path, self.id) {
            debug!("{} remains: {error}", self.path.display());
        }
    }
}

/// The identity of a file.
///
/// The number of a file that is removed is used again. The time of its making, which neither links
/// nor modes change, tells the two apart.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
    made_at: (i64, i64),
}

impl FileId {
    fn new(metadata: &Metadata) -> Self {
        let made_at = (metadata.mtime(), metadata.mtime_nsec());
        Self { device: metadata.dev(), inode: metadata.ino(), made_at }
    }

    /// Returns the identity of a file, or of a symbolic link itself.
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::new(&fs::symlink_metadata(path)?))
    }
}

/// A name that no other process uses, in the folder of a path.
///
/// Its drop removes it.
struct PrivateName(PathBuf);

impl PrivateName {
    fn beside(path: &Path) -> Self {
        let number = u32::from_ne_bytes(random::bytes());
        let mut name = path.as_os_str().to_owned();
        // Behind the path: tools that list sockets show this name.
        name.push(format!(".{number:08x}"));
        Self(name.into())
    }
}

impl Drop for PrivateName {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Removes the socket of a process that has ended; an error for any other file.
fn remove_stale(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        metadata => metadata?,
    };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the file is not a socket"));
    }
    match net::UnixStream::connect(path).map_err(|error| (error.kind(), error)) {
        // The queue of a process that listens may be full.
        Ok(_) | Err((io::ErrorKind::WouldBlock, _)) => Err(in_use()),
        Err((io::ErrorKind::ConnectionRefused, _)) => match remove(path, FileId::new(&metadata)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        },
        Err((io::ErrorKind::NotFound, _)) => Ok(()),
        Err((_, error)) => Err(error),
    }
}

/// Removes this file, and none that has replaced it.
fn remove(path: &Path, id: FileId) -> io::Result<()> {
    if FileId::of(path)? != id {
        return Err(in_use());
    }
    // Another process may replace it meanwhile: what is removed is looked at once more.
    let aside = PrivateName::beside(path);
    fs::rename(path, &aside.0)?;
    if FileId::of(&aside.0)? == id {
        return Ok(());
    }
    give_name(&aside.0, path)?;
    Err(in_use())
}

/// Gives a file with a private name its path, unless that is in use.
fn give_name(private: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(private, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(in_use()),
        // Some systems allow no links of sockets. Then a file is replaced that has appeared just now.
        Err(_) => fs::rename(private, path),
        Ok(()) => Ok(()),
    }
}

/// Sets the mode of a socket's file; returns the identity of the file.
///
/// A link that has replaced it is not followed.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_mode(path: &Path, mode: Mode) -> io::Result<FileId> {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

    use nix::fcntl::OFlag;

    let mut options = fs::OpenOptions::new();
    options.read(true).custom_flags((OFlag::O_PATH | OFlag::O_NOFOLLOW).bits());
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    if !metadata.file_type().is_socket() {
        return Err(in_use());
    }
    if metadata.mode() & ALL_PERMISSIONS != mode.bits() {
        // `fchmod` refuses such a descriptor, and `fchmodat` follows links.
        let descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
        fs::set_permissions(descriptor, fs::Permissions::from_mode(mode.bits()))?;
    }
    Ok(FileId::new(&metadata))
}

/// Sets the mode of a socket's file; returns the identity of the file.
///
/// A link that has replaced it is not followed.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_mode(path: &Path, mode: Mode) -> io::Result<FileId> {
    use nix::fcntl::AT_FDCWD;
    use nix::sys::stat::{FchmodatFlags, fchmodat};

    let id = FileId::of(path)?;
    fchmodat(AT_FDCWD, path, mode, FchmodatFlags::NoFollowSymlink)?;
    Ok(id)
}

/// Returns a mode for system calls; an error when it has more than permissions.
#[allow(clippy::useless_conversion, reason = "modes of macOS have 16 bits")]
fn permissions(mode: u32) -> io::Result<Mode> {
    let bits = mode.try_into().ok().filter(|_| mode <= ALL_PERMISSIONS);
    bits.and_then(Mode::from_bits).ok_or_else(|| invalid("the mode has more than permissions"))
}

fn in_use() -> io::Error {
    io::Error::new(io::ErrorKind::AddrInUse, "another process listens on the socket")
}

fn as_path(bytes: &[u8]) -> &Path {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    Path::new(OsStr::from_bytes(bytes))
}

/// The permissions of user, group and others.
const ALL_PERMISSIONS: u32 = 0o777;
