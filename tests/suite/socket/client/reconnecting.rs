//! Clients that reconnect by themselves: `set_reconnect`, `reconnecting`.

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, TcpListener};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::signals::Handle;
use slotwork::{
    CloseCode, Error, EventLoop, HostAddress, NetworkProxy, Reconnect, ReconnectCause, SendStatus,
    SocketState, SslMode, WebSocket, WebSocketServer,
};

use support::raw_server::{RawClient, RawServer};
use support::recorder::Recorder;
use support::{echo_all, in_thread, panic_in_slot, recorded_client, run_until, serve, wait_until};

/// A policy whose delays take no time.
fn at_once() -> Reconnect {
    Reconnect::new().delay(Duration::ZERO..=Duration::ZERO)
}

/// A policy whose delays do not pass during a test.
fn never() -> Reconnect {
    Reconnect::new().delay(HOUR..=HOUR).jitter(0.0)
}

/// Makes a client that reconnects, with a recorder of its signals, also of `reconnecting`.
fn reconnecting_client(policy: Reconnect) -> (WebSocket, Recorder) {
    let (socket, recorder) = recorded_client();
    let lines = recorder.clone();
    socket.reconnecting().connect(move |_socket, attempt| {
        lines.add(format!("reconnecting {}", attempt.number));
    });
    socket.set_reconnect(Some(policy));
    (socket, recorder)
}

/// Runs the loop until the client waits to reconnect.
fn wait_for_delay(socket: &WebSocket) -> Result<()> {
    wait_until(|| socket.is_reconnecting() && socket.state() == SocketState::Unconnected)
}

/// Returns a URL of a port that refuses connections.
fn refusing_url() -> Result<String> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    Ok(format!("ws://127.0.0.1:{port}/"))
}

fn answer(client: &mut RawClient, status: &str) -> Result<()> {
    client.peer.send(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"))
}

/// Each connection and each attempt is reported as without a policy; slots stay connected.
#[test]
fn connects_again_when_the_connection_was_lost() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = reconnecting_client(at_once());
    socket.open(server.url())?;

    serve(move || {
        drop(server.open()?);
        answer(&mut server.read_request()?, "503 Service Unavailable")?;
        server.open()?.close(1000, "")
    })?;

    recorder.wait_for_disconnected(3)?;
    let lost = "error: the peer closed the connection without a closing handshake";
    recorder.check(&[
        "Connecting",
        "Connected",
        "connected",
        lost,
        "Unconnected",
        "disconnected Some(1006) ",
        "reconnecting 1",
        "Connecting",
        "error: the server refused the upgrade with HTTP status 503 Service Unavailable",
        "Unconnected",
        "disconnected Some(1006) ",
        "reconnecting 2",
        "Connecting",
        "Connected",
        "connected",
        "about to close",
        "Closing",
        "Unconnected",
        "disconnected Some(1000) ",
    ])?;
    ensure!(!socket.is_reconnecting());
    Ok(())
}

/// A server of this package is restarted on the same port.
#[test]
fn survives_a_restart_of_the_server() -> Result<()> {
    let start = |port| {
        let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
        echo_all(&server);
        server.listen(HostAddress::LocalHost, port).map(|()| server)
    };
    let server = start(0)?;
    let port = server.server_port();
    let policy = Reconnect::new().delay(Duration::from_millis(1)..=Duration::from_millis(20));
    let (socket, recorder) = reconnecting_client(policy);
    socket.connected().connect(|socket, ()| _ = socket.send_text_message("hello"));
    socket.open(server.server_url())?;
    let echoes = || recorder.lines().iter().filter(|line| *line == "text hello").count();
    wait_until(|| echoes() == 1)?;

    server.shutdown(Duration::ZERO);
    recorder.wait_for_disconnected(2)?;
    let _again = start(port)?;

    wait_until(|| echoes() == 2)?;
    ensure!(!socket.is_reconnecting() && socket.is_valid(), "{:#?}", recorder.lines());
    Ok(())
}

