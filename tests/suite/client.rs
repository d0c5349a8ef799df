//! Sockets of clients: opening, talking, closing, opening again.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{ClientRequest, Error, SocketState, WebSocket};

use crate::support::recorder::Recorder;
use crate::support::{echo_server, serve, wait_until};

/// A client that is recorded, but for its messages.
fn recorded_client() -> (WebSocket, Recorder) {
    let (socket, recorder) = (WebSocket::new(), Recorder::default());
    let watcher = recorder.clone();
    socket.connected().connect(move |_socket, ()| watcher.add("connected"));
    recorder.watch(&socket);
    (socket, recorder)
}

/// Qt: `tst_connectivity`, CLI-09; RFC 6455 §4.1.
#[test]
fn a_client_talks_to_a_server() -> Result<()> {
    let server = echo_server()?;
    let (client, recorder) = recorded_client();
    client.connected().connect(|socket, ()| {
        socket.send_text_message("hi");
        socket.send_binary_message([1, 2]);
        socket.ping("are you there?");
    });
    client.pong().connect(|socket, _pong| _ = socket.close(1000, "bye"));

    client.open(format!("ws://127.0.0.1:{}/chat?room=1", server.server_port()))?;
    assert_eq!(client.state(), SocketState::Connecting);

    recorder.check_life(&[
        "Connecting",
        "Connected",
        "connected",
        "text hi",
        "binary [1, 2]",
        "pong asked are you there?",
        "about to close",
        "Closing",
        "Unconnected",
        "disconnected Some(1000) bye",
    ])?;
    assert_eq!(client.resource_name(), "/chat?room=1");
    assert_eq!(client.peer_port(), server.server_port());
    assert_eq!(client.handshake_response().map(|response| response.status()), Some(101));
    Ok(())
}

/// Qt: SND-06; RFC 6455 §5.3: messages of all lengths, masked with a new key for each frame.
#[test]
fn messages_of_all_lengths_go_there_and_back() -> Result<()> {
    let server = echo_server()?;
    let client = WebSocket::new();
    let echoes = SignalSpy::new(&client.binary_message_received());
    client.connected().connect(|socket, ()| {
        for length in [0, 1, 125, 126, 65_535, 65_536, 600_000, 3_000_000] {
            socket.send_binary_message(vec![7; length]);
        }
    });

    client.open(server.server_url())?;
    echoes.wait_for(8)?;

    let lengths: Vec<_> = echoes.values().iter().map(Vec::len).collect();
    assert_eq!(lengths, [0, 1, 125, 126, 65_535, 65_536, 600_000, 3_000_000]);
    Ok(())
}

/// Qt: CLI-22: the slots are still there, each once; the past is forgotten (CLI-23).
#[test]
fn a_client_can_be_opened_again() -> Result<()> {
    let server = echo_server()?;
    let (client, recorder) = recorded_client();
    client.connected().connect(|socket, ()| _ = socket.close(1000, ""));
    let url = server.server_url();

    client.open(&*url)?;
    assert!(matches!(client.open(&*url), Err(Error::AlreadyOpen)));
    recorder.wait_for_disconnected(1)?;
    assert_eq!(client.close_code().map(u16::from), Some(1000));
    let first = recorder.lines();
    client.open(&*url)?;
    assert_eq!(client.close_code(), None);
    recorder.wait_for_disconnected(2)?;

    assert_eq!(recorder.lines(), [&first[..], &first[..]].concat());
    Ok(())
}

/// Qt: the port of simple reconnecting clients: `open` in a slot of `disconnected`.
#[test]
fn a_client_can_be_opened_again_in_its_own_slot() -> Result<()> {
    let server = echo_server()?;
    let client = WebSocket::new();
    let connections = SignalSpy::new(&client.connected());
    let url = server.server_url();
    client.connected().connect(|socket, ()| socket.abort());
    let again =
        client.disconnected().connect(move |socket, ()| socket.open(&*url).expect("not open"));

    client.open(server.server_url())?;
    connections.wait_for(3)?;

    again.disconnect();
    Ok(())
}

/// Qt: CLI-03, CLI-07; the error comes before `disconnected`.
#[test]
fn a_server_that_is_not_there_is_an_error() -> Result<()> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let (client, recorder) = recorded_client();

    client.open(format!("ws://127.0.0.1:{port}/"))?;

    let refused = format!("error: cannot connect to \"127.0.0.1\" port {port}");
    recorder.check_life(&["Connecting", &refused, "Unconnected", "disconnected None "])?;
    assert!(matches!(client.error(), Some(Error::Connect { .. })));

    client.open("ws://host.invalid/")?;
    recorder.wait_for_disconnected(2)?;
    assert!(matches!(client.error(), Some(Error::HostNotFound { .. })), "{:?}", client.error());
    Ok(())
}

/// Qt: CLI-04, CLI-06: nothing happens but the error of the call.
#[test]
fn what_is_no_url_is_refused_at_once() {
    let (client, recorder) = recorded_client();

    for url in ["", "http://a", "ws://", "ws://a\r\n"] {
        assert!(client.open(url).is_err(), "{url}");
    }
    let slipped = ClientRequest::new("ws://127.0.0.1:1").header("X", "a\r\nB: c");
    assert!(client.open_request(slipped).is_err());

    assert_eq!((client.state(), recorder.lines().len()), (SocketState::Unconnected, 0));
}

