//! A page and `wss` on one port of another library, which ends TLS: the sockets are the server's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use slotwork::{Error, SslMode, TlsCertificate, WebSocket, WebSocketServer};
use support::certificates::Authority;
use support::raw_peer::{BINARY, Frame, PING, PONG, masked, masked_texts};
use support::recorder::Recorder;
use support::tls_peer::TlsPeer;
use support::{echo, serve, wait_until};

/// A server behind another library, with a recorder of peers, URLs and ends.
struct Site {
    name: &'static str,
    server: WebSocketServer,
    recorder: Recorder,
    port: u16,
    trusted: TlsCertificate,
    _runtime: Option<tokio::runtime::Runtime>,
}

#[test]
fn a_page_and_the_chat_share_a_port() -> Result<()> {
    for site in sites()? {
        let (port, trusted) = (site.port, site.trusted.clone());
        let big = "x".repeat(2 * 1024 * 1024);

        let address = serve(move || {
            let mut page = TlsPeer::begin_with(port, &trusted)?;
            page.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
            ensure!(page.read_head()?.starts_with("HTTP/1.1 200 "));
            ensure!(page.read_to_end()?.ends_with(frameworks::PAGE.as_bytes()));
            let mut bad = TlsPeer::begin_with(port, &trusted)?;
            bad.send("GET /chat HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
            ensure!(bad.read_head()?.starts_with("HTTP/1.1 426 "));

            let mut peer = open(port, &trusted)?;
            peer.check_echo("hello")?;
            peer.check_echo(&big)?;
            ensure!(peer.close(1000, "bye")? == Frame::close(1000, "bye"));
            Ok(peer.tcp().local_addr()?)
        })
        .context(site.name)?;

        site.recorder.wait_for_disconnected(1)?;
        let lines = site.recorder.lines();
        let from = format!("{address} at wss://localhost/chat?room=1");
        ensure!(lines == [from, "disconnected Some(1000)".into()], "{}: {lines:?}", site.name);
    }
    Ok(())
}

#[test]
fn broadcasts_and_keepalive_include_its_sockets() -> Result<()> {
    for site in sites()? {
        let (port, trusted) = (site.port, site.trusted.clone());
        let mut peers =
            serve(move || (0..3).map(|_| open(port, &trusted)).collect::<Result<Vec<_>>>())
                .context(site.name)?;
        wait_until(|| site.server.clients().len() == 3)?;

        site.server.broadcast_text("to all");
        site.server.set_keepalive_interval(Some(Duration::from_millis(50)));

        serve(move || {
            for peer in &mut peers {
                peer.expect(&Frame::text("to all"))?;
                let ping = peer.read_frame()?;
                ensure!(ping.opcode == PING, "{ping:?}");
            }
            let mut living = peers.remove(0);
            living.send(masked(PONG, b"here"))?;
            // Those that do not answer are ended.
            for mut dead in peers {
                while dead.read_frame().is_ok() {}
            }
            Ok(())
        })
        .context(site.name)?;
        site.recorder.wait_for_disconnected(2).context(site.name)?;
    }
    Ok(())
}

#[test]
fn a_slow_reader_gets_everything() -> Result<()> {
    for site in sites()? {
        let (port, trusted) = (site.port, site.trusted.clone());
        site.server.set_output_limit(64 * 1024 * 1024);
        let mut peer = serve(move || open(port, &trusted)).context(site.name)?;
        wait_until(|| !site.server.clients().is_empty())?;
        let socket = site.server.clients().remove(0);

        for number in 0..32 {
            socket.send_binary_message(vec![number; 1024 * 1024]);
        }
        let all = socket.bytes_to_write();
        // It waits in the socket: what lies between takes a few MiB.
        ensure!(all > 8 * 1024 * 1024, "{}: {all}", site.name);

        serve(move || {
            for number in 0..32 {
                let message = peer.read_frame()?;
                ensure!(message.opcode == BINARY && message.payload == vec![number; 1024 * 1024]);
            }
            peer.close(1000, "").map(drop)
        })
        .context(site.name)?;
        site.recorder.wait_for_disconnected(1)?;
        ensure!(socket.error().is_none() && socket.bytes_to_write() == 0, "{:?}", socket.error());
    }
    Ok(())
}

#[test]
fn a_peer_that_vanishes_ends_its_socket_alone() -> Result<()> {
    for site in sites()? {
        let (port, trusted) = (site.port, site.trusted.clone());
        let mut good = serve(move || {
            let good = open(port, &trusted)?;
            // Without `close_notify`.
            let mut gone = open(port, &trusted)?;
            gone.check_echo("there")?;
            Ok(good)
        })
        .context(site.name)?;

        site.recorder.wait_for_disconnected(1).context(site.name)?;

        let lines = site.recorder.lines();
        ensure!(lines.ends_with(&["disconnected Some(1006)".into()]), "{}: {lines:?}", site.name);
        wait_until(|| site.server.clients().len() == 1)?;
        serve(move || good.check_echo("still there")).context(site.name)?;
    }
    Ok(())
}

#[test]
fn messages_behind_the_request_are_not_lost() -> Result<()> {
    for site in sites()? {
        let (port, trusted) = (site.port, site.trusted.clone());

        serve(move || {
            let mut peer = TlsPeer::begin_with(port, &trusted)?;
            let early = masked_texts(&["early", "bird"]);
            peer.send([support::raw_peer::request().into_bytes(), early].concat())?;
            peer.expect_upgrade()?;
            peer.expect_texts(&["early", "bird"])
        })
        .context(site.name)?;
    }
    Ok(())
}

/// Opens a connection of a client.
fn open(port: u16, trusted: &TlsCertificate) -> Result<TlsPeer> {
    let mut peer = TlsPeer::begin_with(port, trusted)?;
    peer.send(support::raw_peer::request().replace("Host: 127.0.0.1", "Host: localhost"))?;
    peer.expect_upgrade()?;
    Ok(peer)
}

fn sites() -> Result<Vec<Site>> {
    ["rustls", "hyper", "axum"].into_iter().map(site).collect()
}

fn site(name: &'static str) -> Result<Site> {
    let authority = Authority::new()?;
    let pem = authority.sign(&["localhost"], |_| ())?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(pem.certificate.as_bytes())?],
            PrivateKeyDer::from_pem_slice(pem.key.as_bytes())?,
        )?;
    // TLS is done: it needs no certificate.
    let server = WebSocketServer::new("", SslMode::Secure);
    let recorder = Recorder::default();
    let lines = recorder.clone();
    server.new_connection().connect(move |server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            record(&socket, &lines);
            echo(&socket);
        }
    });
    let (runtime, port) = match name {
        "axum" => {
            let (runtime, port) = frameworks::axum::serve(&server, config)?;
            (Some(runtime), port)
        }
        "hyper" => (None, frameworks::hyper::serve(&server, config)?),
        _ => (None, frameworks::rustls::serve(&server, config)?),
    };
    Ok(Site { name, server, recorder, port, trusted: authority.certificate(), _runtime: runtime })
}

fn record(socket: &WebSocket, recorder: &Recorder) {
    let peer = socket.peer_address().map(|address| SocketAddr::new(address, socket.peer_port()));
    let peer = peer.map(|peer| peer.to_string()).unwrap_or_default();
    recorder.add(format!("{peer} at {}", socket.request_url()));
    let recorder = recorder.clone();
    socket.disconnected().connect(move |socket, ()| {
        let error = match socket.error() {
            None | Some(Error::RemoteHostClosed | Error::KeepaliveTimeout) => "".into(),
            Some(error) => format!(": {error}"),
        };
        recorder.add(format!("disconnected {:?}{error}", socket.close_code().map(u16::from)));
    });
}