/// The delay applies to a first connection that fails, too, and `open` does not wait for it.
#[test]
fn a_first_attempt_that_fails_is_followed_after_the_delay() -> Result<()> {
    let (socket, recorder) = reconnecting_client(never());
    let delays = Rc::new(RefCell::new(Vec::new()));
    socket.reconnecting().connect_to(&delays, |delays, _socket, attempt| {
        let is_refused = matches!(attempt.cause, ReconnectCause::Failed(Error::Connect { .. }));
        delays.borrow_mut().push((attempt.delay, is_refused));
    });
    socket.open(refusing_url()?)?;
    wait_for_delay(&socket)?;
    assert_eq!(*delays.borrow(), [(HOUR, true)]);
    assert_eq!(socket.send_text_message("lost"), SendStatus::NotConnected);

    let server = RawServer::listen()?;
    socket.open(server.url())?;
    drop(serve(move || server.open())?);

    recorder.wait_for_disconnected(2)?;
    wait_for_delay(&socket)?;
    // The failure of the other URL does not count.
    let lines = recorder.lines();
    ensure!(lines.last().is_some_and(|line| line == "reconnecting 1"), "{lines:?}");
    socket.abort();
    Ok(())
}

/// The causes for which a client reconnects without a rule of the program.
#[test]
fn the_cause_decides_whether_a_client_reconnects() -> Result<()> {
    type Act = fn(&RawServer) -> Result<()>;
    let table: [(Act, bool); 7] = [
        (|server| server.open()?.close(1000, ""), false),
        (|server| server.open()?.close(1001, "restart"), true),
        (|server| server.open()?.close(1008, "banned"), false),
        (|server| server.open()?.close(1013, "full"), true),
        (|server| answer(&mut server.read_request()?, "403 Forbidden"), false),
        (|server| answer(&mut server.read_request()?, "503 Unavailable"), true),
        (|server| server.read_request()?.peer.send("not HTTP\r\n\r\n"), true),
    ];
    for (place, (act, is_retried)) in table.into_iter().enumerate() {
        let server = RawServer::listen()?;
        let (socket, recorder) = reconnecting_client(never());
        let is_known = Rc::new(Cell::new(None));
        socket.disconnected().connect_to(&is_known, |is_known, socket, ()| {
            is_known.set(Some(socket.is_reconnecting()));
        });
        socket.open(server.url())?;

        serve(move || act(&server))?;
        recorder.wait_for_disconnected(1)?;

        ensure!(socket.is_reconnecting() == is_retried, "case {place}");
        ensure!(is_known.get() == Some(is_retried), "case {place} in the slot");
        socket.abort();
    }
    Ok(())
}

#[test]
fn the_rule_of_the_program_replaces_that_of_the_causes() -> Result<()> {
    let server = RawServer::listen()?;
    let policy = at_once().retry_if(|cause| match cause {
        ReconnectCause::Failed(Error::UpgradeRefused { status, .. }) => *status == 429,
        ReconnectCause::Closed { code, reason } => *code == CloseCode::NORMAL && reason == "again",
        _ => false,
    });
    let (socket, recorder) = reconnecting_client(policy);
    socket.open(server.url())?;

    serve(move || {
        answer(&mut server.read_request()?, "429 Too Many Requests")?;
        server.open()?.close(1000, "again")?;
        answer(&mut server.read_request()?, "503 Unavailable")
    })?;

    recorder.wait_for_disconnected(3)?;
    ensure!(!socket.is_reconnecting());
    Ok(())
}

#[test]
fn a_panic_in_the_rule_ends_reconnecting() -> Result<()> {
    let policy = at_once().retry_if(|_cause| panic_in_slot());
    let (socket, recorder) = reconnecting_client(policy);

    socket.open(refusing_url()?)?;
    recorder.wait_for_disconnected(1)?;

    ensure!(!socket.is_reconnecting());
    Ok(())
}

/// The last failure is reported, then the end of the attempts, then `disconnected`.
#[test]
fn gives_up_after_the_maximum_of_attempts() -> Result<()> {
    let (socket, recorder) = reconnecting_client(at_once().give_up_after(Some(2)));
    let errors = Rc::new(RefCell::new(Vec::new()));
    socket.disconnected().connect_to(&errors, |errors, socket, ()| {
        let is_given_up = matches!(socket.error(), Some(Error::ReconnectGivenUp { attempts: 2 }));
        errors.borrow_mut().push((is_given_up, socket.is_reconnecting()));
    });

    socket.open(refusing_url()?)?;
    recorder.wait_for_disconnected(3)?;

    assert_eq!(*errors.borrow(), [(false, true), (false, true), (true, false)]);
    let attempts = |line: &&String| line.starts_with("reconnecting");
    assert_eq!(recorder.lines().iter().filter(attempts).count(), 2);
    Ok(())
}

