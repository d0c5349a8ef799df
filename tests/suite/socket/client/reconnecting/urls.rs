//! The URL of each attempt.

use std::time::Duration;

use anyhow::{Result, ensure};
use slotwork::{ClientRequest, Error, SocketState};

use support::raw_server::{RawClient, RawServer};
use support::{panic_in_slot, run_until, serve, wait_until};

use super::{at_once, reconnecting_client, refusing_url};

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
    let request = ClientRequest::new(server.url()).header("X-Kept", "yes");
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
