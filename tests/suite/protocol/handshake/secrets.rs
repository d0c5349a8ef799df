//! Redaction: requests, answers and errors never show a password, a cookie or a token.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use slotwork::{
    Authenticator, ClientRequest, HttpAnswer, NetworkProxy, PreparedMessage, Verdict, WebSocket,
};

use support::logged::{everything_of, warnings_of};
use support::raw_peer::{RawPeer, request_with};
use support::raw_server::RawServer;
use support::{echo_server, listening_server, recorded_client, serve, wait_until};

/// What must not be seen.
const SECRET: &str = "hunter2";
/// The same behind "ada:", as RFC 7617 has it.
const ENCODED: &str = "YWRhOmh1bnRlcjI=";

fn check(what: &str, shown: &str) -> Result<()> {
    ensure!(!shown.contains(SECRET), "{what} shows it: {shown}");
    Ok(())
}

/// RFC 3986 §3.2.1, RFC 9110 §11.6 and §17.16.
#[test]
fn no_secret_of_a_request_is_shown() -> Result<()> {
    let request = ClientRequest::new("wss://ada:hunter2@chat.example/room?token=hunter2")
        .header("Authorization", "Bearer hunter2")
        .header("Cookie", "session=hunter2")
        .subprotocols(["chat"]);
    let proxy = NetworkProxy::http("proxy.example", 3128).credentials("ada", SECRET);
    let authenticator = Authenticator::new("here");
    authenticator.set_password(SECRET);

    for shown in [format!("{request:?}"), format!("{request:#?}")] {
        check("a request", &shown)?;
        for kept in ["chat.example/room", "Authorization", "Cookie", "chat"] {
            ensure!(shown.contains(kept), "{kept} is not in {shown}");
        }
    }
    check("a proxy", &format!("{proxy:?}"))?;
    check("an authenticator", &format!("{authenticator:?}"))
}

/// The same for the values of a server.
#[test]
fn no_secret_of_a_client_or_of_an_answer_is_shown() -> Result<()> {
    for verdict in [Verdict::accept(), Verdict::refuse(302, SECRET)] {
        let verdict = verdict.header("Set-Cookie", "session=hunter2");
        let shown = format!("{verdict:?}");
        check("a verdict", &shown)?;
        ensure!(shown.contains("Set-Cookie"), "{shown}");
    }
    let server = listening_server()?;
    let shown = Rc::new(RefCell::new(String::new()));
    server.set_verifier({
        let shown = Rc::clone(&shown);
        async move |_server, handshake| {
            *shown.borrow_mut() = format!("{handshake:?}");
            Verdict::accept()
        }
    });
    let port = server.server_port();

    let _peer = serve(move || {
        let mut peer = RawPeer::connect(port)?;
        let headers = "Cookie: a=hunter2\r\nAuthorization: Basic hunter2\r\n";
        peer.send(request_with(headers).replace("room=1", "token=hunter2"))?;
        peer.expect_upgrade()?;
        Ok(peer)
    })?;
    wait_until(|| server.has_pending_connections())?;
    let socket = server.next_pending_connection().context("no socket")?;

    ensure!(shown.borrow().contains("/chat"), "{shown:?}");
    check("an opening handshake", &shown.borrow())?;
    check("the request of a socket", &format!("{:?} {socket:?}", socket.request()))
}

/// Answers set cookies, too: those of pages, and those that a client got.
#[test]
fn no_secret_of_an_answer_is_shown() -> Result<()> {
    let page = HttpAnswer::new(404).header("Set-Cookie", "session=hunter2").body(SECRET);
    let server = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    socket.open(server.url())?;
    serve(move || {
        let mut client = server.read_request()?;
        client.accept("Set-Cookie: session=hunter2\r\n")?;
        client.close(1000, "")
    })?;
    recorder.wait_for_disconnected(1)?;
    let response = socket.handshake_response().context("no answer")?;

    for (shown, status) in [(format!("{page:?}"), "404"), (format!("{response:?}"), "101")] {
        check("an answer", &shown)?;
        ensure!(shown.contains(status) && shown.contains("Set-Cookie"), "{shown}");
    }
    check("a message", &format!("{:?}", PreparedMessage::text(SECRET)))
}