/// Each attempt has a URL of its own; without a valid one it fails, and the next one follows.
#[test]
fn each_attempt_has_the_url_that_the_program_makes() -> Result<()> {
    let server = RawServer::listen()?;
    let url = server.url();
    let policy = at_once().reconnect_url(async move |attempt| match attempt.number {
        1 => None,
        2 => panic_in_slot(),
        3 => Some("http://wrong.example/".into()),
        number => Some(format!("{url}?token={number}")),
    });
    let (socket, recorder) = reconnecting_client(policy);
    let request = slotwork::ClientRequest::new(server.url()).header("X-Kept", "yes");
    socket.open_request(request)?;

    let targets = serve(move || {
        let target = |client: &RawClient| client.request.lines().next().map(str::to_owned);
        let first = target(&server.read_request()?);
        let client = server.open()?;
        ensure!(client.header("X-Kept") == Some("yes"), "{}", client.request);
        let second = target(&client);
        client.close(1000, "")?;
        Ok([first, second])
    })?;
    recorder.wait_for_disconnected(5)?;

    let expected = ["GET /chat HTTP/1.1", "GET /chat?token=4 HTTP/1.1"];
    assert_eq!(targets, expected.map(|line| Some(line.to_owned())));
    assert_eq!(socket.resource_name(), "/chat?token=4");
    let lines = recorder.lines();
    for error in [
        "error: there is no URL to reconnect to",
        "error: a slot panicked before the connection was open",
        "error: \"http://wrong.example/\" is neither ws nor wss",
    ] {
        ensure!(lines.iter().any(|line| line == error), "{error} is not in {lines:#?}");
    }
    Ok(())
}

/// The URL's future belongs to the attempt: `abort` drops it, and the connect timeout ends it.
#[test]
fn a_url_that_is_never_made_ends_with_the_attempt() -> Result<()> {
    let (sender, dropped) = smol::channel::bounded::<()>(1);
    let policy = at_once().give_up_after(Some(1)).reconnect_url(async move |_attempt| {
        let _sender = sender.clone();
        std::future::pending::<String>().await
    });
    let (socket, recorder) = reconnecting_client(policy);
    socket.set_connect_timeout(Some(Duration::from_millis(20)));
    socket.open(refusing_url()?)?;
    recorder.wait_for_disconnected(2)?;
    ensure!(matches!(socket.error(), Some(Error::ReconnectGivenUp { .. })));

    socket.set_connect_timeout(None);
    socket.open(refusing_url()?)?;
    wait_until(|| socket.is_reconnecting() && socket.state() == SocketState::Connecting)?;
    socket.abort();
    recorder.wait_for_disconnected(4)?;

    drop(socket);
    ensure!(run_until(dropped.recv())?.is_err());
    Ok(())
}

/// `open` replaces the URL also while an attempt of the policy is under way.
#[test]
fn open_during_an_attempt_begins_anew() -> Result<()> {
    let policy = at_once().reconnect_url(async |_attempt| std::future::pending::<String>().await);
    let (socket, recorder) = reconnecting_client(policy);
    socket.open(refusing_url()?)?;
    wait_until(|| socket.is_reconnecting() && socket.state() == SocketState::Connecting)?;
    let server = RawServer::listen()?;

    socket.open(server.url())?;
    ensure!(!socket.is_reconnecting());
    serve(move || server.open()?.close(1000, ""))?;

    recorder.wait_for_disconnected(3)?;
    let attempts = |line: &&String| line.starts_with("reconnecting");
    assert_eq!(recorder.lines().iter().filter(attempts).count(), 1);
    assert_eq!(socket.close_code(), Some(CloseCode::NORMAL));
    Ok(())
}

