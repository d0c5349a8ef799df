//! Listening: files, their modes and their owners, abstract names.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{Error, HostAddress, WebSocketServer};

use support::{echo_all, in_thread, serve};

use super::{Folder, check_client, echo_server, server};

fn mode(path: &Path) -> Result<u32> {
    Ok(fs::symlink_metadata(path)?.permissions().mode() & 0o7777)
}

/// The kind of the error with which the server does not listen.
fn failure(server: &WebSocketServer, path: impl AsRef<Path>) -> Result<ErrorKind> {
    let error = server.listen_unix(path.as_ref(), 0o600).err().context("it listens")?;
    let Error::ListenUnix { path: named, source } = &error else { anyhow::bail!("{error:?}") };
    ensure!(named == path.as_ref() && !server.is_listening() && server.error().is_some());
    Ok(source.kind())
}

/// Qt: `QLocalServer::listen()`, `setSocketOptions()`.
#[test]
fn the_file_has_the_mode_and_no_other_file_is_left() -> Result<()> {
    let folder = Folder::new()?;
    for expected in [0o600, 0o660, 0o666, 0o777, 0o200, 0] {
        let server = server();

        server.listen_unix(folder.path(), expected)?;

        ensure!(mode(&folder.path())? == expected, "{expected:o}");
        ensure!(folder.names()? == ["a.sock"], "{:?}", folder.names());
        let url = format!("ws+unix:{}:", folder.path().display());
        ensure!(server.server_url() == url, "{}", server.server_url());
        ensure!(server.is_listening() && server.socket_descriptor().is_some());
        ensure!(server.server_address().is_none() && server.server_port() == 0);
    }
    Ok(())
}

/// No file can be seen with wider permissions than it gets, whatever the umask.
#[test]
fn the_file_has_its_mode_from_the_beginning() -> Result<()> {
    let folder = Folder::new()?;
    let path = folder.path();
    let has_ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut seen = 0;
            while !has_ended.load(Ordering::Relaxed) {
                if let Ok(mode) = mode(&path) {
                    ensure!(mode == 0o600, "{mode:o}");
                    seen += 1;
                }
            }
            Ok(seen)
        });
        for _ in 0..200 {
            server().listen_unix(&path, 0o600)?;
        }
        let server = server();
        server.listen_unix(&path, 0o600)?;
        has_ended.store(true, Ordering::Relaxed);
        watcher.join().map_err(|_| anyhow::anyhow!("it panicked"))?.map(drop)
    })
}

/// Qt: `QLocalServer::removeServer()`.
#[test]
fn the_file_of_an_ended_process_is_replaced() -> Result<()> {
    let folder = Folder::new()?;
    drop(UnixListener::bind(folder.path())?);
    ensure!(folder.path().exists());
    let server = server();

    server.listen_unix(folder.path(), 0o600)?;

    echo_all(&server);
    ensure!(folder.names()? == ["a.sock"]);
    let path = folder.path();
    serve(move || check_client(&path))
}

#[test]
fn a_socket_at_which_a_process_listens_is_left_alone() -> Result<()> {
    let (other, folder) = echo_server()?;
    let inherited = Folder::new()?;
    let _listener = UnixListener::bind(inherited.path())?;
    let server = server();
    let errors = SignalSpy::new(&server.server_error());

    ensure!(failure(&server, folder.path())? == ErrorKind::AddrInUse);
    ensure!(failure(&server, inherited.path())? == ErrorKind::AddrInUse);

    errors.wait_for(2)?;
    let text = server.error_string();
    ensure!(text.ends_with("another process listens on the socket"), "{text}");
    ensure!(folder.names()? == ["a.sock"] && inherited.path().exists());
    let path = folder.path();
    serve(move || check_client(&path))?;
    drop(other);
    Ok(())
}

#[test]
fn a_file_that_is_not_such_a_socket_is_left_alone() -> Result<()> {
    let folder = Folder::new()?;
    let [file, link, datagrams] = ["file", "link", "datagrams"].map(|name| folder.0.join(name));
    fs::write(&file, "text")?;
    drop(UnixListener::bind(folder.path())?);
    symlink(folder.path(), &link)?;
    let _datagrams = UnixDatagram::bind(&datagrams)?;
    let server = server();

    ensure!(failure(&server, &file)? == ErrorKind::AlreadyExists);
    ensure!(failure(&server, &link)? == ErrorKind::AlreadyExists);
    ensure!(failure(&server, &folder.0)? == ErrorKind::AlreadyExists);
    failure(&server, &datagrams)?;

    ensure!(fs::read_to_string(&file)? == "text");
    ensure!(link.is_symlink() && folder.path().exists() && datagrams.exists());
    ensure!(folder.names()?.len() == 4, "{:?}", folder.names());
    Ok(())
}

#[test]
fn the_file_is_removed_when_the_server_stops_listening() -> Result<()> {
    let folder = Folder::new()?;
    let path = folder.path();

    let closed = server();
    closed.listen_unix(&path, 0o600)?;
    closed.close();
    ensure!(folder.names()?.is_empty() && closed.server_url().is_empty());

    let dropped = server();
    dropped.listen_unix(&path, 0o600)?;
    drop(dropped);
    ensure!(folder.names()?.is_empty());

    let kept = in_thread(move |_| {
        let server = server();
        server.listen_unix(&path, 0o600).map(|()| server)
    })??;
    support::wait_until(|| !kept.is_listening())?;
    ensure!(folder.names()?.is_empty());
    Ok(())
}

