//! Clients whose server wants to know who asks, and clients behind a proxy.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use anyhow::{Context, Result, bail, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{Authenticator, CloseCode, Error, NetworkProxy, SocketState, WebSocket};

use support::raw_peer::RawPeer;
use support::raw_server::{RawClient, RawServer};
use support::recorder::Recorder;
use support::{panic_in_slot, serve};

/// "ok:right" and "no:wrong", as RFC 7617 encodes them.
const RIGHT: &str = "Basic b2s6cmlnaHQ=";
const WRONG: &str = "Basic bm86d3Jvbmc=";

/// Answers a question with the next of some users; an empty one says nothing.
fn answer_with(users: &[&'static str]) -> impl Fn(&WebSocket, &Authenticator) + 'static {
    let users = RefCell::new(users.iter().copied().collect::<VecDeque<_>>());
    move |_socket, question| {
        if let Some(user) = users.borrow_mut().pop_front() {
            question.set_user(user);
            question.set_password(if user == "ok" { "right" } else { "wrong" });
        }
    }
}

fn recorded_client() -> (WebSocket, Recorder) {
    let (socket, recorder) = (WebSocket::new(), Recorder::default());
    recorder.watch(&socket);
    (socket, recorder)
}

/// Checks the signals of a client that could connect, or could not.
fn check(socket: &WebSocket, recorder: &Recorder, is_success: bool) -> Result<()> {
    if is_success {
        return recorder.wait_for(&["Connecting", "Connected", "connected"]);
    }
    recorder.wait_for_disconnected(1)?;
    let error = socket.error().context("no error")?;
    let expected = ["Connecting", &format!("error: {error}"), "Unconnected"];
    ensure!(recorder.lines().starts_with(&expected.map(str::to_owned)), "{:?}", recorder.lines());
    Ok(())
}

/// User information of the URL, the answers of the slot, and what the server is to see.
type Client = (&'static str, &'static [&'static str], &'static [Option<&'static str>]);

/// Qt: CLI-19, the whole matrix: no state but the usual ones is seen, whatever is tried meanwhile.
#[test]
fn a_client_logs_in() -> Result<()> {
    const CHALLENGE: &str =
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"here\"\r\n";
    let servers = [
        "Connection: keep-alive\r\nContent-Length: 4\r\n\r\nbody",
        "Connection: close\r\nContent-Length: 4\r\n\r\nbody",
        "Connection: close\r\n\r\nbody",
        "Connection: close\r\n\r\n",
        "Connection: keep-alive\r\nContent-Length: 0\r\n\r\n",
    ];
    let clients: [Client; 7] = [
        ("ok:right@", &[], &[None, Some(RIGHT)]),
        ("", &["ok"], &[None, Some(RIGHT)]),
        ("no:wrong@", &["ok"], &[None, Some(WRONG), Some(RIGHT)]),
        ("no:wrong@", &["no"], &[None, Some(WRONG)]),
        ("", &[], &[None]),
        ("", &["no", "ok"], &[None, Some(WRONG), Some(RIGHT)]),
        ("", &["no", "no", "ok"], &[None, Some(WRONG)]),
    ];
    for (answer, (user_info, answers, attempts)) in
        servers.iter().flat_map(|server| clients.iter().map(move |client| (server, *client)))
    {
        let server = RawServer::listen()?;
        let (socket, recorder) = recorded_client();
        socket.authentication_required().connect(|_socket, question| {
            assert_eq!(question.realm(), "here");
        });
        socket.authentication_required().connect(answer_with(answers));
        socket.open(server.url().replace("://", &format!("://{user_info}")))?;

        let refusal = format!("{CHALLENGE}{answer}");
        let clients = serve(move || {
            attempts
                .iter()
                .map(|expected| log_in(&server, &refusal, *expected))
                .collect::<Result<Vec<_>>>()
        })?;

        let is_success = attempts.last() == Some(&Some(RIGHT));
        check(&socket, &recorder, is_success)
            .with_context(|| format!("{user_info} {answers:?} {answer}"))?;
        assert_eq!(clients.len(), attempts.len());
        if !is_success {
            let status = socket.handshake_response().map(|response| response.status());
            assert_eq!(status, Some(401));
        }
    }
    Ok(())
}

/// Takes an attempt with these credentials, and accepts it if they are right.
fn log_in(server: &RawServer, refusal: &str, expected: Option<&str>) -> Result<RawClient> {
    let mut client = server.read_request()?;
    let found = client.header("Authorization");
    ensure!(found == expected, "{found:?} came, not {expected:?}");
    if expected == Some(RIGHT) {
        client.accept("")?;
    } else {
        client.peer.send(refusal)?;
        if refusal.contains("close") {
            client.peer.finish()?;
        }
    }
    Ok(client)
}

/// Qt: CLI-20; and a request that has brought its own.
#[test]
fn a_client_is_not_asked_what_it_cannot_answer() -> Result<()> {
    for (challenge, header) in [
        ("WWW-Authenticate: Digest realm=\"here\"\r\n", None),
        ("", None),
        ("WWW-Authenticate: Basic realm=\"here\"\r\n", Some("Bearer 1")),
    ] {
        let server = RawServer::listen()?;
        let (socket, recorder) = recorded_client();
        let questions = SignalSpy::new(&socket.authentication_required());
        let mut request = slotwork::ClientRequest::new(server.url());
        if let Some(value) = header {
            request = request.header("Authorization", value);
        }
        socket.open_request(request)?;

        let answer = format!("HTTP/1.1 401 Unauthorized\r\n{challenge}Content-Length: 0\r\n\r\n");
        serve(move || log_in(&server, &answer, header))?;

        check(&socket, &recorder, false)?;
        ensure!(matches!(socket.error(), Some(Error::UpgradeRefused { status: 401, .. })));
        assert_eq!(questions.count(), 0);
    }
    Ok(())
}

/// A slot that gives up instead of answering ends the attempt.
#[test]
fn a_client_may_be_closed_while_it_is_asked() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    socket.authentication_required().connect(|socket, question| {
        question.set_user("ok");
        socket.abort();
    });
    socket.open(server.url())?;

    serve(move || {
        let answer = "HTTP/1.1 401 x\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n";
        log_in(&server, answer, None)
    })?;

    recorder.check_life(&["Connecting", "Unconnected", "disconnected Some(1006) "])
}

/// What a proxy does with a client; the second value is what the client makes of it.
type ProxyCase = (&'static str, fn(&mut RawPeer) -> Result<()>, Option<&'static str>);

/// Opens a connection through a proxy that `act` plays; it is the server, too.
fn open_through(
    proxy: impl FnOnce(u16) -> NetworkProxy,
    slots: impl FnOnce(&WebSocket),
    act: impl FnOnce(&RawServer) -> Result<RawPeer> + Send + 'static,
) -> Result<(WebSocket, Recorder, RawServer)> {
    let server = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    slots(&socket);
    socket.set_proxy(Some(proxy(server.port)));
    socket.open("ws://server.example:81/chat")?;
    let server = serve(move || {
        let mut peer = act(&server)?;
        // A client that the proxy refused sends no request.
        if let Ok(request) = peer.read_head() {
            let mut client = RawClient { peer, request };
            ensure!(client.request.starts_with("GET /chat HTTP/1.1\r\n"), "{}", client.request);
            ensure!(client.header("Host") == Some("server.example:81"), "{}", client.request);
            ensure!(client.header("Proxy-Authorization").is_none());
            client.accept("")?;
            client.close(1000, "")?;
        }
        Ok(server)
    })?;
    recorder.wait_for_disconnected(1)?;
    Ok((socket, recorder, server))
}

fn check_proxy(socket: &WebSocket, recorder: &Recorder, reason: Option<&str>) -> Result<()> {
    let Some(expected) = reason else {
        let lines = recorder.lines();
        ensure!(lines.contains(&"connected".to_owned()), "{lines:?}");
        ensure!(socket.peer_name() == "server.example");
        return Ok(());
    };
    check(socket, recorder, false)?;
    match socket.error() {
        Some(Error::Proxy { reason, .. }) if reason == expected => Ok(()),
        other => bail!("{other:?}, not {expected:?}"),
    }
}

/// RFC 9110 §9.3.6; Qt: CLI-24, `QNetworkProxy::HttpProxy`.
#[test]
fn a_client_connects_through_an_http_proxy() -> Result<()> {
    fn answer(peer: &mut RawPeer, answer: &str) -> Result<()> {
        let request = peer.read_head()?;
        ensure!(
            request == "CONNECT server.example:81 HTTP/1.1\r\nHost: server.example:81\r\n\r\n",
            "{request}"
        );
        peer.send(answer)?;
        if !answer.contains(" 200 ") || answer.ends_with("early") {
            peer.finish()?;
        }
        Ok(())
    }
    let table: [ProxyCase; 7] = [
        ("1.1", |peer| answer(peer, "HTTP/1.1 200 OK\r\nVia: x\r\n\r\n"), None),
        ("1.0", |peer| answer(peer, "HTTP/1.0 200 Connection established\r\n\r\n"), None),
        (
            "refusal",
            |peer| answer(peer, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"),
            Some("HTTP status 403 Forbidden"),
        ),
        ("end", |peer| answer(peer, ""), Some("it ended the connection")),
        ("nonsense", |peer| answer(peer, "SOCKS"), Some("its answer is wrong: it is not HTTP")),
        (
            "more",
            |peer| answer(peer, "HTTP/1.1 200 OK\r\n\r\nearly"),
            Some("it sent more than its answer"),
        ),
        (
            "digest",
            |peer| answer(peer, "HTTP/1.1 407 x\r\nProxy-Authenticate: Digest realm=x\r\n\r\n"),
            Some("it asks for an authentication other than Basic"),
        ),
    ];
    for (what, act, reason) in table {
        let through = |port| NetworkProxy::http("127.0.0.1", port);
        let (socket, recorder, server) = open_through(
            through,
            |_| {},
            move |server| {
                let mut peer = server.accept()?;
                act(&mut peer)?;
                Ok(peer)
            },
        )?;
        check_proxy(&socket, &recorder, reason).context(what)?;
        server.expect_no_client()?;
        assert_eq!(socket.peer_port(), server.port);
    }
    Ok(())
}

/// RFC 9110 §11.7; Qt: `proxyAuthenticationRequired`.
#[test]
fn a_client_logs_in_at_an_http_proxy() -> Result<()> {
    for (known, answers, attempts, is_success) in [
        (Some("ok"), &[][..], &[None, Some(RIGHT)][..], true),
        (None, &["no", "ok"], &[None, Some(WRONG), Some(RIGHT)], true),
        (Some("no"), &["ok"], &[None, Some(WRONG), Some(RIGHT)], true),
        (None, &[], &[None], false),
    ] {
        let through = |port| {
            let proxy = NetworkProxy::http("127.0.0.1", port);
            match known {
                Some("ok") => proxy.credentials("ok", "right"),
                Some(user) => proxy.credentials(user, "wrong"),
                None => proxy,
            }
        };
        let slots = |socket: &WebSocket| {
            socket.proxy_authentication_required().connect(answer_with(answers));
        };
        let (socket, recorder, _server) = open_through(through, slots, move |server| {
            let mut last = None;
            for expected in attempts {
                let mut client = server.read_request()?;
                let found = client.header("Proxy-Authorization");
                ensure!(found == *expected, "{found:?} came, not {expected:?}");
                client.peer.send(match *expected {
                    Some(RIGHT) => "HTTP/1.1 200 OK\r\n\r\n",
                    _ => {
                        "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=x\r\n\
                         Content-Length: 0\r\n\r\n"
                    }
                })?;
                last = Some(client.peer);
            }
            last.context("no attempt")
        })?;
        let reason = (!is_success).then_some("it does not know who asks");
        check_proxy(&socket, &recorder, reason)?;
    }
    Ok(())
}

/// What a client says to a SOCKS proxy, and the answer.
type Step = (&'static [u8], &'static [u8]);

const HELLO: &[u8] = &[5, 2, 0, 2];
const LOGIN: &[u8] = b"\x01\x02ok\x05right";
const CONNECT: &[u8] = b"\x05\x01\x00\x03\x0Eserver.example\x00\x51";

/// Opens a connection through a SOCKS proxy that takes these steps, and ends then if it refuses.
fn open_through_socks(steps: &'static [Step], reason: Option<&'static str>) -> Result<()> {
    let through = |port| NetworkProxy::socks5("127.0.0.1", port).credentials("ok", "right");
    let act = move |server: &RawServer| {
        let mut peer = server.accept()?;
        for (expected, answer) in steps {
            let found = peer.read_bytes(expected.len())?;
            ensure!(found == *expected, "{found:?} came, not {expected:?}");
            peer.send(answer)?;
        }
        if reason.is_some() {
            peer.finish()?;
        }
        Ok(peer)
    };
    let (socket, recorder, server) = open_through(through, |_| {}, act)?;
    server.expect_no_client()?;
    check_proxy(&socket, &recorder, reason).with_context(|| format!("{steps:?}"))
}

/// RFC 1928, RFC 1929; Qt: `QNetworkProxy::Socks5Proxy`.
#[test]
fn a_client_connects_through_a_socks_proxy() -> Result<()> {
    const OK: &[u8] = &[5, 0, 0, 1, 10, 0, 0, 1, 0, 80];
    let table: [&[Step]; 4] = [
        &[(HELLO, &[5, 0]), (CONNECT, OK)],
        &[(HELLO, &[5, 0]), (CONNECT, b"\x05\0\0\x03\x01x\0\x01")],
        &[(HELLO, &[5, 0]), (CONNECT, b"\x05\0\0\x040123456789abcdef\0\x01")],
        &[(HELLO, &[5, 2]), (LOGIN, &[1, 0]), (CONNECT, OK)],
    ];
    table.into_iter().try_for_each(|steps| open_through_socks(steps, None))
}

/// RFC 1928 §3, §6; RFC 1929 §2.
#[test]
fn what_a_socks_proxy_refuses_is_told() -> Result<()> {
    let table: [(&[Step], &str); 9] = [
        (&[(HELLO, &[0, 0x5B])], "it is no SOCKS proxy of version 5"),
        (&[(HELLO, &[5, 0xFF])], "it asks for an authentication that is not supported"),
        (&[(HELLO, &[5, 2]), (LOGIN, &[1, 1])], "it does not accept the user name and password"),
        (&[(HELLO, &[5, 2]), (LOGIN, &[7, 0])], "its answer to the login is not of version 1"),
        (&[(HELLO, &[5, 2]), (LOGIN, &[5, 0])], "its answer to the login is not of version 1"),
        (&[(HELLO, &[5, 0]), (CONNECT, &[4, 0, 0, 1])], "its answer is not of version 5"),
        (&[(HELLO, &[5, 0]), (CONNECT, &[5, 2, 0, 1])], "its rules do not allow it"),
        (&[(HELLO, &[5, 0]), (CONNECT, &[5, 5, 0, 1])], "connection refused"),
        (
            &[(HELLO, &[5, 0]), (CONNECT, &[5, 0, 0, 9])],
            "its answer has an address of an unknown type",
        ),
    ];
    table.into_iter().try_for_each(|(steps, reason)| open_through_socks(steps, Some(reason)))
}

/// Qt: `proxyAuthenticationRequired`; a SOCKS proxy has no realm.
#[test]
fn a_client_is_asked_for_a_socks_proxy() -> Result<()> {
    let realms = Rc::new(RefCell::new(Vec::new()));
    let slots = |socket: &WebSocket| {
        let questions = socket.proxy_authentication_required();
        questions.connect_to(&realms, |realms, _socket, question| {
            realms.borrow_mut().push(question.realm().to_owned());
        });
    };
    let through = |port| NetworkProxy::socks5("127.0.0.1", port);
    let (socket, recorder, _server) = open_through(through, slots, |server| {
        let mut peer = server.accept()?;
        peer.read_bytes(4)?;
        peer.send([5, 2])?;
        Ok(peer)
    })?;

    check_proxy(&socket, &recorder, Some("it asks for a user name and a password"))?;
    assert_eq!(*realms.borrow(), [""]);
    Ok(())
}

/// Takes the tunnels of one `open`: a server behind the proxy wants a login as well. The first tunnel
/// begins without credentials, the following ones with those that the proxy has accepted.
fn play_proxy_and_server(server: &RawServer, is_http: bool, tries: &[Option<&str>]) -> Result<()> {
    let mut known = None;
    for authorization in [None, Some(WRONG), Some(RIGHT)] {
        let attempts = if known.is_none() && is_http { tries } else { &[Some(RIGHT)] };
        let mut peer = None;
        for expected in attempts {
            let mut next = if is_http {
                let mut c = server.read_request()?;
                let found = c.header("Proxy-Authorization");
                ensure!(found == *expected, "{found:?} came, not {expected:?}");
                c.peer.send(match *expected { Some(RIGHT) => "HTTP/1.1 200 OK\r\n\r\n", _ => "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n" })?;
                c.peer
            } else {
                socks_tunnel(server)?
            };
            if *expected != Some(RIGHT) {
                next.finish()?;
            }
            peer = Some(next);
        }
        known = Some(RIGHT);
        let mut peer = peer.context("no tunnel")?;
        let request = peer.read_head()?;
        let mut client = RawClient { peer, request };
        ensure!(client.header("Authorization") == authorization, "{}", client.request);
        ensure!(client.header("Proxy-Authorization").is_none());
        if authorization == Some(RIGHT) {
            client.accept("")?;
            return client.close(1000, "");
        }
        client.peer.send(
            "HTTP/1.1 401 x\r\nWWW-Authenticate: Basic realm=y\r\nContent-Length: 0\r\n\r\n",
        )?;
    }
    bail!("no login was right")
}

/// A tunnel of a SOCKS proxy that wants a login.
fn socks_tunnel(server: &RawServer) -> Result<RawPeer> {
    let mut peer = server.accept()?;
    for (expected, answer) in
        [(HELLO, &[5, 2][..]), (LOGIN, &[1, 0]), (CONNECT, &[5, 0, 0, 1, 10, 0, 0, 1, 0, 80])]
    {
        let found = peer.read_bytes(expected.len())?;
        ensure!(found == expected, "{found:?} came, not {expected:?}");
        peer.send(answer)?;
    }
    Ok(peer)
}

/// Qt: CLI-24, `proxyAuthenticationRequired`: a proxy is logged in at once for each `open`, though a
/// server behind it needs several tunnels, because it asks who asks.
#[test]
fn what_a_proxy_accepted_is_kept_for_the_next_tunnels() -> Result<()> {
    for (is_http, known, answers, tries) in [
        (true, true, &[][..], &[None, Some(RIGHT)][..]),
        (true, false, &["ok"], &[None, Some(RIGHT)]),
        (true, false, &["no", "ok"], &[None, Some(WRONG), Some(RIGHT)]),
        (false, true, &[], &[]),
        (false, false, &["ok"], &[]),
    ] {
        for user_info in ["no:wrong@", ""] {
            let server = RawServer::listen()?;
            let proxy = if is_http { NetworkProxy::http } else { NetworkProxy::socks5 };
            let proxy = proxy("127.0.0.1", server.port);
            let proxy = if known { proxy.credentials("ok", "right") } else { proxy };
            let (socket, recorder) = recorded_client();
            socket.set_proxy(Some(proxy));
            let questions = SignalSpy::new(&socket.proxy_authentication_required());
            socket.proxy_authentication_required().connect(answer_with(answers));
            let logins = if user_info.is_empty() { &["no", "ok"][..] } else { &["ok"] };
            socket.authentication_required().connect(answer_with(logins));

            socket.open(format!("ws://{user_info}server.example:81/chat"))?;
            serve(move || play_proxy_and_server(&server, is_http, tries))?;

            recorder.wait_for_disconnected(1)?;
            ensure!(socket.error().is_none(), "{:?}", socket.error());
            assert_eq!(questions.count(), answers.len());
        }
    }
    Ok(())
}

/// CLIENT-01: the one deadline covers the proxy, too.
#[test]
fn a_silent_proxy_is_given_up() -> Result<()> {
    for proxy in [NetworkProxy::http, NetworkProxy::socks5] {
        let timeout = std::time::Duration::from_millis(100);
        let slots = |socket: &WebSocket| socket.set_connect_timeout(Some(timeout));
        let (socket, ..) = open_through(
            |port| proxy("127.0.0.1", port),
            slots,
            |server| {
                let mut peer = server.accept()?;
                peer.read_to_end()?;
                Ok(peer)
            },
        )?;
        ensure!(matches!(socket.error(), Some(Error::ConnectTimeout(_))), "{:?}", socket.error());
    }
    Ok(())
}

/// Qt: CLI-19; `abort()` while the program is asked ends it without an error, as anywhere else.
#[test]
fn a_client_that_is_asked_may_give_up() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    socket.authentication_required().connect(|socket, _question| socket.abort());
    socket.open(server.url())?;

    let _client = serve(move || {
        let mut client = server.read_request()?;
        client.peer.send(
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"here\"\r\n\
             Content-Length: 0\r\n\r\n",
        )?;
        Ok(client)
    })?;

    recorder.check_life(&["Connecting", "Unconnected", "disconnected Some(1006) "])
}

type Act = fn(&WebSocket);

/// How a slot ends the attempt, and the close code of the error that follows.
const ACTS: [(&str, Act, Option<CloseCode>); 3] = [
    ("abort", |socket| socket.abort(), None),
    ("close", |socket| _ = socket.close(1000, ""), None),
    ("panic", |_| panic_in_slot(), Some(CloseCode::BAD_OPERATION)),
];

/// Answers, and then acts.
fn answer_and_act(act: Act) -> impl Fn(&WebSocket, &Authenticator) + 'static {
    move |socket, question| {
        question.set_user("ok");
        question.set_password("right");
        act(socket);
    }
}

/// Qt: `QWebSocket::authenticationRequired()`, `proxyAuthenticationRequired()` and `abort()`: no
/// password is sent after a slot has panicked, or ended its socket.
#[test]
fn a_slot_that_panics_or_ends_its_socket_gives_no_password() -> Result<()> {
    const ASKING: &str = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"here\"\r\n\
                          Content-Length: 0\r\n\r\n";
    const ASKING_AS_PROXY: &str = "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=\"here\"\r\n\
                                   Content-Length: 0\r\n\r\n";
    for (what, act, code) in ACTS {
        for kind in ["server", "HTTP proxy", "SOCKS proxy"] {
            let server = RawServer::listen()?;
            let (socket, recorder) = recorded_client();
            socket.authentication_required().connect(answer_and_act(act));
            socket.proxy_authentication_required().connect(answer_and_act(act));
            socket.set_proxy(match kind {
                "HTTP proxy" => Some(NetworkProxy::http("127.0.0.1", server.port)),
                "SOCKS proxy" => Some(NetworkProxy::socks5("127.0.0.1", server.port)),
                _ => None,
            });
            socket.open(server.url())?;

            let (server, rest) = serve(move || {
                let mut peer = server.accept()?;
                match kind {
                    "server" => {
                        peer.read_head()?;
                        peer.send(ASKING)?;
                    }
                    "HTTP proxy" => {
                        peer.read_head()?;
                        peer.send(ASKING_AS_PROXY)?;
                    }
                    _ => {
                        peer.read_bytes(4)?;
                        peer.send([5, 2])?;
                    }
                }
                let rest = peer.read_to_end()?;
                Ok((server, rest))
            })?;

            recorder.wait_for_disconnected(1)?;
            assert_eq!(rest, b"", "{kind}, {what}");
            server.expect_no_client().with_context(|| format!("{kind}, {what}"))?;
            assert_eq!(socket.error().map(|error| error.close_code()), code, "{kind}, {what}");
        }
    }
    Ok(())
}

/// The same before there is a connection: a slot of `stateChanged` that hears of `Connecting`.
#[test]
fn a_slot_that_panics_before_the_connection_stops_it() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    socket.state_changed().connect(|_socket, state| {
        if *state == SocketState::Connecting {
            panic_in_slot();
        }
    });

    socket.open(server.url())?;

    recorder.wait_for_disconnected(1)?;
    server.expect_no_client()?;
    let error = socket.error().context("no error")?;
    assert_eq!(error.close_code(), CloseCode::BAD_OPERATION);
    let expected = [
        "Connecting",
        &format!("error: {error}"),
        "Unconnected",
        "disconnected Some(1011) a slot panicked",
    ];
    recorder.check(&expected)
}
