//! The memory of an idle connection. A binary of its own: it counts allocations.

use std::thread;

use allocation_counter::measure;
use anyhow::{Context, Result, anyhow, ensure};
#[cfg(feature = "compression")]
use slotwork::Compression;
use slotwork::WebSocketServer;

#[cfg(feature = "compression")]
use support::compressed_peer::{FINAL, RSV1, Streams, chat_message};
use support::raw_peer::{RawPeer, request_with};
#[cfg(feature = "compression")]
use support::raw_peer::{TEXT, masked_frame};
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

/// RFC 7692: agreed without a history, compression keeps its terms and nothing else.
#[cfg(feature = "compression")]
#[test]
fn compression_without_a_history_takes_little_memory() -> Result<()> {
    let (_, plain) = with_compression(None, |_| Ok(()))?;
    let (_, bytes) = with_compression(Compression::new(), |_| Ok(()))?;
    let (_, with_messages) =
        with_compression(Compression::new(), |peer| echo_compressed(peer, 10, false))?;

    ensure!(bytes - plain <= 32, "{} bytes more", bytes - plain);
    ensure!(with_messages - plain <= 32, "{} bytes more", with_messages - plain);
    Ok(())
}

/// RFC 7692 §7.1.1: two histories of 4 KiB take that memory once they are full, and none before.
#[cfg(feature = "compression")]
#[test]
fn a_history_takes_the_memory_of_its_messages() -> Result<()> {
    let (_, plain) = with_compression(None, |_| Ok(()))?;
    let history = Compression::new().history(4096)?;
    let (_, empty) = with_compression(history, |_| Ok(()))?;
    let (_, full) = with_compression(history, |peer| echo_compressed(peer, 20, true))?;

    ensure!(empty - plain <= 256, "{} bytes more", empty - plain);
    ensure!(full - plain <= 2 * 4096 + 256, "{} bytes more", full - plain);
    Ok(())
}

/// Returns the blocks and bytes of a connection that offers compression, to a server with it.
#[cfg(feature = "compression")]
fn with_compression(
    compression: impl Into<Option<Compression>>,
    act: fn(&mut RawPeer) -> Result<()>,
) -> Result<(usize, usize)> {
    let compression = compression.into();
    let set_up = move |server: &WebSocketServer| server.set_compression(compression);
    measure_connections(set_up, |_| OFFER.to_owned(), act)
}

/// Sends compressed messages of 1 KiB and reads their echoes.
#[cfg(feature = "compression")]
fn echo_compressed(peer: &mut RawPeer, count: usize, has_history: bool) -> Result<()> {
    let mut streams = Streams::new(has_history, has_history);
    for number in 0..count {
        let text = chat_message(number, 1024);
        let payload = streams.compress(text.as_bytes())?;
        peer.send(masked_frame(FINAL | RSV1 | TEXT, &payload))?;
        let (_, payload) = peer.read_any_frame()?;
        ensure!(streams.inflate(&payload)? == text.as_bytes());
    }
    Ok(())
}

/// Returns the blocks and bytes of one of many connections, each with these lines in its head.
fn per_connection(lines: impl Fn(usize) -> String + Send + 'static) -> Result<(usize, usize)> {
    measure_connections(|_| {}, lines, |_| Ok(()))
}

/// Returns the same of connections to a server with these settings, which also act before they are idle.
///
/// In a thread of its own: another one has memory that it uses again.
fn measure_connections(
    set_up: impl FnOnce(&WebSocketServer) + Send + 'static,
    lines: impl Fn(usize) -> String + Send + 'static,
    act: fn(&mut RawPeer) -> Result<()>,
) -> Result<(usize, usize)> {
    let measuring = thread::spawn(move || {
        let server = server_with_three_slots()?;
        set_up(&server);
        measure_here(server.server_port(), lines, act)
    });
    measuring.join().map_err(|_| anyhow!("the server's thread panicked"))?
}

fn measure_here(
    port: u16,
    lines: impl Fn(usize) -> String,
    act: fn(&mut RawPeer) -> Result<()>,
) -> Result<(usize, usize)> {
    // The first ones fill what a loop keeps for all.
    let warm_up = open_all(port, (0..COUNT).map(&lines).collect(), act)?;

    let mut outcome = None;
    let heads = (COUNT..2 * COUNT).map(&lines).collect();
    let seen = measure(|| outcome = Some(open_all(port, heads, act)));

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
fn open_all(
    port: u16,
    lines: Vec<String>,
    act: fn(&mut RawPeer) -> Result<()>,
) -> Result<Vec<RawPeer>> {
    serve(move || {
        let open = |lines: &String| -> Result<RawPeer> {
            let mut peer = RawPeer::connect(port)?;
            peer.send(request_with(lines))?;
            peer.expect_upgrade()?;
            peer.check_echo("hello")?;
            act(&mut peer)?;
            Ok(peer)
        };
        lines.iter().map(open).collect()
    })
}

#[cfg(feature = "compression")]
const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
/// Enough that the growth of the lists does not show.
const COUNT: usize = 512;
/// The state, the driver's task, the group of three signals, and their slots.
const MAX_BLOCKS: usize = 6;
/// In debug builds slots and tasks also have the place where they were made.
const MAX_BYTES: usize = if cfg!(debug_assertions) { 744 } else { 704 };
