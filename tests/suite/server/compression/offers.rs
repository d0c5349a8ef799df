//! Offers of clients, and the answers of a server, byte for byte.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, ensure};
use slotwork::{
    AgreedCompression, Compression, EventLoop, HandshakeRequest, Role, SslMode, Verdict, WebSocket,
    WebSocketServer,
};

use support::raw_peer::{KEY, RawPeer, check_good_client, request_with};
use support::recorder::Recorder;
use support::{compressing_server, echo, echo_server, serve, wait_until};

use super::{CHROMIUM, WITH_4_KIB, WITHOUT, connect, connect_one, read_answer};

/// The headers of a request, the answer, and what the socket of the server then has.
type Row = (&'static [&'static str], Option<&'static str>, &'static str);

/// The names of the parameters, shorter.
const FORGET: [(&str, &str); 4] = [
    ("SNC", "server_no_context_takeover"),
    ("CNC", "client_no_context_takeover"),
    ("SMB", "server_max_window_bits"),
    ("CMB", "client_max_window_bits"),
];

fn long(short: &str) -> String {
    FORGET.iter().fold(short.replace("PMD", "permessage-deflate"), |text, (short, long)| {
        text.replace(short, long)
    })
}

/// Connects a client for each row, which is answered in this way and served.
fn check(compression: Compression, table: &'static [Row]) -> Result<()> {
    let server = compressing_server(compression)?;
    let recorder = Recorder::default();
    let taken = recorder.clone();
    server.new_connection().connect(move |server, ()| {
        // The echo's slot, which comes first, has taken it; the others have ended.
        for socket in server.clients() {
            taken.add(sizes(socket.compression()));
        }
    });
    let port = server.server_port();

    for (headers, expected, sizes) in table {
        let headers: Vec<_> = headers.iter().map(|header| long(header)).collect();
        let shown = format!("{headers:?}");
        let found = serve(move || {
            let headers: Vec<_> = headers.iter().map(String::as_str).collect();
            let (mut peer, found) = connect(port, &headers)?;
            peer.check_echo("plain")?;
            peer.close(1000, "")?;
            Ok(found)
        })?;

        ensure!(found == expected.map(long), "{shown}: {found:?}");
        wait_until(|| server.clients().is_empty())?;
        ensure!(recorder.lines().last().is_some_and(|line| line == sizes), "{shown}");
    }
    ensure!(recorder.lines().len() == table.len());
    Ok(())
}

fn sizes(agreed: Option<AgreedCompression>) -> String {
    let Some(agreed) = agreed else { return "none".to_owned() };
    format!("{} {}", agreed.history_sent(), agreed.history_received())
}

/// RFC 7692 §7.1.1 and §7.1.2: without a history, each end forgets.
#[test]
fn a_server_without_a_history_answers_that_both_ends_forget() -> Result<()> {
    check(
        Compression::new(),
        &[
            (&[], None, "none"),
            // Firefox, Chromium.
            (&["PMD"], Some("PMD; SNC; CNC"), "0 0"),
            (&["PMD; CMB"], Some("PMD; SNC; CNC"), "0 0"),
            (&["PMD; CMB=8"], Some("PMD; SNC; CNC"), "0 0"),
            (&["PMD; SMB=9"], Some("PMD; SNC; CNC; SMB=9"), "0 0"),
            (&["PMD; SMB=15; CMB=15"], Some("PMD; SNC; CNC; SMB=15"), "0 0"),
            (&["PMD; SMB=\"10\"; CMB"], Some("PMD; SNC; CNC; SMB=10"), "0 0"),
        ],
    )
}

/// RFC 7692 §7.1: with a history of 4 KiB.
#[test]
fn a_server_with_a_history_limits_windows_to_it() -> Result<()> {
    check(
        Compression::new().history(4096)?,
        &[
            // Firefox, Safari: their window cannot be limited.
            (&["PMD"], Some("PMD; CNC; SMB=12"), "4096 0"),
            // Chromium, Python, ws.
            (&["PMD; CMB"], Some("PMD; SMB=12; CMB=12"), "4096 4096"),
            (&["PMD; CMB=15"], Some("PMD; SMB=12; CMB=12"), "4096 4096"),
            (&["PMD; CMB=9"], Some("PMD; SMB=12; CMB=9"), "4096 512"),
            (&["PMD; CMB=8"], Some("PMD; SMB=12; CMB=8"), "4096 256"),
            (&["PMD; CMB; SMB=9"], Some("PMD; SMB=9; CMB=12"), "512 4096"),
            (&["PMD; CMB; SMB=15"], Some("PMD; SMB=12; CMB=12"), "4096 4096"),
            (&["PMD; CMB; SNC"], Some("PMD; SNC; SMB=12; CMB=12"), "0 4096"),
            (&["PMD; CMB; CNC"], Some("PMD; CNC; SMB=12"), "4096 0"),
            (&["PMD; SNC; CNC"], Some("PMD; SNC; CNC; SMB=12"), "0 0"),
            // ws and Python with a small window: SMB and CMB are confirmed.
            (&["PMD; SMB=12; CMB=12"], Some("PMD; SMB=12; CMB=12"), "4096 4096"),
        ],
    )
}