/// An error is logged, and sent to others.
#[test]
fn no_error_of_open_shows_a_secret() -> Result<()> {
    let good = "ws://127.0.0.1:1/";
    let requests = [
        ClientRequest::new("http://ada:hunter2@127.0.0.1/?token=hunter2"),
        ClientRequest::new("HTTPS://hunter2@127.0.0.1"),
        ClientRequest::new("ws://ada:hunter2@/"),
        ClientRequest::new("ws://ada:hunter2@a b/?hunter2"),
        ClientRequest::new("ws://ada:x/hunter2@127.0.0.1:99/"),
        ClientRequest::new("ws://ada:x#hunter2@127.0.0.1:99999/"),
        ClientRequest::new("ws://ada:x?hunter2@127.0.0.1/"),
        ClientRequest::new("ws://127.0.0.1:99999/?token=hunter2"),
        ClientRequest::new("ws://127.0.0.1:99999/#hunter2"),
        ClientRequest::new("ada:hunter2@127.0.0.1"),
        ClientRequest::new("ws:/ada:hunter2@127.0.0.1"),
        ClientRequest::new(good).header("Authorization", "Bearer hunter2\r\n"),
        ClientRequest::new(good).header("Cookie", "hunter2\0"),
        ClientRequest::new(good).header("Authorization: Bearer hunter2", ""),
        ClientRequest::new(good).subprotocols(["chat", "bearer.hunter2=="]),
        ClientRequest::new(good).subprotocols(["hunter2", "hunter2"]),
    ];
    for request in requests {
        let socket = WebSocket::new();
        let what = format!("{request:?}");
        check("a request", &what)?;

        // The one URL with a password that has no visible bounds is valid.
        let Err(error) = socket.open_request(request) else { continue };

        check("an error", &format!("{error} {error:?} {:?}", socket.error()))?;
        check("its text", &socket.error_string())?;
    }
    Ok(())
}

/// The log has nothing of it at any level, neither of ours nor of the libraries below.
#[test]
fn no_secret_of_an_opening_handshake_is_logged() -> Result<()> {
    let logged = everything_of(|| {
        let server = RawServer::listen()?;
        let (socket, recorder) = recorded_client();
        let proxy = NetworkProxy::http("127.0.0.1", server.port);
        socket.set_proxy(Some(proxy.credentials("ada", SECRET)));
        let request = ClientRequest::new("ws://ada:hunter2@a.example/room?token=hunter2")
            .header("Cookie", "session=hunter2")
            .subprotocols(["token.hunter2"]);
        socket.open_request(request)?;
        serve(move || play_proxy_and_server(&server))?;
        recorder.wait_for_disconnected(1)?;
        ensure!(socket.error().is_none(), "{:?}", socket.error());
        Ok(())
    })?;

    let log = logged.join("\n");
    ensure!(!log.is_empty(), "nothing was logged");
    ensure!(!log.contains(ENCODED), "{log}");
    check("the log", &log)
}

/// Asks for a login for the proxy and one for the server, and accepts both.
fn play_proxy_and_server(server: &RawServer) -> Result<()> {
    let refusal = |header| format!("{header}-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n");
    let refused = format!("HTTP/1.1 407 x\r\n{}", refusal("Proxy"));
    server.read_request()?.peer.send(refused)?;
    for logs_in in [false, true] {
        let mut client = server.read_request()?;
        ensure!(client.request.contains(ENCODED), "{}", client.request);
        client.peer.send("HTTP/1.1 200 OK\r\n\r\n")?;
        client.request = client.peer.read_head()?;
        let sent = client.request.matches(SECRET).count();
        ensure!(sent == 3 && client.request.contains(ENCODED) == logs_in, "{}", client.request);
        if logs_in {
            client.accept("Sec-WebSocket-Protocol: token.hunter2\r\n")?;
            return client.close(1000, "");
        }
        client.peer.send(format!("HTTP/1.1 401 x\r\n{}", refusal("WWW")))?;
    }
    Ok(())
}

/// What a verifier cannot send is logged without the value.
#[test]
fn no_secret_of_an_answer_is_logged() -> Result<()> {
    let server = echo_server()?;
    server.set_verifier(async |_server, _handshake| {
        Verdict::accept().header("Set-Cookie", "session=hunter2\r\n")
    });
    let port = server.server_port();

    let logged = warnings_of(|| {
        serve(move || {
            let mut peer = RawPeer::connect(port)?;
            peer.send(request_with(""))?;
            ensure!(peer.read_status()? == 500);
            Ok(())
        })
    })?;

    ensure!(logged.iter().any(|line| line.contains("Set-Cookie")), "{logged:?}");
    check("the log", &logged.join("\n"))
}
