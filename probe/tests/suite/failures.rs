//! Servers that refuse, are silent, break off, or close with a code; exit codes.

use std::net::TcpListener;

use anyhow::{Result, anyhow, ensure};
use serde_json::json;
use slotwork::CloseCode;

use support::raw_server::{RawClient, RawServer, unmasked};
use support::{echo_server, recorded_server};

use crate::{Outcome, end_of, probe, run};

/// Runs the program against a server that does this.
fn against(
    act: impl FnOnce(&RawServer) -> Result<()> + Send + 'static,
    options: &[&str],
) -> Result<Outcome> {
    let server = RawServer::listen()?;
    let command = probe(&[options, &[&server.url()]].concat());
    let peer = std::thread::spawn(move || act(&server));
    let outcome = end_of(command)?;
    peer.join().map_err(|_| anyhow!("the server panicked"))??;
    Ok(outcome)
}

/// RFC 6455 §4.1: any status other than 101 is that of HTTP, with headers and body.
#[test]
fn a_refusal_is_shown_with_status_headers_and_body() -> Result<()> {
    let refuse = |server: &RawServer| {
        let body = "not for you\nsecond line";
        let head =
            "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 23\r\n\r\n";
        server.read_request()?.peer.send(format!("{head}{body}"))
    };

    let text = against(refuse, &[])?.ended_with(5)?;
    let found = against(refuse, &["--json"])?.ended_with(5)?.json()?;

    text.shows(&["failed ", "response     403 Forbidden", "Content-Type: text/plain"])?;
    text.shows(&["body       not for you\n", "body       second line\n"])?;
    ensure!(
        text.stderr.contains("the server refused the upgrade with HTTP status 403"),
        "{text:?}"
    );
    ensure!(found["response"]["status"] == 403 && found["exit_code"] == 5, "{found}");
    ensure!(found["response"]["body"] == "not for you\nsecond line", "{found}");
    ensure!(found["is_connected"] == false && found["close"] == json!(null), "{found}");
    Ok(())
}

#[test]
fn an_invalid_answer_is_a_refusal() -> Result<()> {
    let ssh = |server: &RawServer| server.read_request()?.peer.send("SSH-2.0-server\r\n\r\n");
    let nothing = |server: &RawServer| server.read_request().map(drop);

    let answered = against(ssh, &[])?.ended_with(5)?;
    against(nothing, &[])?.ended_with(5)?;

    ensure!(answered.stderr.contains("invalid answer to the opening handshake"), "{answered:?}");
    Ok(())
}

#[test]
fn a_silent_server_is_a_timeout() -> Result<()> {
    let server = RawServer::listen()?;

    let outcome = end_of(probe(&[&server.url(), "--connect-timeout", "0.2"]))?.ended_with(3)?;

    ensure!(outcome.stderr.contains("no connection within 0.2 s"), "{outcome:?}");
    outcome.shows(&["failed ", "timings      look-up ", "TCP "])
}

#[test]
fn a_port_without_a_server_and_an_unknown_host_are_no_connection() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let free = format!("ws://{}", listener.local_addr()?);
    drop(listener);

    for url in [free.as_str(), "ws://nonexistent.invalid/"] {
        let outcome = end_of(probe(&[url]))?.ended_with(3)?;
        ensure!(!outcome.stderr.is_empty(), "{outcome:?}");
    }
    Ok(())
}

/// RFC 6455 §7.1.5: no close frame is 1006.
#[test]
fn a_dropped_connection_is_an_error() -> Result<()> {
    let drop_it = |server: &RawServer| server.open().map(drop);
    let reset = |server: &RawServer| {
        let RawClient { peer, .. } = server.open()?;
        peer.reset()
    };

    let dropped = against(drop_it, &["-F"])?.ended_with(6)?;
    against(reset, &["-F"])?.ended_with(6)?;

    ensure!(dropped.stderr.contains("without a closing handshake"), "{dropped:?}");
    dropped.shows(&["connected ", "closed       1006 (abnormal disconnection)"])
}

#[test]
fn the_close_code_of_the_server_is_shown_and_decides() -> Result<()> {
    for (code, exit) in [(1000, 0), (1001, 0), (1008, 6), (4001, 6)] {
        let (server, _recorder) = recorded_server(move |socket, _text| {
            socket.close(CloseCode::new(code), "as tested");
        })?;

        let outcome = run(&["-F", &server.server_url(), "go"])?.ended_with(exit)?;

        outcome.shows(&["closed       ", &code.to_string(), ": as tested"])?;
    }
    Ok(())
}

/// A protocol violation of the server is answered with 1002 (RFC 6455 §7.1.7).
#[test]
fn a_violation_by_the_server_fails_the_run() -> Result<()> {
    let violate = |server: &RawServer| {
        let mut client = server.open()?;
        client.peer.send(unmasked(3, b""))?;
        client.read_frame().map(drop)
    };

    against(violate, &["-F"])?.ended_with(6)?.shows(&["closed       1002"])
}

/// What was waited for is missing, although the server has closed in order.
#[test]
fn a_server_that_closes_too_early_leaves_something_missing() -> Result<()> {
    let (server, _recorder) = recorded_server(|socket, text| {
        socket.send_text_message(text);
        socket.close_normally();
    })?;

    let outcome = run(&["-n3", &server.server_url(), "go"])?.ended_with(1)?;

    ensure!(outcome.stderr == "error: missing: 2 more messages\n", "{outcome:?}");
    Ok(())
}

#[test]
fn unusable_options_are_reported_before_connecting() -> Result<()> {
    let server = echo_server()?;
    let url = server.server_url();
    let table: [(&[&str], &str); 10] = [
        (&[], "required arguments were not provided"),
        (&["http://a"], "is neither ws nor wss"),
        (&["ws://"], "is not a valid URL"),
        (&[&url, "-H", "nothing"], "a header is NAME: VALUE"),
        (&[&url, "-H", "Host: a"], "is not a valid header name"),
        (&[&url, "-s", "a b"], "is not a valid subprotocol"),
        (&[&url, "--ca", "/nonexistent"], "cannot use the certificate file"),
        (&[&url, "-", "-"], "standard input can be sent once"),
        (&[&url, "--listen", "0"], "cannot be used with"),
        (&["--listen", "0", "-p1"], "cannot be used with"),
    ];
    for (arguments, error) in table {
        let outcome = end_of(probe(arguments))?.ended_with(2)?;
        ensure!(outcome.stderr.contains(error), "{error}: {outcome:?}");
    }
    Ok(())
}