#[test]
fn the_file_of_another_server_is_not_removed() -> Result<()> {
    let (server, folder) = echo_server()?;
    fs::rename(folder.path(), folder.0.join("moved"))?;
    let _other = UnixListener::bind(folder.path())?;

    server.close();

    ensure!(folder.path().exists() && folder.names()?.len() == 2);
    drop(server);
    ensure!(folder.path().exists());
    Ok(())
}

/// Of two servers that replace the file of an ended process at the same time, one listens.
#[test]
fn one_of_two_servers_gets_the_path() -> Result<()> {
    const SERVERS: usize = 2;
    for _ in 0..100 {
        let folder = Folder::new()?;
        let path = &folder.path();
        drop(UnixListener::bind(path)?);
        let barrier = &Barrier::new(SERVERS);

        let servers: Vec<_> = thread::scope(|scope| {
            let listen = || {
                let server = server();
                barrier.wait();
                let is_listening = server.listen_unix(path, 0o600).is_ok();
                barrier.wait();
                let is_there = path.exists();
                barrier.wait();
                (is_listening, is_there)
            };
            let threads: Vec<_> = (0..SERVERS).map(|_| scope.spawn(listen)).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });

        let winners = servers.iter().filter(|(is_listening, _)| *is_listening).count();
        ensure!(winners == 1, "{servers:?}");
        ensure!(servers.iter().all(|(is_listening, is_there)| !is_listening || *is_there));
        ensure!(folder.names()?.is_empty(), "{:?}", folder.names());
    }
    Ok(())
}

#[test]
fn what_cannot_be_an_address_is_an_error() -> Result<()> {
    let folder = Folder::new()?;
    let server = server();

    ensure!(failure(&server, "")? == ErrorKind::InvalidInput);
    ensure!(failure(&server, folder.0.join("a\0b"))? == ErrorKind::InvalidInput);
    ensure!(failure(&server, folder.0.join("x".repeat(108)))? == ErrorKind::InvalidInput);
    ensure!(failure(&server, folder.0.join("none").join("a"))? == ErrorKind::NotFound);
    let error = server.listen_unix(folder.path(), 0o4755).err().context("it listens")?;
    ensure!(matches!(&error, Error::ListenUnix { source, .. }
        if source.kind() == ErrorKind::InvalidInput));

    // The longest path that is possible, or an error: never a file elsewhere.
    for length in 80..108 {
        let name = "x".repeat(length - folder.0.as_os_str().len() - 1);
        let path = folder.0.join(&name);
        match server.listen_unix(&path, 0o600) {
            Ok(()) => {
                ensure!(folder.names()? == [name]);
                server.close();
            }
            Err(_) => ensure!(length > 90 && folder.names()?.is_empty(), "{length}"),
        }
    }
    Ok(())
}

/// Data over a Unix socket do not leave the machine; a program that wants TLS is not fooled.
#[test]
#[cfg(feature = "tls")]
fn a_secure_server_does_not_listen_without_tls() -> Result<()> {
    let folder = Folder::new()?;
    let authority = support::certificates::Authority::new()?;
    let server = WebSocketServer::new("", slotwork::SslMode::Secure);
    server.set_tls_config(authority.server_config()?)?;

    ensure!(failure(&server, folder.path())? == ErrorKind::Unsupported);
    let listener = UnixListener::bind(folder.path())?;
    ensure!(server.listen_on_unix(listener).is_err() && !server.is_listening());
    Ok(())
}

#[test]
fn a_server_listens_at_one_address() -> Result<()> {
    let (server, folder) = echo_server()?;

    let error = server.listen(HostAddress::LocalHost, 0).err().context("it listens")?;
    ensure!(matches!(&error, Error::AlreadyListening { url } if url.starts_with("ws+unix:/")));
    let error = server.listen_unix(folder.0.join("b"), 0o600).err().context("it listens")?;
    ensure!(matches!(error, Error::AlreadyListening { .. }));

    server.close();
    server.listen(HostAddress::LocalHost, 0)?;
    ensure!(server.server_url().starts_with("ws://127.0.0.1:"));
    Ok(())
}

/// Issue: sockets of systemd. Their files belong to it.
#[test]
fn the_file_of_an_inherited_socket_remains() -> Result<()> {
    let folder = Folder::new()?;
    let server = server();

    server.listen_on_unix(UnixListener::bind(folder.path())?)?;

    echo_all(&server);
    ensure!(server.server_url() == format!("ws+unix:{}:", folder.path().display()));
    let path = folder.path();
    serve(move || check_client(&path))?;
    server.close();
    ensure!(folder.path().exists());
    Ok(())
}

/// The form of systemd's units: `@` stands for NUL.
#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn an_abstract_name_has_no_file() -> Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixStream};

    use support::raw_peer::RawPeer;

    let name = format!("slotwork test {}", std::process::id());
    let server = server();
    server.listen_unix(format!("@{name}"), 0o600)?;
    echo_all(&server);
    let other = super::server();
    ensure!(failure(&other, format!("\0{name}"))? == ErrorKind::AddrInUse);
    ensure!(failure(&other, "@")? == ErrorKind::InvalidInput);
    ensure!(failure(&other, format!("@{}", "x".repeat(108)))? == ErrorKind::InvalidInput);
    ensure!(!Path::new(&format!("@{name}")).exists());

    let url = server.server_url() + "/chat";
    ensure!(url.starts_with("ws+unix:@slotwork%20test%20"), "{url}");
    let client = slotwork::WebSocket::new();
    let echoed = client.text_message_received().next();
    client.connected().connect(|client, ()| _ = client.send_text_message("echo"));
    client.open(url)?;
    ensure!(support::run_until(echoed)?.as_deref() == Some("echo"));
    serve(move || {
        let stream = UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?)?;
        let mut peer = RawPeer::over(stream);
        peer.shake_hands()?;
        peer.check_echo("hello")
    })
}
