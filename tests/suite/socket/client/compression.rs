//! Compression of clients: their offers, and the answers of raw servers (RFC 7692 §5.1, §7.1).

use anyhow::{Context, Result, bail, ensure};
use slotwork::{Compression, Error, WebSocket};

use support::raw_server::RawServer;
use support::{echo_server, listening_server, recorded_client, serve, wait_until};

const WITHOUT_HISTORY: &str = "permessage-deflate; server_no_context_takeover; \
    client_no_context_takeover; client_max_window_bits";
const WITH_4_KIB: &str = "permessage-deflate; client_max_window_bits; server_max_window_bits=12, \
    permessage-deflate; client_max_window_bits, \
    permessage-deflate; client_no_context_takeover; client_max_window_bits";

/// Opens a socket at a server that answers with these lines; returns the offer.
///
/// `check` sees the socket while it is open.
fn open(
    socket: &WebSocket,
    answer: &str,
    check: impl FnOnce(&WebSocket) -> Result<()>,
) -> Result<Option<String>> {
    let server = RawServer::listen()?;
    socket.open(server.url())?;
    let lines = answer.to_owned();
    let (offer, client) = serve(move || {
        let mut client = server.read_request()?;
        client.accept(&lines)?;
        let offer = client.header("Sec-WebSocket-Extensions").map(str::to_owned);
        Ok((offer, client))
    })?;
    wait_until(|| socket.is_valid() || socket.error().is_some())?;
    check(socket)?;
    drop(client);
    wait_until(|| !socket.is_valid())?;
    Ok(offer)
}

/// Returns the sizes of both histories.
fn sizes(socket: &WebSocket) -> Option<(usize, usize)> {
    socket.compression().map(|agreed| (agreed.history_sent(), agreed.history_received()))
}

/// RFC 7692 §7.1: what a client offers depends on its settings, and is nothing by default.
#[test]
fn a_client_offers_what_is_set() -> Result<()> {
    let table = [
        (None, None),
        (Some(Compression::new()), Some(WITHOUT_HISTORY)),
        (Some(Compression::new().history(4096)?), Some(WITH_4_KIB)),
    ];

    for (settings, offer) in table {
        let socket = WebSocket::new();
        socket.set_compression(settings);
        let found = open(&socket, "", |socket| {
            ensure!(socket.is_valid() && socket.compression().is_none());
            let request = socket.request();
            ensure!(request.header("Sec-WebSocket-Extensions").as_deref() == offer);
            Ok(())
        })?;
        ensure!(found.as_deref() == offer, "{found:?}");
    }
    Ok(())
}

/// RFC 7692 §7.1: the terms are those of the answer; no server has to limit itself.
#[test]
fn the_answer_decides() -> Result<()> {
    let table = [
        ("", (0, 32_768), (4096, 32_768)),
        ("; server_no_context_takeover; client_no_context_takeover", (0, 0), (0, 0)),
        ("; server_no_context_takeover", (0, 0), (4096, 0)),
        ("; client_no_context_takeover", (0, 32_768), (0, 32_768)),
        ("; server_max_window_bits=12", (0, 4096), (4096, 4096)),
        ("; server_max_window_bits=14", (0, 16_384), (4096, 16_384)),
        ("; server_max_window_bits=8", (0, 256), (4096, 256)),
        ("; client_max_window_bits=10", (0, 32_768), (1024, 32_768)),
        ("; client_max_window_bits=8", (0, 32_768), (0, 32_768)),
        ("; client_max_window_bits=\"15\"", (0, 32_768), (4096, 32_768)),
    ];

    for (parameters, without, with) in table {
        let answer = format!("Sec-WebSocket-Extensions: permessage-deflate{parameters}\r\n");
        for (settings, expected) in
            [(Compression::new(), without), (Compression::new().history(4096)?, with)]
        {
            let socket = WebSocket::new();
            socket.set_compression(settings);
            open(&socket, &answer, |socket| {
                ensure!(sizes(socket) == Some(expected), "{answer}: {:?}", sizes(socket));
                Ok(())
            })?;
            ensure!(sizes(&socket).is_none(), "after the end");
        }
    }
    Ok(())
}

/// RFC 6455 §4.1 and RFC 7692 §5.1: the client fails the connection.
#[test]
fn a_wrong_answer_is_an_error() -> Result<()> {
    let table = [
        "foo",
        "permessage-deflate, foo",
        "permessage-deflate, permessage-deflate",
        "permessage-deflate\r\nSec-WebSocket-Extensions: permessage-deflate",
        "permessage-deflate; unknown",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=016",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate;",
        "permessage-deflate; server_max_window_bits=\"9",
    ];

    for answer in table {
        let socket = WebSocket::new();
        socket.set_compression(Compression::new());
        let lines = format!("Sec-WebSocket-Extensions: {answer}\r\n");
        open(&socket, &lines, |socket| {
            let Some(Error::InvalidAnswer(_)) = socket.error() else {
                bail!("{answer}: {:?}", socket.error());
            };
            ensure!(socket.compression().is_none());
            Ok(())
        })?;
    }
    Ok(())
}