/// `close` and `abort` are final, in any state.
#[test]
fn the_program_ends_reconnecting() -> Result<()> {
    for end in [|socket: &WebSocket| _ = socket.close_normally(), WebSocket::abort] {
        // While it is connected.
        let server = RawServer::listen()?;
        let (socket, recorder) = reconnecting_client(at_once());
        socket.connected().connect(move |socket, ()| end(socket));
        socket.open(server.url())?;
        // Until the close frame, or the end.
        serve(move || Ok(_ = server.open()?.read_frame()))?;
        recorder.wait_for_disconnected(1)?;
        ensure!(!socket.is_reconnecting());

        // While it is connecting.
        socket.open(refusing_url()?)?;
        end(&socket);
        recorder.wait_for_disconnected(2)?;
        ensure!(!socket.is_reconnecting());

        // During the delay; the loop keeps the socket no longer.
        let (socket, _recorder) = reconnecting_client(never());
        socket.open(refusing_url()?)?;
        wait_for_delay(&socket)?;
        end(&socket);
        ensure!(!socket.is_reconnecting());
        let weak = socket.downgrade();
        drop(socket);
        wait_until(|| weak.upgrade().is_none())?;
    }
    Ok(())
}

#[test]
fn a_policy_that_is_removed_ends_the_delay() -> Result<()> {
    let (socket, _recorder) = reconnecting_client(never());
    socket.open(refusing_url()?)?;
    wait_for_delay(&socket)?;

    socket.set_reconnect(None);

    ensure!(!socket.is_reconnecting());
    let weak = socket.downgrade();
    drop(socket);
    wait_until(|| weak.upgrade().is_none())
}

/// Dropping a handle ends nothing, in no slot.
#[test]
fn reconnecting_needs_no_handle() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = reconnecting_client(at_once());
    socket.open(server.url())?;
    let handle = Rc::new(Cell::new(Some(socket.clone())));
    socket.error_occurred().connect_to(&handle, |handle, _socket, _error| drop(handle.take()));
    drop(socket);

    serve(move || {
        drop(server.open()?);
        server.open()?.close(1000, "")
    })?;

    recorder.wait_for_disconnected(2)?;
    ensure!(handle.take().is_none());
    Ok(())
}

/// What a program does in the slots around the end of a connection takes precedence.
#[test]
fn slots_may_end_reconnecting_or_open_the_socket() -> Result<()> {
    type Act = fn(&WebSocket, &str);
    let acts: [Act; 3] = [
        |socket, _url| socket.abort(),
        |socket, _url| socket.set_reconnect(None),
        |socket, url| {
            socket.set_reconnect(None);
            assert!(socket.open(url).is_ok());
            socket.abort();
        },
    ];
    for act in acts {
        for place in 0..3 {
            let (socket, recorder) = reconnecting_client(at_once());
            let url = refusing_url()?;
            let other = url.clone();
            let act = move |socket: &WebSocket| act(socket, &other);
            match place {
                0 => _ = socket.error_occurred().connect(move |socket, _error| act(socket)),
                1 => _ = socket.disconnected().once().connect(move |socket, ()| act(socket)),
                _ => _ = socket.reconnecting().connect(move |socket, _attempt| act(socket)),
            }
            socket.open(url)?;
            recorder.wait_for_disconnected(1)?;
            wait_until(|| socket.state() == SocketState::Unconnected)?;
            ensure!(!socket.is_reconnecting(), "slot {place}");
            let weak = socket.downgrade();
            drop(socket);
            wait_until(|| weak.upgrade().is_none())?;
        }
    }
    Ok(())
}

/// `open` in a slot connects once: it replaces the planned attempt.
#[test]
fn open_in_a_slot_replaces_the_planned_attempt() -> Result<()> {
    for place in 0..3 {
        let server = RawServer::listen()?;
        let (socket, recorder) = reconnecting_client(at_once());
        let url = server.url();
        let open = move |socket: &WebSocket| assert!(socket.open(url.as_str()).is_ok());
        match place {
            0 => _ = socket.error_occurred().once().connect(move |socket, _error| open(socket)),
            1 => _ = socket.disconnected().once().connect(move |socket, ()| open(socket)),
            _ => _ = socket.reconnecting().once().connect(move |socket, _attempt| open(socket)),
        }
        socket.open(refusing_url()?)?;

        let server = serve(move || {
            server.open()?.close(1000, "")?;
            Ok(server)
        })?;
        recorder.wait_for_disconnected(2)?;

        ensure!(!socket.is_reconnecting(), "slot {place}");
        server.expect_no_client()?;
    }
    Ok(())
}

