//! Answers that precede the final one, and other forms that HTTP allows an answer to have
//! (RFC 9110 §15.2, RFC 9112 §2.2 and §5.2).

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::{CloseCode, Error, NetworkProxy, WebSocket};

use support::raw_server::RawServer;
use support::{echo_server, recorded_client, run_until, serve};

const EARLY_HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

/// How a client ended: with an open connection that was closed in order, or with this error.
type Ended = std::result::Result<(), Error>;

/// Lets a client open a connection to a server that answers with these pieces; `{}` in them is the
/// accept key.
fn open(pieces: Vec<String>, timeout: Duration) -> Result<(WebSocket, Ended)> {
    let server = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    socket.set_connect_timeout(Some(timeout));
    socket.open(server.url())?;
    serve(move || {
        let mut client = server.read_request()?;
        let key = client.upgrade()?;
        let key = key.trim_end().rsplit(' ').next().unwrap_or_default();
        for piece in pieces {
            // A client that has seen enough goes before the end.
            if client.peer.send(piece.replace("{}", key)).is_err() {
                break;
            }
        }
        // One that is open closes in order; one that refused has gone.
        let _ = client.close(1000, "");
        Ok(())
    })?;
    recorder.wait_for_disconnected(1)?;
    let ended = match socket.error() {
        None if socket.close_code() == Some(CloseCode::NORMAL) => Ok(()),
        None => anyhow::bail!("{:?} {:?}", socket.close_code(), recorder.lines()),
        Some(error) => Err(error),
    };
    Ok((socket, ended))
}

fn open_with(answer: &str) -> Result<(WebSocket, Ended)> {
    open(vec![answer.to_owned()], LONG)
}

const LONG: Duration = Duration::from_secs(20);
const UPGRADE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                       Connection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n";

/// RFC 9110 §15.2: a client reads any number of interim answers.
#[test]
fn a_client_skips_interim_answers_however_they_are_cut() -> Result<()> {
    let processing = "HTTP/1.1 102 \r\n\r\n".to_owned();
    for interim in [
        EARLY_HINTS.to_owned(),
        CONTINUE.to_owned(),
        "HTTP/1.1 199 Whatever\r\nX: y\r\n\r\n".to_owned(),
        [CONTINUE, &processing, EARLY_HINTS, EARLY_HINTS].concat(),
        EARLY_HINTS.repeat(50),
    ] {
        let answer = interim + UPGRADE;
        let step = 1 + answer.len() / 400;
        let bytes = answer.replace("{}", "@");
        let cut = |size: usize| {
            let pieces = bytes.as_bytes().chunks(size).map(String::from_utf8_lossy);
            pieces.map(|piece| piece.replace('@', "{}")).collect::<Vec<_>>()
        };
        for pieces in [vec![answer.clone()], cut(step), cut(37)] {
            let (socket, ended) = open(pieces, LONG)?;

            ensure!(ended.is_ok(), "{ended:?} for {answer:?}");
            let status = socket.handshake_response().map(|response| response.status());
            ensure!(status == Some(101), "{status:?}");
        }
    }
    Ok(())
}

/// RFC 9110 §15.2: the final answer counts, with its own headers and body.
#[test]
fn a_refusal_behind_interim_answers_counts_as_itself() -> Result<()> {
    for status in [401, 403, 426, 503] {
        let refusal = format!("HTTP/1.1 {status} No\r\nX-Why: no\r\nContent-Length: 2\r\n\r\nno");

        let (socket, ended) = open_with(&[CONTINUE, EARLY_HINTS, &refusal].concat())?;

        let is_refused = |error: &Error| matches!(error, Error::UpgradeRefused { status: found, .. } if *found == status);
        ensure!(ended.as_ref().is_err_and(is_refused), "{ended:?}");
        let response = socket.handshake_response().context("no response")?;
        ensure!((response.status(), response.body()) == (status, b"no"), "{response:?}");
        ensure!(response.header("Link").is_none(), "{response:?}");
    }
    Ok(())
}

/// They are bounded in number and in time: a server that sends nothing else ends nothing but itself.
#[test]
fn endless_interim_answers_are_an_error() -> Result<()> {
    let (_, ended) = open(vec![CONTINUE.repeat(2000)], LONG)?;
    ensure!(matches!(ended, Err(Error::InvalidAnswer(_))), "{ended:?}");

    let (server, socket) = (RawServer::listen()?, WebSocket::new());
    let disconnected = socket.disconnected().next();
    socket.set_connect_timeout(Some(Duration::from_millis(200)));
    socket.open(server.url())?;
    serve(move || {
        let mut client = server.read_request()?;
        client.peer.send(EARLY_HINTS.repeat(3))?;
        client.peer.read_to_end()
    })?;
    run_until(disconnected)?.context("the socket is gone")?;
    ensure!(matches!(socket.error(), Some(Error::ConnectTimeout(_))), "{:?}", socket.error());

    let good = WebSocket::new();
    let server = echo_server()?;
    let connected = good.connected().next();
    good.open(server.server_url())?;
    run_until(connected)?.context("the socket is gone")
}

