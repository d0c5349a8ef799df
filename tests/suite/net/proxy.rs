//! Tunnels through HTTP and SOCKS proxies, with authentication.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Context, Result, bail, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{Error, NetworkProxy, WebSocket};

use support::logins::{RIGHT, WRONG, answer_with, check_outcome};
use support::raw_peer::RawPeer;
use support::raw_server::{RawClient, RawServer};
use support::recorder::Recorder;
use support::{recorded_client, serve};

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
    check_outcome(socket, recorder, false)?;
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
                last = Some(http_tunnel(server, *expected)?);
            }
            last.context("no attempt")
        })?;
        let reason = (!is_success).then_some("it requires authentication");
        check_proxy(&socket, &recorder, reason)?;
    }
    Ok(())
}

/// Reads one `CONNECT` with these credentials, and accepts it if they are right.
fn http_tunnel(server: &RawServer, expected: Option<&str>) -> Result<RawPeer> {
    let mut client = server.read_request()?;
    let found = client.header("Proxy-Authorization");
    ensure!(found == expected, "{found:?} came, not {expected:?}");
    client.peer.send(if expected == Some(RIGHT) {
        "HTTP/1.1 200 OK\r\n\r\n"
    } else {
        "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n"
    })?;
    Ok(client.peer)
}

/// Bytes of a client to a SOCKS proxy, and the answer.
type Step = (&'static [u8], &'static [u8]);

const HELLO: &[u8] = &[5, 2, 0, 2];
const LOGIN: &[u8] = b"\x01\x02ok\x05right";
const CONNECT: &[u8] = b"\x05\x01\x00\x03\x0Eserver.example\x00\x51";
const OK: &[u8] = &[5, 0, 0, 1, 10, 0, 0, 1, 0, 80];
const SOCKS_WITH_LOGIN: &[Step] = &[(HELLO, &[5, 2]), (LOGIN, &[1, 0]), (CONNECT, OK)];

