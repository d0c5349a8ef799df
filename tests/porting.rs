//! What docs/porting.md says and does not run itself: libraries for tokio, processes, local sockets
//! and GUI loops; the compiler's messages.

use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{
    CloseCode, EventLoop, EventThread, HostAddress, SslMode, WebSocket, WebSocketServer,
};

/// The fourth way: a library for tokio without a runtime ends the connection whose slot uses it.
#[test]
fn a_library_for_tokio_alone_closes_its_socket() -> Result<()> {
    let server = WebSocketServer::new("Server", SslMode::NonSecure);
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect_async(async |_socket, _text| {
                _ = tokio::net::TcpStream::connect(("127.0.0.1", 9)).await;
            });
        }
    });
    server.listen(HostAddress::LocalHost, 0)?;
    let event_loop = EventLoop::current();
    let panics = SignalSpy::new(&event_loop.panicked());
    let client = WebSocket::new();
    client.connected().connect(|client, ()| _ = client.send_text_message("hello"));
    let disconnected = SignalSpy::new(&client.disconnected());

    client.open(server.server_url())?;

    disconnected.wait_for(1)?;
    ensure!(client.close_code() == Some(CloseCode::BAD_OPERATION), "{:?}", client.close_code());
    let panic = panics.take_first().context("no panic")?.to_string();
    ensure!(panic.contains("there is no reactor running"), "{panic}");
    Ok(())
}

/// Qt: `QProcess`, beside the handlers of `quit_on_signals`; `finished()` has the exit code.
#[cfg(unix)]
#[test]
fn a_process_runs_beside_quit_on_signals() -> Result<()> {
    use smol::process::Command;

    let event_loop = EventLoop::current();
    event_loop.quit_on_signals()?;

    event_loop
        .spawn(async {
            let status = Command::new("sh").args(["-c", "exit 7"]).status().await;
            EventLoop::current().exit(status.ok().and_then(|status| status.code()).unwrap_or(-1));
        })
        .detach();

    ensure!(event_loop.exec() == 7);
    Ok(())
}

/// Qt: `QLocalServer`, `QLocalSocket`.
#[cfg(unix)]
#[test]
fn a_local_socket_is_served_by_a_task() -> Result<()> {
    use smol::io::{AsyncReadExt, AsyncWriteExt};
    use smol::net::unix::{UnixListener, UnixStream};

    let path = std::env::temp_dir().join(format!("slotwork-{}-local", std::process::id()));
    let listener = UnixListener::bind(&path)?;
    let event_loop = EventLoop::current();
    let serving = event_loop.spawn(async move {
        let (stream, _address) = listener.accept().await?;
        smol::io::copy(stream.clone(), stream).await
    });

    let echo = event_loop.run_until(async {
        let mut stream = UnixStream::connect(&path).await?;
        stream.write_all(b"hello").await?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut echo = String::new();
        stream.read_to_string(&mut echo).await?;
        anyhow::Ok(echo)
    })?;

    ensure!(echo == "hello", "{echo}");
    ensure!(event_loop.run_until(serving)? == 5);
    Ok(fs::remove_file(path)?)
}

/// What a thread for the network sends to a toolkit's loop.
enum UserEvent {
    Connected(WebSocket),
    Message(String),
}

/// Two ways for GUI loops: a thread for the network, whose sockets are called from the toolkit's
/// thread, and turns of the loop between two frames, here with a server.
#[test]
fn a_loop_that_draws_frames_hosts_sockets_and_calls_those_of_a_thread() -> Result<()> {
    let server = WebSocketServer::new("Server", SslMode::NonSecure);
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect(|socket, text| {
                socket.send_text_message(text);
            });
        }
    });
    server.listen(HostAddress::LocalHost, 0)?;
    let (url, (proxy, events)) = (server.server_url(), mpsc::channel());
    let _network = EventThread::spawn("network", move || {
        let (socket, connected) = (WebSocket::new(), proxy.clone());
        socket.connected().connect(move |socket, ()| {
            _ = connected.send(UserEvent::Connected(socket.clone()));
        });
        socket.text_message_received().connect(move |_socket, text| {
            _ = proxy.send(UserEvent::Message(text.to_owned()));
        });
        socket.open(url)
    })?;

    let mut messages = Vec::new();
    // Some seconds of frames, at the most.
    for _frame in 0..2000 {
        EventLoop::current().process_events_for(Duration::from_millis(5));
        match events.recv_timeout(Duration::from_millis(5)) {
            Ok(UserEvent::Connected(socket)) => _ = socket.send_text_message("hello"),
            Ok(UserEvent::Message(text)) => {
                messages.push(text);
                break;
            }
            Err(_) => {}
        }
    }

    assert_eq!(messages, ["hello"]);
    Ok(())
}

/// "When the compiler complains": the compiler says so, as the signals' tests of bounds check.
#[test]
fn each_message_of_the_compiler_is_one_that_it_gives() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_to_string(root.join("docs/porting.md"))?;
    let mut given = String::new();
    for entry in fs::read_dir(root.join("signals/tests/bounds/refused"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "stderr") {
            given += &fs::read_to_string(path)?;
        }
    }

    let quoted: Vec<_> = guide.lines().filter(|line| line.starts_with("error[")).collect();
    let is_given = |message: &str| given.lines().any(|line| line == message);
    let unknown: Vec<_> = quoted.iter().filter(|message| !is_given(message)).collect();

    ensure!(quoted.len() > 5 && unknown.is_empty(), "{unknown:?} of {}", quoted.len());
    Ok(())
}
