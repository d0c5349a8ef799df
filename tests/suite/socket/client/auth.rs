//! Authentication of a client at its server (HTTP 401, RFC 7617).

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{Authenticator, CloseCode, Error, NetworkProxy, SocketState, WebSocket};

use support::logins::{RIGHT, WRONG, answer_with, check_outcome};
use support::raw_server::{RawClient, RawServer};
use support::{panic_in_slot, recorded_client, serve};

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
        check_outcome(&socket, &recorder, is_success)
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

        check_outcome(&socket, &recorder, false)?;
        ensure!(matches!(socket.error(), Some(Error::UpgradeRefused { status: 401, .. })));
        assert_eq!(questions.count(), 0);
    }
    Ok(())
}

/// A slot that aborts instead of answering ends the attempt.
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

/// Qt: CLI-19; `abort()` in a slot of the challenge ends it without an error, as anywhere else.
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

/// The same before there is a connection: a slot of `stateChanged` for `Connecting`.
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