/// Opens a connection through a SOCKS proxy that takes these steps, and ends then if it refuses.
fn open_through_socks(steps: &'static [Step], reason: Option<&'static str>) -> Result<()> {
    let through = |port| NetworkProxy::socks5("127.0.0.1", port).credentials("ok", "right");
    let act = move |server: &RawServer| {
        let mut peer = socks_tunnel(server, steps)?;
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
    let table: [&[Step]; 4] = [
        &[(HELLO, &[5, 0]), (CONNECT, OK)],
        &[(HELLO, &[5, 0]), (CONNECT, b"\x05\0\0\x03\x01x\0\x01")],
        &[(HELLO, &[5, 0]), (CONNECT, b"\x05\0\0\x040123456789abcdef\0\x01")],
        SOCKS_WITH_LOGIN,
    ];
    table.into_iter().try_for_each(|steps| open_through_socks(steps, None))
}

/// RFC 1928 §3, §6; RFC 1929 §2.
#[test]
fn what_a_socks_proxy_refuses_is_reported() -> Result<()> {
    let table: [(&[Step], &str); 16] = [
        (&[(HELLO, &[0, 0x5B])], "it is no SOCKS proxy of version 5"),
        (&[(HELLO, &[5, 0xFF])], "it asks for an authentication that is not supported"),
        (&[(HELLO, &[5, 2]), (LOGIN, &[1, 1])], "it does not accept the user name and password"),
        (&[(HELLO, &[5, 2]), (LOGIN, &[7, 0])], "its answer to the login is not of version 1"),
        (&[(HELLO, &[5, 2]), (LOGIN, &[5, 0])], "its answer to the login is not of version 1"),
        (&[(HELLO, &[5, 0]), (CONNECT, &[4, 0, 0, 1])], "its answer is not of version 5"),
        (&[(HELLO, &[5, 0]), (CONNECT, &[5, 1, 0, 1])], "it has failed"),
        (&[(HELLO, &[5, 0]), (CONNECT, &[5, 2, 0, 1])], "its rules do not allow it"),
        (&[(HELLO, &[5, 0]), (CONNECT, &[5, 3, 0, 1])], "network unreachable"),
        (&[(HELLO, &[5, 0]), (CONNECT, &[5, 4, 0, 1])], "host unreachable"),
        (&[(HELLO, &[5, 0]), (CONNECT, &[5, 5, 0, 1])], "connection refused"),
        (&[(HELLO, &[5, 0]), (CONNECT, &[5, 6, 0, 1])], "the time to live has expired"),
        (&[(HELLO, &[5, 0]), (CONNECT, &[5, 7, 0, 1])], "it does not support this command"),
        (&[(HELLO, &[5, 0]), (CONNECT, &[5, 8, 0, 1])], "it does not support this type of address"),
        (&[(HELLO, &[5, 0]), (CONNECT, &[5, 9, 0, 1])], "it has failed"),
        (
            &[(HELLO, &[5, 0]), (CONNECT, &[5, 0, 0, 9])],
            "its answer has an address of an unknown type",
        ),
    ];
    table.into_iter().try_for_each(|(steps, reason)| open_through_socks(steps, Some(reason)))
}

/// A proxy that goes away is a failed connection, not a refusal.
#[test]
fn a_socks_proxy_may_end_the_connection() -> Result<()> {
    let table: [&[Step]; 3] =
        [&[], &[(HELLO, &[5])], &[(HELLO, &[5, 0]), (CONNECT, &[5, 0, 0, 1, 10])]];
    for steps in table {
        let through = |port| NetworkProxy::socks5("127.0.0.1", port);
        let (socket, recorder, _server) = open_through(
            through,
            |_| {},
            move |server| {
                let mut peer = socks_tunnel(server, steps)?;
                peer.finish()?;
                Ok(peer)
            },
        )?;

        check_outcome(&socket, &recorder, false)?;
        ensure!(matches!(socket.error(), Some(Error::Connection { .. })), "{:?}", socket.error());
    }
    Ok(())
}

/// RFC 1929 §2: user name and password have one byte for their length.
#[test]
fn long_credentials_are_not_cut_for_a_socks_proxy() -> Result<()> {
    for (user, password) in [("u".repeat(256), "p".to_owned()), ("u".to_owned(), "p".repeat(256))] {
        let through = |port| NetworkProxy::socks5("127.0.0.1", port).credentials(user, password);
        let (socket, recorder, _server) = open_through(
            through,
            |_| {},
            |server| {
                let mut peer = socks_tunnel(server, &[(HELLO, &[5, 2])])?;
                let rest = peer.read_to_end()?;
                ensure!(rest.is_empty(), "{rest:?}");
                Ok(peer)
            },
        )?;
        let reason = "the user name or the password is longer than 255 bytes";
        check_proxy(&socket, &recorder, Some(reason))?;
    }
    Ok(())
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

/// Takes the tunnels of one `open`: a server behind the proxy requires authentication as well. The
/// first tunnel begins without credentials, the others with those that the proxy has accepted.
fn play_proxy_and_server(server: &RawServer, is_http: bool, tries: &[Option<&str>]) -> Result<()> {
    let mut known = None;
    for authorization in [None, Some(WRONG), Some(RIGHT)] {
        let attempts = if known.is_none() && is_http { tries } else { &[Some(RIGHT)] };
        let mut peer = None;
        for expected in attempts {
            let mut next = if is_http {
                http_tunnel(server, *expected)?
            } else {
                socks_tunnel(server, SOCKS_WITH_LOGIN)?
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

/// Takes these steps of a SOCKS proxy with a client.
fn socks_tunnel(server: &RawServer, steps: &[Step]) -> Result<RawPeer> {
    let mut peer = server.accept()?;
    for (expected, answer) in steps {
        let found = peer.read_bytes(expected.len())?;
        ensure!(found == *expected, "{found:?} came, not {expected:?}");
        peer.send(answer)?;
    }
    Ok(peer)
}

/// Qt: CLI-24, `proxyAuthenticationRequired`: a proxy's credentials are requested once for each
/// `open`, though a server behind it needs several tunnels for its own authentication.
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

/// Qt: `abort(); open(url)`: each connection has a tunnel of its own.
#[test]
fn a_client_opens_again_through_its_proxy() -> Result<()> {
    const URL: &str = "ws://server.example:81/chat";
    let server = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    socket.set_proxy(Some(NetworkProxy::http("127.0.0.1", server.port)));
    socket.connected().connect(|socket, ()| {
        socket.abort();
        assert!(socket.open(URL).is_ok());
    });

    socket.open(URL)?;
    serve(move || {
        for _ in 0..100 {
            let RawClient { mut peer, .. } = server.read_request()?;
            peer.send("HTTP/1.1 200 OK\r\n\r\n")?;
            let request = peer.read_head()?;
            let mut client = RawClient { peer, request };
            client.accept("")?;
            client.peer.read_to_end()?;
        }
        Ok(())
    })?;

    recorder.wait_for_disconnected(100)
}

/// A slot may give the proxy up: the next connection is direct.
#[test]
fn a_slot_opens_again_without_the_proxy() -> Result<()> {
    let (proxy, server) = (RawServer::listen()?, RawServer::listen()?);
    let (socket, recorder) = recorded_client();
    socket.set_proxy(Some(NetworkProxy::http("127.0.0.1", proxy.port)));
    let url = server.url();
    socket.proxy_authentication_required().connect(move |socket, _authenticator| {
        socket.set_proxy(None);
        socket.abort();
        assert!(socket.open(url.as_str()).is_ok());
    });

    socket.open("ws://server.example:81/chat")?;
    let client = serve(move || {
        http_tunnel(&proxy, None)?;
        server.open()
    })?;

    let attempt = ["Connecting", "Unconnected", "disconnected Some(1006) "];
    recorder.wait_for(&[&attempt[..], &["Connecting", "Connected", "connected"]].concat())?;
    drop(client);
    Ok(())
}
