//! Peers and programs that misbehave: silent and rude clients, slots that panic or block.

use std::sync::mpsc;

use anyhow::{Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{Error, HostAddress, SslMode, WebSocketServer};

use support::raw_peer::{RawPeer, TEXT, check_good_client, masked, request};
use support::{panic_in_slot, serve, wait_until};

use crate::server::threads::{echo_all, echo_on_threads};

/// Half-open handshakes, garbage and resets in all threads; good clients are served meanwhile.
#[test]
fn rude_clients_disturb_no_thread() -> Result<()> {
    let (server, _threads) = echo_on_threads(3)?;
    let port = server.server_port();

    serve(move || {
        let mut silent = Vec::new();
        for _ in 0..20 {
            silent.push(RawPeer::connect(port)?);
            let mut half = RawPeer::connect(port)?;
            half.send(&request()[..40])?;
            silent.push(half);
            RawPeer::connect(port)?.send("GARBAGE\r\n\r\n")?;
            RawPeer::connect(port)?.reset()?;
            RawPeer::open(port)?.send(masked(TEXT, &[0xFF]))?;
            check_good_client(port)?;
        }
        Ok(())
    })?;

    wait_until(|| server.clients().is_empty())
}

/// A slot that panics closes its own connection with 1011, in its thread alone.
#[test]
fn a_slot_that_panics_ends_its_own_connection() -> Result<()> {
    let server = WebSocketServer::new("Panics", SslMode::NonSecure);
    let _threads = server.serve_on_threads(2, |part| {
        part.new_connection().connect(|part, ()| {
            while let Some(socket) = part.next_pending_connection() {
                socket.text_message_received().connect(|socket, text| {
                    if text == "panic" {
                        panic_in_slot();
                    }
                    socket.send_text_message(text);
                });
            }
        });
    })?;
    server.listen(HostAddress::LocalHost, 0)?;
    let port = server.server_port();

    serve(move || {
        let mut others = (0..4).map(|_| RawPeer::open(port)).collect::<Result<Vec<_>>>()?;
        for _ in 0..4 {
            let mut peer = RawPeer::open(port)?;
            peer.send(masked(TEXT, b"panic"))?;
            ensure!(peer.read_frame()?.close_code()? == 1011);
        }
        others.iter_mut().try_for_each(|peer| peer.check_echo("others"))
    })
}

/// A thread that is blocked delays its own clients alone, and serves them afterwards.
#[test]
fn a_blocked_thread_delays_its_own_clients_alone() -> Result<()> {
    let (server, threads) = echo_on_threads(2)?;
    let port = server.server_port();
    let (go_on, blocked) = mpsc::channel::<()>();
    threads.handle(0).post(move || _ = blocked.recv());

    // It counts for the thread, so that each other client is the other thread's.
    let mut waiting = serve(move || RawPeer::connect(port))?;
    for _ in 0..5 {
        serve(move || check_good_client(port))?;
        wait_until(|| server.clients().is_empty())?;
    }
    go_on.send(())?;
    serve(move || {
        waiting.shake_hands()?;
        waiting.check_echo("at last")
    })
}

/// 1,000 connections while accepting is paused and resumed: each is served in the end.
#[test]
fn no_connection_is_lost_while_accepting_is_paused_and_resumed() -> Result<()> {
    // Wine takes a second for each.
    const ROUNDS: u32 = if cfg!(windows) { 4 } else { 10 };
    let (server, _threads) = echo_on_threads(3)?;
    let port = server.server_port();

    let toggled = server.clone();
    let opening = std::thread::spawn(move || -> Result<()> {
        for round in 0..ROUNDS {
            let mut peers = (0..100).map(|_| RawPeer::connect(port)).collect::<Result<Vec<_>>>()?;
            if round % 2 == 0 {
                toggled.pause_accepting();
            } else {
                toggled.resume_accepting();
            }
            peers.iter_mut().try_for_each(|peer| peer.send(request()))?;
            toggled.resume_accepting();
            for peer in &mut peers {
                toggled.pause_accepting();
                toggled.resume_accepting();
                peer.expect_upgrade()?;
            }
        }
        Ok(())
    });
    wait_until(|| opening.is_finished())?;
    opening.join().map_err(|_| anyhow::anyhow!("the peer panicked"))??;

    serve(move || check_good_client(port))
}

/// A connection whose client has gone before its thread takes it is reported, and nothing else.
#[test]
fn clients_that_left_before_they_were_handed_over_leave_nothing() -> Result<()> {
    let (server, threads) = echo_on_threads(1)?;
    let port = server.server_port();
    let (go_on, blocked) = mpsc::channel::<()>();
    threads.handle(0).post(move || _ = blocked.recv());

    serve(move || (0..20).try_for_each(|_| RawPeer::connect(port)?.reset()))?;
    go_on.send(())?;
    serve(move || check_good_client(port))?;

    wait_until(|| server.clients().is_empty())
}

/// A setup that panics in the second thread ends the first, whose clients there are none.
#[test]
fn a_panic_in_a_later_setup_ends_the_earlier_threads() -> Result<()> {
    let server = WebSocketServer::new("Second", SslMode::NonSecure);
    server.listen(HostAddress::LocalHost, 0)?;
    let errors = SignalSpy::new(&server.server_error());

    let outcome = server.serve_on_threads(2, |part| {
        echo_all(part);
        if crate::server::threads::thread_name().ends_with('1') {
            panic_in_slot();
        }
    });

    ensure!(matches!(outcome, Err(Error::ThreadPanicked { .. })), "{outcome:?}");
    echo_all(&server);
    let port = server.server_port();
    serve(move || check_good_client(port))?;
    assert_eq!(errors.count(), 0);
    Ok(())
}
