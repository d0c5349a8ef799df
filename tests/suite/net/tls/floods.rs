//! Peers that send records without end, or that no good peer sends, instead of a handshake.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use async_tungstenite::tungstenite::handshake::derive_accept_key;
use rustls::sign::SingleCertAndKey;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use slotwork::signals::SignalSpy;
use slotwork::{Error, WebSocket};

use support::certificates::{Authority, provider};
use support::raw_peer::RawPeer;
use support::raw_server::RawServer;
use support::tls_peer::check_good_tls_client;
use support::{recorded_secure_server, serve};

/// Makes a record of TLS (RFC 8446 §5.1).
fn record(kind: u8, content: &[u8]) -> Result<Vec<u8>> {
    let length = u16::try_from(content.len())?.to_be_bytes();
    Ok([&[kind, 3, 3][..], &length, content].concat())
}

/// The beginning of a handshake, of which the message of this type says that it is so long.
fn announced(kind: u8, length: [u8; 3], records: usize) -> Result<Vec<u8>> {
    let first = record(22, &[&[kind][..], &length, &[7; 16_000]].concat())?;
    let more = record(22, &[7; 16_000])?.repeat(records - 1);
    Ok([first, more].concat())
}

/// What a peer sends, whose first handshake message would be of type `hello`.
fn floods(hello: u8) -> Result<Vec<(&'static str, Vec<u8>)>> {
    Ok(vec![
        ("a longer record than allowed", [&[22, 3, 3, 0x48, 0x01][..], &[7; 18_500]].concat()),
        ("the longest record there could be", [&[22, 3, 3, 0xFF, 0xFF][..], &[7; 65_535]].concat()),
        ("an empty handshake record", record(22, &[])?.repeat(100)),
        ("a message of 16 MiB", announced(hello, [0xFF; 3], 20)?),
        ("a message of another kind", announced(20, [0, 0, 32], 1)?),
        ("data", record(23, &[7; 100])?.repeat(100)),
        ("ChangeCipherSpec without end", record(20, &[1])?.repeat(1000)),
        ("a wrong ChangeCipherSpec", record(20, &[2])?),
        ("a heartbeat", record(24, &[1, 0x40, 0])?),
        ("warnings without end", record(21, &[1, 90])?.repeat(1000)),
        ("an alert of one byte", record(21, &[2])?),
        ("an alert of three bytes", record(21, &[2, 40, 0])?),
        ("an unknown record", record(99, &[7; 10])?),
        ("nothing of TLS", vec![0; 5000]),
    ])
}

/// RFC 8446 §5.1 and §6; RFC 6066 §3.
#[test]
fn a_client_gives_up_what_is_no_handshake() -> Result<()> {
    for (what, bytes) in floods(2)? {
        let server = RawServer::listen()?;
        let socket = WebSocket::new();
        let ends = SignalSpy::new(&socket.disconnected());
        socket.open(server.url().replace("ws:", "wss:"))?;

        serve(move || {
            let mut peer = server.accept()?;
            // The client may end it before all of it is sent.
            let _ = peer.send(bytes);
            let _ = peer.read_to_end();
            Ok(())
        })
        .context(what)?;
        ends.wait_for(1).context(what)?;

        let error = socket.error().context(what)?;
        ensure!(!matches!(error, Error::ConnectTimeout(_)), "{what}: {error:?}");
    }
    Ok(())
}

/// The same, of a client: it ends alone, once.
#[test]
fn a_server_gives_up_what_is_no_handshake() -> Result<()> {
    let authority = Authority::new()?;
    for (what, bytes) in floods(1)? {
        let (server, recorder) = recorded_secure_server(authority.server_config()?)?;
        let (port, trusted) = (server.server_port(), authority.certificate());

        serve(move || {
            let mut peer = RawPeer::connect(port)?;
            let _ = peer.send(bytes);
            let _ = peer.read_to_end();
            check_good_tls_client(port, &trusted)
        })
        .context(what)?;

        let lines = recorder.lines();
        ensure!(lines.len() == 2 && lines[0] != "timeout 1006", "{what}: {lines:?}");
        ensure!(lines.contains(&"new connection".to_owned()), "{what}: {lines:?}");
    }
    Ok(())
}

/// Is a server behind the opening handshake of a client, and then sends what `more` makes, until that
/// fails.
fn flood_client(
    listener: &TcpListener,
    config: ServerConfig,
    mut more: impl FnMut(&mut ServerConnection) -> Result<()>,
) -> Result<()> {
    let connection = ServerConnection::new(Arc::new(config))?;
    let mut peer = RawPeer::over(StreamOwned::new(connection, listener.accept()?.0));
    let head = peer.read_head()?;
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = derive_accept_key(key.context("no key")?.as_bytes());
    peer.send(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ))?;
    for _ in 0..1_000_000 {
        let stream = peer.stream_mut();
        if more(&mut stream.conn).and_then(|()| Ok(stream.flush()?)).is_err() {
            return Ok(());
        }
    }
    bail!("it never ends")
}

/// RFC 8446 §4.6.3: keys may be changed at any time, but not without end, by servers neither.
#[test]
fn a_server_that_only_changes_keys_is_given_up() -> Result<()> {
    let authority = Authority::new()?;
    let pem = authority.sign(&["localhost"], |_| ())?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(pem.certified_key()?)));
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let socket = WebSocket::new();
    let ends = SignalSpy::new(&socket.disconnected());
    socket.set_tls_config(authority.client_config());
    socket.open(format!("wss://localhost:{}", listener.local_addr()?.port()))?;

    serve(move || flood_client(&listener, config, |tls| Ok(tls.refresh_traffic_keys()?)))?;
    ends.wait_for(1)?;

    ensure!(socket.error().is_some());
    Ok(())
}
