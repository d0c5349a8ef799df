//! Compression on several threads: settings reach all parts, which share one budget.

use anyhow::{Result, ensure};
use slotwork::{Compression, HostAddress, SslMode, WebSocketServer};

use support::compressed_peer::{CompressedPeer, chat_message};
use support::{echo, serve, wait_until};

use super::{CHROMIUM, WITH_4_KIB, WITHOUT, connect_one};

/// The second connection is on the other thread.
#[test]
fn the_parts_of_a_server_share_one_budget() -> Result<()> {
    let settings = Compression::new().history(4096)?.history_budget(8192);
    for is_set_before in [true, false] {
        let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
        if is_set_before {
            server.set_compression(settings);
        }
        let _threads = server.serve_on_threads(2, |part| {
            part.new_connection().connect(|part, ()| {
                part.next_pending_connection().iter().for_each(echo);
            });
        })?;
        server.set_compression(settings);
        server.listen(HostAddress::LocalHost, 0)?;

        let (first, agreed) = connect_one(&server, CHROMIUM)?;
        ensure!(agreed.as_deref() == Some(WITH_4_KIB), "{agreed:?}");
        let (_second, agreed) = connect_one(&server, CHROMIUM)?;
        ensure!(agreed.as_deref() == Some(WITHOUT), "{agreed:?}");
        drop(first);
        wait_until(|| server.clients().len() == 1)?;
        let (_third, agreed) = connect_one(&server, CHROMIUM)?;
        ensure!(agreed.as_deref() == Some(WITH_4_KIB), "{agreed:?}");
    }
    Ok(())
}

/// A broadcast reaches the clients of all threads compressed, with a history and between other
/// messages.
#[test]
fn broadcasts_reach_the_clients_of_all_threads() -> Result<()> {
    let server = WebSocketServer::new("Test Server", SslMode::NonSecure);
    server.set_compression(Compression::new().history(4096)?);
    let _threads = server.serve_on_threads(2, |part| {
        part.new_connection().connect(|part, ()| {
            part.next_pending_connection().iter().for_each(echo);
        });
    })?;
    server.listen(HostAddress::LocalHost, 0)?;
    let port = server.server_port();
    let mut peers = serve(move || {
        (0..4).map(|_| CompressedPeer::open(port, CHROMIUM)).collect::<Result<Vec<_>>>()
    })?;
    wait_until(|| server.clients().len() == 4)?;

    for round in 0..10 {
        let broadcast = chat_message(round, 900);
        ensure!(server.broadcast_text(&broadcast) == 4);
        peers = serve(move || {
            for peer in &mut peers {
                ensure!(peer.expect_text(&broadcast)?, "round {round}: it is plain");
                peer.check_echo(&chat_message(round + 100, 700))?;
            }
            Ok(peers)
        })?;
    }
    Ok(())
}
