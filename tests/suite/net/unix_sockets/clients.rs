//! Clients: URLs, servers that are not there, reconnecting.

use std::io::ErrorKind;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::{Error, NetworkProxy, Reconnect, SocketState, WebSocket};
use socket2::{Domain, SockAddr, Socket, Type};

use support::{echo_all, run_until, serve, wait_until};

use super::{Folder, echo_server, open, server};

/// The error with which an attempt fails.
fn failure(client: &WebSocket, url: &str) -> Result<Error> {
    let disconnected = client.disconnected().next();
    client.open(url)?;
    run_until(disconnected)?;
    client.error().context("no error")
}

#[test]
fn a_socket_that_cannot_be_reached_is_an_error() -> Result<()> {
    let folder = Folder::new()?;
    drop(UnixListener::bind(folder.path())?);
    let client = WebSocket::new();
    let path = folder.0.display();

    for (name, kind) in [
        ("none.sock".to_owned(), ErrorKind::NotFound),
        ("a.sock".into(), ErrorKind::ConnectionRefused),
        ("x".repeat(108), ErrorKind::InvalidInput),
    ] {
        let error = failure(&client, &format!("ws+unix:{path}/{name}:/chat"))?;
        ensure!(
            matches!(&error, Error::ConnectUnix { path, source }
                if *path == folder.0.join(&name) && source.kind() == kind),
            "{error:?}"
        );
    }
    ensure!(client.error_string().starts_with("cannot connect to \"/"));
    Ok(())
}

#[test]
fn a_url_without_an_absolute_path_is_invalid() -> Result<()> {
    let client = WebSocket::new();
    for url in ["ws+unix:", "ws+unix:a.sock", "ws+unix://host/a.sock", "ws+unix:/a%00:/"] {
        let error = client.open(url).err().context("it opens")?;
        ensure!(matches!(error, Error::InvalidUrl(_)), "{url}: {error:?}");
    }
    let secure = client.open("wss+unix:/a.sock").err().context("it opens")?;
    ensure!(matches!(secure, Error::InvalidUrl(_) | Error::UnsupportedScheme(_)), "{secure:?}");
    ensure!(client.state() == SocketState::Unconnected);
    Ok(())
}

/// The path may have any byte but NUL; a proxy is for the network.
#[test]
fn a_path_is_percent_decoded() -> Result<()> {
    let folder = Folder::new()?;
    let server = server();
    server.listen_unix(folder.0.join("a b:c%é"), 0o600)?;
    echo_all(&server);
    let client = WebSocket::new();
    client.set_proxy(Some(NetworkProxy::socks5("127.0.0.1", 1)));
    let connected = client.connected().next();

    client.open(format!("ws+unix:{}/a%20b%3Ac%25%C3%A9:/chat", folder.0.display()))?;

    run_until(connected)?;
    ensure!(client.peer_name() == "localhost" && client.request_url() == "ws://localhost/chat");
    Ok(())
}

/// A server of this package is restarted at the same path.
#[test]
fn a_client_reconnects_after_a_restart() -> Result<()> {
    let (first, folder) = echo_server()?;
    let client = WebSocket::new();
    let millisecond = Duration::from_millis(1);
    client.set_reconnect(Some(Reconnect::new().delay(millisecond..=millisecond)));
    client.open(first.server_url())?;
    wait_until(|| first.clients().len() == 1)?;

    first.close();
    first.clients().iter().for_each(WebSocket::abort);
    drop(first);
    wait_until(|| client.is_reconnecting())?;
    let second = server();
    second.listen_unix(folder.path(), 0o600)?;
    echo_all(&second);

    wait_until(|| second.clients().len() == 1)?;
    let echoed = client.text_message_received().next();
    wait_until(|| client.state() == SocketState::Connected)?;
    client.send_text_message("again");
    ensure!(run_until(echoed)?.as_deref() == Some("again"));
    client.close_normally();
    Ok(())
}

/// A full queue of the server is waited for, as long as an attempt may take.
#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn a_client_waits_for_room_in_the_queue() -> Result<()> {
    let folder = Folder::new()?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(folder.path())?)?;
    socket.listen(0)?;
    let mut waiting = Vec::new();
    loop {
        let other = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        other.set_nonblocking(true)?;
        if other.connect(&SockAddr::unix(folder.path())?).is_err() {
            break;
        }
        waiting.push(other);
    }
    let url = format!("ws+unix:{}:", folder.path().display());
    let client = WebSocket::new();
    client.set_connect_timeout(Some(Duration::from_millis(20)));
    let error = failure(&client, &url)?;
    ensure!(matches!(error, Error::ConnectTimeout(_)), "{error:?}");

    client.set_connect_timeout(None);
    let connected = client.connected().next();
    client.open(url)?;
    drop(waiting);
    let server = server();
    echo_all(&server);
    server.listen_on_unix(socket.into())?;

    run_until(connected)?;
    Ok(())
}

/// A client of Qt or Node that connects to the path.
#[test]
fn other_clients_connect_to_the_path() -> Result<()> {
    let (server, folder) = echo_server()?;
    let path = folder.path();
    serve(move || {
        drop(UnixStream::connect(&path)?);
        open(&path)?.check_echo("hello")
    })?;
    drop(server);
    Ok(())
}
