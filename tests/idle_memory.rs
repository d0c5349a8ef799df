//! The memory of an idle connection. A binary of its own: it counts allocations.

use allocation_counter::measure;
use anyhow::{Context, Result, ensure};
use slotwork::WebSocketServer;

use support::raw_peer::{RawPeer, request_with};
use support::{listening_server, serve};

/// Three slots, and clients of one kind: their heads are equal but for the key.
#[test]
fn an_idle_connection_takes_little_memory() -> Result<()> {
    let (blocks, bytes) = per_connection(|_| String::new())?;

    // The allocator adds 8 to 16 bytes to each block.
    ensure!(blocks <= MAX_BLOCKS, "{blocks} blocks");
    ensure!(bytes <= MAX_BYTES, "{bytes} bytes");
    Ok(())
}

/// A head that no other connection has costs little more than its text.
#[test]
fn a_head_of_its_own_costs_little_more_than_its_text() -> Result<()> {
    let (_, shared) = per_connection(|_| "Cookie: session=00000000\r\n".to_owned())?;
    let (_, bytes) = per_connection(|number| format!("Cookie: session={number:08}\r\n"))?;

    let text = request_with("Cookie: session=00000000\r\n").len();
    ensure!(bytes - shared < text, "{} bytes for a head of {text}", bytes - shared);
    Ok(())
}

/// Returns the blocks and bytes of one of many connections, each with these lines in its head.
fn per_connection(lines: impl Fn(usize) -> String) -> Result<(usize, usize)> {
    let server = server_with_three_slots()?;
    let port = server.server_port();
    // The first ones fill what a loop keeps for all.
    let warm_up = open_all(port, (0..COUNT).map(&lines).collect())?;

    let mut outcome = None;
    let heads = (COUNT..2 * COUNT).map(&lines).collect();
    let seen = measure(|| outcome = Some(open_all(port, heads)));

    let peers = outcome.context("nothing was measured")??;
    ensure!(peers.len() == warm_up.len());
    let per_connection = |total: i64| usize::try_from(total).map(|total| total / COUNT);
    Ok((per_connection(seen.count_current)?, per_connection(seen.bytes_current)?))
}

/// Starts a server with the slots of the echoserver example.
fn server_with_three_slots() -> Result<WebSocketServer> {
    let server = listening_server()?;
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect(|socket, text| {
                socket.send_text_message(text);
            });
            socket.binary_message_received().connect(|socket, bytes| {
                socket.send_binary_message(bytes);
            });
            socket.disconnected().connect(|_, ()| {});
        }
    });
    Ok(server)
}

/// Opens connections that echo one message each and are then idle.
///
/// The peers are in a thread of their own, so their memory is not measured.
fn open_all(port: u16, lines: Vec<String>) -> Result<Vec<RawPeer>> {
    serve(move || {
        let open = |lines: &String| -> Result<RawPeer> {
            let mut peer = RawPeer::connect(port)?;
            peer.send(request_with(lines))?;
            peer.expect_upgrade()?;
            peer.check_echo("hello")?;
            Ok(peer)
        };
        lines.iter().map(open).collect()
    })
}

/// Enough that the growth of the lists does not show.
const COUNT: usize = 512;
/// The state, the driver's task, and the groups and slots of three signals.
const MAX_BLOCKS: usize = 8;
/// In debug builds slots and tasks also have the place where they were made.
const MAX_BYTES: usize = if cfg!(debug_assertions) { 824 } else { 784 };