/// A server of one connection that answers as it is told, and returns what it has read.
fn answer(
    listener: &TcpListener,
    answer: impl FnOnce(&mut TcpStream) -> Result<()>,
) -> Result<String> {
    let (mut stream, _) = listener.accept()?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    answer(&mut stream)?;
    Ok(String::from_utf8(head)?)
}

/// Qt: CLI-15; catalogue.md, Client: status and body are readable, redirections are not followed.
#[test]
fn a_refusal_can_be_read() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("ws://{}/", listener.local_addr()?);
    let (client, recorder) = recorded_client();

    client.open(url)?;
    serve(move || {
        answer(&listener, |stream| {
            stream.write_all(
                b"HTTP/1.1 404 Not Here\r\nContent-Length: 4\r\nSet-Cookie: a=b\r\n\r\n",
            )?;
            Ok(stream.write_all(b"gone, and more")?)
        })
    })?;

    recorder.check_life(&[
        "Connecting",
        "error: the server refused the connection with HTTP status 404 Not Here",
        "Unconnected",
        "disconnected None ",
    ])?;
    let response = client.handshake_response().context("no answer")?;
    assert_eq!((response.status(), response.body()), (404, &b"gone"[..]));
    assert_eq!(response.header("set-cookie").as_deref(), Some("a=b"));
    Ok(())
}

/// Qt: CLI-16, CLI-18, where a client waits for ever.
#[test]
fn a_server_that_answers_nothing_or_nonsense_is_given_up() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("ws://{}/", listener.local_addr()?);
    let (client, recorder) = recorded_client();

    client.set_connect_timeout(Some(Duration::from_millis(50)));
    client.open(&*url)?;
    recorder.wait_for_disconnected(1)?;
    assert!(matches!(client.error(), Some(Error::ConnectTimeout(_))), "{:?}", client.error());

    client.set_connect_timeout(None);
    client.open(&*url)?;
    serve(move || {
        let _silent = listener.accept()?;
        answer(&listener, |stream| Ok(stream.write_all(b"220 smtp.example\r\n")?))
    })?;
    recorder.wait_for_disconnected(2)?;
    assert!(matches!(client.error(), Some(Error::InvalidAnswer(_))), "{:?}", client.error());
    Ok(())
}

/// Qt: CLI-26, where a close frame goes out inside the request.
#[test]
fn a_client_may_be_closed_while_it_connects() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (client, recorder) = recorded_client();
    for count in 1..=2 {
        client.open(format!("ws://{}/", listener.local_addr()?))?;
        if count == 1 {
            client.abort()
        } else {
            _ = client.close(1000, "")
        }
        assert_eq!(client.state(), SocketState::Unconnected);
        recorder.wait_for_disconnected(count)?;
    }

    recorder.check(&[
        "Connecting",
        "Unconnected",
        "disconnected None ",
        "Connecting",
        "Unconnected",
        "disconnected None ",
    ])
}

/// Qt: CLI-08: what a client asks for, and nothing that it does not want.
#[test]
fn a_request_says_what_was_asked_for() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let client = WebSocket::new();
    client.set_origin("http://a.example")?;
    let request = ClientRequest::new(format!("ws://{address}/a b/é?q=1#f"))
        .header("Cookie", "a=b")
        .subprotocols(["chat", "v2"]);

    client.open_request(request)?;
    let request = serve(move || {
        let refuse = |stream: &mut TcpStream| Ok(stream.write_all(b"HTTP/1.1 403 No\r\n\r\n")?);
        answer(&listener, refuse)
    })?;

    ensure!(request.starts_with("GET /a%20b/%C3%A9?q=1 HTTP/1.1\r\n"), "{request}");
    let lines: Vec<_> = request.to_ascii_lowercase().lines().map(str::to_owned).collect();
    for expected in [
        &format!("host: {address}"),
        "upgrade: websocket",
        "connection: upgrade",
        "sec-websocket-version: 13",
        "sec-websocket-protocol: chat, v2",
        "origin: http://a.example",
        "cookie: a=b",
    ] {
        ensure!(lines.iter().any(|line| line == expected), "{expected} is not in {request}");
    }
    ensure!(!request.contains("xtensions"), "{request}");
    Ok(())
}

/// The loop keeps a client alive that was opened, and nothing keeps one that has disconnected.
#[test]
fn a_client_lives_until_it_has_disconnected() -> Result<()> {
    let server = echo_server()?;
    let client = WebSocket::new();
    let weak = slotwork::signals::Handle::downgrade(&client);
    client.connected().connect(|socket, ()| _ = socket.close(1000, ""));
    client.open(server.server_url())?;
    drop(client);

    assert!(weak.upgrade().is_some());
    wait_until(|| weak.upgrade().is_none())
}

/// Qt: CLI-01.
#[test]
fn a_new_client_knows_nothing_yet() {
    let client = WebSocket::new();

    assert_eq!(client.state(), SocketState::Unconnected);
    assert_eq!((client.peer_address(), client.peer_port()), (None, 0));
    assert_eq!((client.local_address(), client.local_port()), (None, 0));
    assert_eq!((client.resource_name(), client.request_url()), (String::new(), String::new()));
    assert_eq!((client.close_code(), client.origin()), (None, None));
    assert!(client.error().is_none() && !client.is_valid() && !client.flush());
    assert!(client.send_text_message("x").ok().is_err());
}