/// RFC 7692 §7.1.2: 15 bits are a window without a limit.
#[test]
fn a_server_with_the_largest_history_limits_no_window() -> Result<()> {
    check(
        Compression::new().history(32_768)?,
        &[
            (&["PMD"], Some("PMD"), "32768 32768"),
            (&["PMD; CMB"], Some("PMD"), "32768 32768"),
            (&["PMD; CMB=10"], Some("PMD; CMB=10"), "32768 1024"),
            (&["PMD; SMB=15"], Some("PMD; SMB=15"), "32768 32768"),
        ],
    )
}

/// RFC 7692 §5.1 and §7.1: offers in their order, in any number of headers; others are declined.
#[test]
fn offers_that_are_not_acceptable_are_declined() -> Result<()> {
    check(
        Compression::new(),
        &[
            (&["PMD; SMB=8"], None, "none"),
            (&["PMD; SMB"], None, "none"),
            (&["PMD; SMB=16"], None, "none"),
            (&["PMD; SMB=09"], None, "none"),
            (&["PMD; CMB=7"], None, "none"),
            (&["PMD; SNC=1"], None, "none"),
            (&["PMD; SNC; SNC"], None, "none"),
            (&["PMD; unknown"], None, "none"),
            (&["x-webkit-deflate-frame, permessage-bzip2; a=\"b\""], None, "none"),
            (&[""], None, "none"),
            (&["PMD; SMB=8, PMD; SMB=11", "PMD"], Some("PMD; SNC; CNC; SMB=11"), "0 0"),
            (&["PMD; unknown", "foo; bar", "PMD"], Some("PMD; SNC; CNC"), "0 0"),
            (&["foo, PMD ; SMB = 10, PMD"], Some("PMD; SNC; CNC; SMB=10"), "0 0"),
        ],
    )
}

/// RFC 6455 §9.1: malformed is 400 also where compression is accepted.
#[test]
fn malformed_offers_are_refused() -> Result<()> {
    let server = compressing_server(Compression::new())?;
    let port = server.server_port();

    serve(move || {
        for header in ["permessage-deflate;", "permessage-deflate; server_max_window_bits=\"10"] {
            let mut peer = RawPeer::connect(port)?;
            peer.send(request_with(&format!("Sec-WebSocket-Extensions: {header}\r\n")))?;
            let answer = peer.read_response()?;
            ensure!(answer.head.starts_with("HTTP/1.1 400 "), "{header}: {answer:?}");
            check_good_client(port)?;
        }
        Ok(())
    })
}

/// `set_compression` is for clients that connect from then on, and off by default.
#[test]
fn compression_is_off_until_it_is_set() -> Result<()> {
    let server = echo_server()?;
    ensure!(server.compression().is_none());
    let settings = Compression::new().history(4096)?;

    let (_first, off) = connect_one(&server, CHROMIUM)?;
    server.set_compression(settings);
    ensure!(server.compression() == Some(settings));
    let (_second, on) = connect_one(&server, CHROMIUM)?;
    server.set_compression(None);
    let (_third, off_again) = connect_one(&server, CHROMIUM)?;

    ensure!(off.is_none() && off_again.is_none());
    ensure!(on.as_deref() == Some(WITH_4_KIB), "{on:?}");
    let agreed = server.clients().iter().filter(|it| it.compression().is_some()).count();
    ensure!(agreed == 1, "{agreed}");
    Ok(())
}

/// A verifier is asked first, and cannot set the header.
#[test]
fn compression_is_negotiated_behind_the_verifier() -> Result<()> {
    let server = compressing_server(Compression::new())?;
    server.set_verifier(async |_server, _handshake| Verdict::accept().header("X-Checked", "yes"));

    let (_peer, agreed) = connect_one(&server, CHROMIUM)?;

    ensure!(agreed.as_deref() == Some(WITHOUT), "{agreed:?}");
    Ok(())
}

/// Qt: `handleConnection()`; such a connection is negotiated as an accepted one.
#[test]
fn connections_that_are_handed_over_are_negotiated_too() -> Result<()> {
    let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
    server.set_compression(Compression::new());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut peer = RawPeer::connect_to(listener.local_addr()?)?;
    server.handle_connection(listener.accept()?.0, &[])?;

    let agreed = serve(move || {
        peer.send(request_with(&format!("Sec-WebSocket-Extensions: {CHROMIUM}\r\n")))?;
        read_answer(&mut peer)
    })?;

    ensure!(agreed.as_deref() == Some(WITHOUT), "{agreed:?}");
    Ok(())
}

/// Where another library has answered, no extension was negotiated.
#[test]
fn upgraded_connections_have_no_compression() -> Result<()> {
    let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
    server.set_compression(Compression::new());
    server.new_connection().connect(|server, ()| {
        server.next_pending_connection().iter().for_each(echo);
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let headers = [
        ("Host", "127.0.0.1"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Extensions", CHROMIUM),
    ];
    let request = HandshakeRequest::from_head("GET", "/", headers)?;

    let mut adopted = RawPeer::connect_to(address)?;
    let stream = smol::net::TcpStream::try_from(listener.accept()?.0)?;
    server.adopt_upgraded(stream, &[], request, None)?;
    let _other = RawPeer::connect_to(address)?;
    let upgraded = WebSocket::from_upgraded(listener.accept()?.0, &[], Role::Server)?;
    serve(move || adopted.check_echo("plain").map(|()| adopted))?;

    ensure!(server.clients().iter().all(|socket| socket.compression().is_none()));
    ensure!(upgraded.compression().is_none());
    drop(upgraded);
    EventLoop::current().process_events();
    Ok(())
}
