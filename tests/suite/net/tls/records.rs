//! TLS records that no good client sends, and records as networks cut them.

use anyhow::{Result, ensure};
use rustls::{ContentType, SupportedProtocolVersion};
use slotwork::TlsCertificate;
use slotwork::signals::SignalSpy;

use support::certificates::Authority;
use support::raw_peer::{BINARY, TEXT, masked};
use support::relay::bytewise;
use support::tls_peer::{
    OF_TLS_1_2, RecordPeer, TlsPeer, check_good_tls_client, client_config, client_hello,
};
use support::{secure_echo_server, serve, serve_tls};

/// Opens a connection, and continues with records of the test's own.
fn open_records(
    port: u16,
    trusted: &TlsCertificate,
    version: &'static SupportedProtocolVersion,
) -> Result<RecordPeer> {
    let mut config = client_config(trusted, &[version])?;
    config.enable_secret_extraction = true;
    let mut peer = TlsPeer::begin(port, config)?;
    peer.shake_hands()?;
    peer.check_echo("well")?;
    peer.into_records()
}

/// RFC 8446 §5.1: empty records hide the length of the data, and are allowed between others.
#[test]
fn empty_records_between_others_are_skipped() -> Result<()> {
    for version in rustls::ALL_VERSIONS {
        serve_tls(move |port, trusted| {
            let mut peer = open_records(port, trusted, version)?;
            for _ in 0..100 {
                let mut records = Vec::new();
                for _ in 0..10 {
                    records.extend(peer.data(b"")?);
                }
                records.extend(peer.data(&masked(TEXT, b"data at last"))?);
                peer.tcp.send(records)?;
                assert_eq!(peer.read_kind()?, ContentType::ApplicationData);
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// RFC 8446 §5.1: a message in many records arrives whole, and what follows it as well.
#[test]
fn a_message_in_many_records_arrives_whole() -> Result<()> {
    for version in rustls::ALL_VERSIONS {
        serve_tls(move |port, trusted| {
            let message: Vec<u8> = (0..=250).cycle().take(3 * 1024 * 1024).collect();
            let frame = masked(BINARY, &message);
            let mut peer = TlsPeer::begin(port, client_config(trusted, &[version])?)?;
            peer.shake_hands()?;
            for size in [frame.len(), 1_000_000, 70_000] {
                for piece in frame.chunks(size) {
                    peer.send(piece)?;
                }
                let is_whole = peer.read_frame()?.payload == message;
                ensure!(is_whole, "in pieces of {size} bytes");
                peer.check_echo("behind it")?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// RFC 8446 §5.1: a peer that sends only empty records is an attack on the loop, and is cut off.
#[test]
fn a_peer_that_sends_only_empty_records_is_cut_off() -> Result<()> {
    for version in rustls::ALL_VERSIONS {
        serve_tls(move |port, trusted| {
            let mut peer = open_records(port, trusted, version)?;
            let mut flood = Vec::new();
            for _ in 0..1000 {
                flood.extend(peer.data(b"")?);
            }
            peer.tcp.send(flood)?;
            peer.tcp.read_to_end()?;
            check_good_tls_client(port, trusted)
        })?;
    }
    Ok(())
}

/// RFC 5246 §7.4.1.1 and §7.2.2: the first wish to renegotiate is refused with a warning.
#[test]
fn renegotiation_is_refused() -> Result<()> {
    serve_tls(|port, trusted| {
        let mut peer = open_records(port, trusted, &rustls::version::TLS12)?;
        let greeting = client_hello([3, 3], OF_TLS_1_2)?.split_off(5);

        let record = peer.record(ContentType::Handshake, &greeting)?;
        peer.tcp.send(record)?;
        assert_eq!(peer.read_kind()?, ContentType::Alert);
        let record = peer.data(&masked(TEXT, b"as before"))?;
        peer.tcp.send(record)?;
        assert_eq!(peer.read_kind()?, ContentType::ApplicationData);

        let mut flood = Vec::new();
        for _ in 0..100 {
            flood.extend(peer.record(ContentType::Handshake, &greeting)?);
        }
        peer.tcp.send(flood)?;
        peer.tcp.read_to_end()?;
        check_good_tls_client(port, trusted)
    })
}

/// RFC 8446 §5.1: records may be cut anywhere by TCP, from `ClientHello` to `close_notify`.
#[test]
fn a_whole_connection_may_come_byte_by_byte() -> Result<()> {
    for version in rustls::ALL_VERSIONS {
        let authority = Authority::new()?;
        let server = secure_echo_server(authority.server_config()?)?;
        let (port, trusted) = (bytewise(server.server_port())?, authority.certificate());

        serve(move || {
            let mut peer = TlsPeer::begin(port, client_config(&trusted, &[version])?)?;
            peer.shake_hands()?;
            for length in [0, 1, 125, 126, 20_000] {
                peer.check_echo(&"a".repeat(length))?;
            }
            peer.close(1000, "bye").map(drop)
        })?;
    }
    Ok(())
}

/// The same with a client of ours.
#[test]
fn a_client_takes_a_whole_connection_byte_by_byte() -> Result<()> {
    use slotwork::{CloseCode, WebSocket};
    let authority = Authority::new()?;
    let server = secure_echo_server(authority.server_config()?)?;
    let socket = WebSocket::new();
    let texts = SignalSpy::new(&socket.text_message_received());
    let ends = SignalSpy::new(&socket.disconnected());
    let message = "a".repeat(20_000);
    socket.set_tls_config(authority.client_config());
    let sent = message.clone();
    socket.connected().connect(move |socket, ()| {
        socket.send_text_message(&sent);
    });

    socket.open(format!("wss://localhost:{}/", bytewise(server.server_port())?))?;
    texts.wait_for(1)?;
    socket.close(1000, "bye");
    ends.wait_for(1)?;

    assert_eq!(texts.values(), [message]);
    ensure!(socket.error().is_none(), "{:?}", socket.error());
    assert_eq!(socket.close_code(), Some(CloseCode::from(1000)));
    Ok(())
}