/// RFC 6455 §9.1: without an offer, a malformed answer is an error, as any extension is.
#[test]
fn an_answer_without_an_offer_is_an_error() -> Result<()> {
    for answer in ["permessage-deflate", "permessage-deflate;", ";"] {
        let lines = format!("Sec-WebSocket-Extensions: {answer}\r\n");
        open(&WebSocket::new(), &lines, |socket| {
            let is_invalid = matches!(socket.error(), Some(Error::InvalidAnswer(_)));
            ensure!(is_invalid, "{answer}: {:?}", socket.error());
            Ok(())
        })?;
    }
    Ok(())
}

/// Each `open` negotiates anew, with the settings of that moment.
#[test]
fn each_open_negotiates_anew() -> Result<()> {
    let (socket, recorder) = recorded_client();
    let accepted = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    socket.set_compression(Compression::new());

    let first = open(&socket, accepted, |socket| {
        ensure!(sizes(socket) == Some((0, 32_768)));
        // It is for the next connection.
        socket.set_compression(Compression::new().history(4096)?);
        ensure!(sizes(socket) == Some((0, 32_768)));
        Ok(())
    })?;
    recorder.wait_for_disconnected(1)?;
    let second = open(&socket, accepted, |socket| {
        ensure!(sizes(socket) == Some((4096, 32_768)));
        socket.set_compression(None);
        Ok(())
    })?;
    recorder.wait_for_disconnected(2)?;
    let third = open(&socket, "", |socket| {
        ensure!(socket.is_valid() && sizes(socket).is_none());
        Ok(())
    })?;

    ensure!(first.as_deref() == Some(WITHOUT_HISTORY), "{first:?}");
    ensure!(second.as_deref() == Some(WITH_4_KIB), "{second:?}");
    ensure!(third.is_none(), "{third:?}");
    Ok(())
}

/// The terms of both ends fit: what one keeps of its messages, the other keeps, too.
#[test]
fn both_ends_know_what_they_agreed_on() -> Result<()> {
    let histories = [None, Some(512), Some(4096), Some(32_768)];
    let with = |size: Option<usize>| match size {
        Some(size) => Compression::new().history(size),
        None => Ok(Compression::new()),
    };

    for (of_server, of_client) in
        histories.into_iter().flat_map(|one| histories.map(|other| (one, other)))
    {
        let (server, client) = (listening_server()?, WebSocket::new());
        server.set_compression(with(of_server)?);
        client.set_compression(with(of_client)?);
        client.open(server.server_url())?;
        wait_until(|| server.has_pending_connections() && client.is_valid())?;
        let socket = server.next_pending_connection().context("no connection")?;

        let (accepted, opened) = (sizes(&socket), sizes(&client));
        let shown = format!("{of_server:?} {of_client:?}: {accepted:?} {opened:?}");
        let (Some((sent, received)), Some((other_sent, other_received))) = (accepted, opened)
        else {
            bail!("{shown}");
        };
        let kept = if of_client.is_some() { of_server.unwrap_or(0) } else { 0 };
        let least = of_server.unwrap_or(0).min(of_client.unwrap_or(0));
        ensure!(sent == other_received && sent == least, "{shown}");
        ensure!(received == kept && other_sent == least, "{shown}");
    }
    Ok(())
}

/// RFC 7617: the request with credentials has the same offers.
#[test]
fn offers_are_repeated_with_credentials() -> Result<()> {
    let (server, socket) = (RawServer::listen()?, WebSocket::new());
    socket.set_compression(Compression::new());
    socket.open(server.url().replace("://", "://ok:right@"))?;

    let client = serve(move || {
        for _ in 0..2 {
            let mut client = server.read_request()?;
            ensure!(client.header("Sec-WebSocket-Extensions") == Some(WITHOUT_HISTORY));
            if client.header("Authorization").is_some() {
                client.accept("Sec-WebSocket-Extensions: permessage-deflate\r\n")?;
                return Ok(client);
            }
            client.peer.send(
                "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"here\"\r\n\
                 Content-Length: 0\r\nConnection: close\r\n\r\n",
            )?;
        }
        bail!("no credentials")
    })?;

    wait_until(|| socket.is_valid())?;
    ensure!(sizes(&socket) == Some((0, 32_768)));
    drop(client);
    Ok(())
}

/// A server without compression is used without.
#[test]
fn a_server_may_decline() -> Result<()> {
    let (server, client) = (echo_server()?, WebSocket::new());
    client.set_compression(Compression::new());

    client.open(server.server_url())?;
    wait_until(|| client.is_valid())?;

    ensure!(client.compression().is_none());
    ensure!(server.clients().iter().all(|socket| socket.compression().is_none()));
    Ok(())
}

/// The settings are a client's; those of a server's socket are the server's.
#[test]
fn a_servers_socket_has_no_settings_of_its_own() -> Result<()> {
    let (server, client) = (listening_server()?, WebSocket::new());
    client.set_compression(Compression::new());
    client.open(server.server_url())?;
    wait_until(|| server.has_pending_connections())?;
    let socket = server.next_pending_connection().context("no connection")?;

    socket.set_compression(Compression::new());

    ensure!(socket.compression().is_none());
    Ok(())
}
