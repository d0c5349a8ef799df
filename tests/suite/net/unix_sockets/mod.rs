//! Unix sockets: servers at paths and abstract names, their clients and peers.

mod clients;
mod connections;
mod listening;
mod proxies;

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use anyhow::Result;
use slotwork::{SslMode, WebSocketServer};

use support::raw_peer::{Frame, RawPeer};
use support::{DEADLINE, echo_all};

/// A folder for sockets, which its drop removes.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("slotwork-{}-{number}", process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    fn path(&self) -> PathBuf {
        self.0.join("a.sock")
    }

    /// The names of all files.
    fn names(&self) -> Result<Vec<String>> {
        let entries = fs::read_dir(&self.0)?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn server() -> WebSocketServer {
    WebSocketServer::new("Test Server", SslMode::NonSecure)
}

/// A server that echoes each message, in a folder of its own.
fn echo_server() -> Result<(WebSocketServer, Folder)> {
    let folder = Folder::new()?;
    let server = server();
    server.listen_unix(folder.path(), 0o600)?;
    echo_all(&server);
    Ok((server, folder))
}

fn connect(path: &Path) -> Result<RawPeer<UnixStream>> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    Ok(RawPeer::over(stream))
}

fn open(path: &Path) -> Result<RawPeer<UnixStream>> {
    let mut peer = connect(path)?;
    peer.shake_hands()?;
    Ok(peer)
}

/// Fails unless a new client is served.
fn check_client(path: &Path) -> Result<()> {
    let mut peer = open(path)?;
    peer.check_echo("hello")?;
    anyhow::ensure!(peer.close(1000, "")? == Frame::close(1000, ""));
    Ok(())
}