#[test]
fn a_panic_in_a_slot_does_not_end_reconnecting() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = reconnecting_client(at_once());
    socket.disconnected().once().connect(|_socket, ()| panic_in_slot());
    socket.reconnecting().once().connect(|_socket, _attempt| panic_in_slot());
    socket.connected().once().connect(|_socket, ()| panic_in_slot());
    socket.open(server.url())?;

    serve(move || {
        // The first one is closed by the panic (1011).
        server.open()?.read_frame()?;
        server.open()?.close(1000, "")
    })?;

    recorder.wait_for_disconnected(2)
}

/// Attempts that fail before the server is reached: an unknown host, a proxy that refuses.
#[test]
fn continues_behind_unknown_hosts_and_proxies_that_refuse() -> Result<()> {
    let (socket, recorder) = reconnecting_client(at_once().give_up_after(Some(2)));
    socket.open("ws://nobody.invalid/")?;
    recorder.wait_for_disconnected(3)?;

    let proxy = RawServer::listen()?;
    let (socket, recorder) = reconnecting_client(at_once());
    socket.set_proxy(Some(NetworkProxy::http("127.0.0.1", proxy.port)));
    socket.open("ws://server.example/")?;
    serve(move || {
        answer(&mut proxy.read_request()?, "502 Bad Gateway")?;
        let mut tunnel = proxy.read_request()?;
        tunnel.peer.send("HTTP/1.1 200 OK\r\n\r\n")?;
        let request = tunnel.peer.read_head()?;
        let mut client = RawClient { peer: tunnel.peer, request };
        client.accept("")?;
        client.close(1000, "")
    })?;
    recorder.wait_for_disconnected(2)
}

/// The end of the loop's thread ends the delay, and frees the socket.
#[test]
fn a_thread_that_ends_keeps_no_socket_that_waits() -> Result<()> {
    let weak = in_thread(|_event_loop| -> Result<_> {
        let (socket, _recorder) = reconnecting_client(never());
        socket.open(refusing_url()?)?;
        wait_for_delay(&socket)?;
        Ok(socket.downgrade())
    })??;

    wait_until(|| weak.upgrade().is_none_or(|socket| !socket.is_reconnecting()))
}

/// Another thread may end the delay, or open the socket during it.
#[test]
fn another_thread_ends_the_delay() -> Result<()> {
    let (socket, _recorder) = reconnecting_client(never());
    let server = RawServer::listen()?;
    socket.open(refusing_url()?)?;
    wait_for_delay(&socket)?;

    let (other, url) = (socket.clone(), server.url());
    serve(move || {
        other.open(url)?;
        drop(server.open()?);
        Ok(())
    })?;
    wait_for_delay(&socket)?;
    let other = socket.clone();
    serve(move || {
        other.abort();
        Ok(())
    })?;

    ensure!(!socket.is_reconnecting());
    Ok(())
}

/// A loop inside a slot of `reconnecting` makes the attempt meanwhile.
#[test]
fn a_loop_inside_a_slot_connects() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = reconnecting_client(at_once());
    let is_connected = Rc::new(Cell::new(false));
    socket.reconnecting().once().connect_to(&is_connected, |is_connected, socket, _attempt| {
        let connected = socket.connected().next();
        is_connected.set(EventLoop::current().run_until(connected).is_some());
    });
    socket.open(server.url())?;

    serve(move || {
        drop(server.open()?);
        server.open()?.close(1000, "")
    })?;

    recorder.wait_for_disconnected(2)?;
    ensure!(is_connected.get());
    Ok(())
}

/// Sockets of a server do not reconnect.
#[test]
fn the_socket_of_a_server_ignores_the_policy() -> Result<()> {
    let server = support::listening_server()?;
    let accepted = server.new_connection().next();
    let client = WebSocket::new();
    client.open(server.server_url())?;
    run_until(accepted)?.context("no connection")?;
    let socket = server.next_pending_connection().context("no socket")?;
    let disconnected = socket.disconnected().next();

    socket.set_reconnect(Some(at_once()));
    client.abort();

    run_until(disconnected)?;
    ensure!(!socket.is_reconnecting());
    Ok(())
}

const HOUR: Duration = Duration::from_secs(3600);