/// An interim answer that breaks off, or is not valid, has an error of its own.
#[test]
fn what_follows_an_interim_answer_is_checked() -> Result<()> {
    for (answer, reason) in [
        ("SSH-2.0-x\r\n".to_owned(), "it is not HTTP"),
        (UPGRADE.replace("{}", "AAAA"), "its Sec-WebSocket-Accept does not fit"),
    ] {
        let (_, ended) = open_with(&[EARLY_HINTS, &answer].concat())?;

        let is_told = |error: &Error| error.to_string().contains(reason);
        ensure!(ended.as_ref().is_err_and(is_told), "{ended:?}");
    }
    Ok(())
}

/// RFC 9110 §15.2 and §9.3.6: a proxy may send them before it answers `CONNECT`, too.
#[test]
fn interim_answers_of_a_proxy_are_skipped() -> Result<()> {
    for (interim, piece) in [(EARLY_HINTS, 4096), (EARLY_HINTS, 1), (CONTINUE, 3)] {
        let server = RawServer::listen()?;
        let (socket, recorder) = recorded_client();
        socket.set_proxy(Some(NetworkProxy::http("127.0.0.1", server.port)));
        socket.open("ws://server.example/")?;

        serve(move || {
            let mut client = server.read_request()?;
            ensure!(client.request.starts_with("CONNECT server.example:80 "));
            let answer = [interim, interim, "HTTP/1.1 200 OK\r\n\r\n"].concat();
            for piece in answer.as_bytes().chunks(piece) {
                client.peer.send(piece)?;
            }
            client.request = client.peer.read_head()?;
            client.peer.send(EARLY_HINTS)?;
            client.accept("")?;
            client.close(1000, "")
        })?;

        recorder.wait_for_disconnected(1)?;
        ensure!(socket.error().is_none(), "{:?}", socket.error());
    }
    Ok(())
}

/// RFC 9112 §5.2: a user agent replaces the fold with a space.
#[test]
fn a_folded_header_line_of_an_answer_is_one_line() -> Result<()> {
    for (fold, expected) in [
        ("Set-Cookie: a=b;\r\n\tPath=/\r\n", &b"a=b; Path=/"[..]),
        ("Set-Cookie: a=b; \r\n  \t Path=/\r\n", b"a=b; Path=/"),
        ("Set-Cookie:\r\n a=b;\r\n Path=/;\r\n Secure\r\n", b"a=b; Path=/; Secure"),
        ("Set-Cookie: a=b;\n Path=/\n", b"a=b; Path=/"),
    ] {
        for lines in [format!("\r\n{fold}\r\n"), format!("\r\n{fold}X: y\r\n\r\n")] {
            let (socket, ended) = open_with(&UPGRADE.replace("\r\n\r\n", &lines))?;

            ensure!(ended.is_ok(), "{ended:?} for {lines:?}");
            let response = socket.handshake_response().context("no response")?;
            let found = response.raw_header("Set-Cookie").map(<[u8]>::to_vec);
            ensure!(found.as_deref() == Some(expected), "{found:?}");
        }
    }
    Ok(())
}

/// RFC 9112 §2.2: a recipient may take a bare LF for a line end; it must not wait for ever.
#[test]
fn an_answer_whose_lines_end_with_a_bare_lf_is_read() -> Result<()> {
    let bare = UPGRADE.replace("\r\n", "\n");
    let mixed = UPGRADE.replacen("\r\n", "\n", 2);
    for answer in [bare, mixed, UPGRADE.replace("\r\n\r\n", "\r\n\n")] {
        let (_, ended) = open_with(&answer)?;
        ensure!(ended.is_ok(), "{ended:?} for {answer:?}");

        let bytes = answer.replace("{}", "@");
        let pieces = bytes.chars().map(|one| String::from(one).replace('@', "{}")).collect();
        let (_, ended) = open(pieces, LONG)?;
        ensure!(ended.is_ok(), "{ended:?} for {answer:?} byte by byte");
    }
    // A bare CR ends nothing, and is refused at once: without that, this would be a timeout.
    let (_, ended) = open_with(&UPGRADE.replace("\r\n", "\r"))?;
    ensure!(matches!(ended, Err(Error::InvalidAnswer(_))), "{ended:?}");
    Ok(())
}
