//! The echo server for trying clients.

use anyhow::{Result, ensure};
use rustix::process::Signal;

use support::certificates::{Authority, Pem};
use support::example::Example;
use support::raw_peer::{RawPeer, TEXT, check_good_client, masked, request_with};

use crate::{end_of, probe};

const LISTENING: &str = "listening on ws://127.0.0.1:";

/// After each rude client a good one is served.
#[test]
fn it_echoes_beside_rude_clients() -> Result<()> {
    let mut server = Example::run(&mut probe(&["--listen", "0"]))?;
    let port = server.port_behind(LISTENING)?;

    RawPeer::connect(port)?.send("GARBAGE\r\n\r\n")?;
    check_good_client(port)?;
    RawPeer::open(port)?.send(masked(TEXT, &[0xFF]))?;
    check_good_client(port)?;
    let _silent = RawPeer::connect(port)?;
    check_good_client(port)
}

/// Ctrl-C: clients are sent 1001 (RFC 6455 §7.4.1).
#[test]
fn it_ends_in_order() -> Result<()> {
    let mut server = Example::run(&mut probe(&["--listen", "0", "-s", "v1"]))?;
    let port = server.port_behind(LISTENING)?;
    let mut peer = RawPeer::connect(port)?;
    peer.send(request_with("Sec-WebSocket-Protocol: v1\r\n"))?;
    ensure!(peer.read_head()?.contains("Sec-WebSocket-Protocol: v1\r\n"));
    peer.check_echo("a\tb")?;

    server.send_signal(Signal::TERM)?;

    ensure!(peer.read_frame()?.close_code()? == 1001);
    peer.close_back()?;
    ensure!(server.process.wait()?.code() == Some(0));
    let mut log = String::new();
    std::io::Read::read_to_string(&mut server.stdout, &mut log)?;
    for line in
        [" connected: /chat?room=1, subprotocol v1\n", " < a\tb\n", " closed 1001 (going away): "]
    {
        ensure!(log.contains(line), "{log}");
    }
    Ok(())
}

#[test]
fn it_serves_over_tls() -> Result<()> {
    let authority = Authority::new()?;
    let Pem { certificate, key } = authority.sign(&["127.0.0.1"], |_| ())?;
    let path = std::env::temp_dir().join(format!("slotwork-probe-{}-listen", std::process::id()));
    std::fs::write(&path, certificate + &key)?;
    let mut command = probe(&["--listen", "0", "-q", "--cert"]);
    let mut server = Example::run(command.arg(&path))?;
    let port = server.port_behind("listening on wss://127.0.0.1:")?;
    std::fs::remove_file(&path)?;

    let url = format!("wss://127.0.0.1:{port}");
    let outcome = end_of(probe(&["-kq", &url, "hello"]))?.ended_with(0)?;

    ensure!(outcome.stdout == "hello\n", "{outcome:?}");
    Ok(())
}

#[test]
fn a_busy_port_is_an_error() -> Result<()> {
    let busy = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = busy.local_addr()?.port().to_string();

    let outcome = end_of(probe(&["--listen", &port]))?.ended_with(2)?;

    ensure!(outcome.stderr.contains("cannot listen on port"), "{outcome:?}");
    Ok(())
}
