//! The output policy: messages for peers that read slowly, or not at all, beside others.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use slotwork::{Error, OutputPolicy, SocketState, WebSocket};

use support::raw_peer::{CLOSE, RawPeer, TEXT, masked};
use support::{listening_server, serve, wait_until};

/// Enough for the buffers of every kernel to be full of them.
const MESSAGES: usize = 400;
const LENGTH: usize = 65_000;
const MIB: usize = 1024 * 1024;

/// Sends [`MESSAGES`] to a peer that reads all and one that reads nothing until then, with a limit
/// of 200 KiB; returns the numbers that the slow one got, and its socket.
///
/// MSG-09: a broadcast with one slow reader follows the output policy.
fn broadcast(policy: OutputPolicy) -> Result<(Vec<usize>, WebSocket)> {
    let server = listening_server()?;
    server.set_output_policy(policy);
    server.set_output_limit(200 * 1024);
    let sockets = Rc::new(RefCell::new(Vec::new()));
    let taken = Rc::clone(&sockets);
    server.new_connection().connect(move |server, ()| {
        taken.borrow_mut().extend(server.next_pending_connection());
    });
    let port = server.server_port();
    let (slow_peer, mut fast_peer) =
        serve(move || Ok((RawPeer::open(port)?, RawPeer::open(port)?)))?;
    wait_until(|| sockets.borrow().len() == 2)?;
    let [slow, fast] = &sockets.take()[..] else { return Err(anyhow!("not two sockets")) };
    let reading = thread::spawn(move || {
        (0..MESSAGES).try_for_each(|number| {
            let got = read_number(&mut fast_peer)?;
            ensure!(got == Some(number), "{got:?} came, not {number}");
            Ok(())
        })
    });

    for number in 0..MESSAGES {
        server.broadcast_text(format!("{number:0LENGTH$}"));
        wait_until(|| fast.bytes_to_write() == 0)?;
        ensure!(slow.bytes_to_write() <= 200 * 1024 + 2 * LENGTH);
    }
    reading.join().map_err(|_| anyhow!("the fast peer panicked"))??;
    ensure!(fast.is_valid() && fast.dropped_messages() == 0);

    let numbers = thread::spawn(move || read_numbers(slow_peer));
    wait_until(|| slow.bytes_to_write() == 0)?;
    slow.close(1000, "");
    wait_until(|| slow.state() == SocketState::Unconnected)?;
    let numbers = numbers.join().map_err(|_| anyhow!("the slow peer panicked"))?;
    Ok((numbers?, slow.clone()))
}

/// Reads a message, which is whole; none at the end.
fn read_number(peer: &mut RawPeer) -> Result<Option<usize>> {
    let Ok(frame) = peer.read_frame() else { return Ok(None) };
    if frame.opcode == CLOSE {
        return Ok(None);
    }
    ensure!(frame.opcode == TEXT && frame.payload.len() == LENGTH);
    Ok(Some(String::from_utf8(frame.payload)?.parse()?))
}

fn read_numbers(mut peer: RawPeer) -> Result<Vec<usize>> {
    let mut numbers = Vec::new();
    while let Some(number) = read_number(&mut peer)? {
        numbers.push(number);
    }
    // It may have been cut off.
    _ = peer.close_back();
    Ok(numbers)
}

/// The default: a peer that does not read is closed, after what was written until then.
#[test]
fn a_slow_reader_is_closed() -> Result<()> {
    let (numbers, socket) = broadcast(OutputPolicy::Close)?;

    ensure!(numbers.iter().copied().eq(0..numbers.len()), "{numbers:?}");
    ensure!(numbers.len() < MESSAGES);
    let error = socket.error().context("there is no error")?;
    ensure!(matches!(error, Error::OutputLimit { limit: 204_800 }), "{error}");
    Ok(())
}

#[test]
fn a_slow_reader_misses_the_newest_messages() -> Result<()> {
    let (numbers, socket) = broadcast(OutputPolicy::DropNewest)?;

    ensure!(numbers.iter().copied().eq(0..numbers.len()), "{numbers:?}");
    let missed = socket.dropped_messages();
    ensure!(missed > 0 && numbers.len() as u64 + missed == MESSAGES as u64);
    ensure!(socket.error().is_none() && socket.close_code() == Some(1000.into()));
    Ok(())
}

#[test]
fn a_slow_reader_misses_the_oldest_messages() -> Result<()> {
    let (numbers, socket) = broadcast(OutputPolicy::DropOldest)?;

    ensure!(numbers.is_sorted_by(|one, other| one < other), "{numbers:?}");
    // What waited in the end: as many as there is room for, but for what was being written.
    ensure!(numbers.ends_with(&[MESSAGES - 2, MESSAGES - 1]), "{numbers:?}");
    let missed = socket.dropped_messages();
    ensure!(missed > 0 && numbers.len() as u64 + missed == MESSAGES as u64);
    Ok(())
}

#[test]
fn a_slow_reader_gets_the_latest_message() -> Result<()> {
    let (numbers, socket) = broadcast(OutputPolicy::KeepLatest)?;

    ensure!(numbers.is_sorted_by(|one, other| one < other), "{numbers:?}");
    ensure!(numbers.ends_with(&[MESSAGES - 1]), "{numbers:?}");
    let missed = socket.dropped_messages();
    ensure!(missed > 0 && numbers.len() as u64 + missed == MESSAGES as u64);
    Ok(())
}

/// Issue: the server's settings are those of the sockets that come from then on; each can differ.
#[test]
fn sockets_begin_with_what_the_server_sets() -> Result<()> {
    let server = listening_server()?;
    let sockets = Rc::new(RefCell::new(Vec::new()));
    let taken = Rc::clone(&sockets);
    server.new_connection().connect(move |server, ()| {
        taken.borrow_mut().extend(server.next_pending_connection());
    });
    let port = server.server_port();
    let _before = serve(move || RawPeer::open(port))?;
    server.set_output_policy(OutputPolicy::KeepLatest);
    server.set_output_limit(1);
    server.set_max_allowed_incoming_frame_size(2);
    server.set_max_allowed_incoming_message_size(3);
    let mut after = serve(move || RawPeer::open(port))?;
    wait_until(|| sockets.borrow().len() == 2)?;
    let all = |socket: &WebSocket| {
        let incoming =
            [socket.max_allowed_incoming_frame_size(), socket.max_allowed_incoming_message_size()];
        (socket.output_policy(), socket.output_limit(), incoming)
    };

    let sockets = sockets.take();
    ensure!(all(&sockets[0]) == (OutputPolicy::Close, 16 * MIB, [16 * MIB; 2]));
    ensure!(all(&sockets[1]) == (OutputPolicy::KeepLatest, 1, [2, 3]));
    sockets[1].set_output_limit(5);
    ensure!(server.output_limit() == 1 && sockets[1].output_limit() == 5);
    serve(move || {
        after.send(masked(TEXT, b"abc"))?;
        ensure!(after.read_frame()?.close_code()? == 1009);
        Ok(())
    })
}

/// Issue: a program that sends as fast as its peer reads needs little memory for it.
#[test]
fn a_sender_goes_by_the_high_water_mark() -> Result<()> {
    const PIECES: usize = 500;
    let server = listening_server()?;
    let (highest, heard) = (Rc::new(Cell::new(0)), Rc::new(Cell::new((0, 0))));
    let (say_risen, has_risen) = mpsc::channel();
    let (noted, counted) = (Rc::clone(&highest), Rc::clone(&heard));
    server.new_connection().connect(move |server, ()| {
        let Some(socket) = server.next_pending_connection() else { return };
        socket.set_high_water_mark(200_000);
        let (rises, falls) = (Rc::clone(&counted), Rc::clone(&counted));
        let say_risen = say_risen.clone();
        socket.high_water_reached().connect(move |_socket, ()| {
            rises.set((rises.get().0 + 1, rises.get().1));
            _ = say_risen.send(());
        });
        let (highest, sent) = (Rc::clone(&noted), Rc::new(Cell::new(0)));
        let send_some = move |socket: &WebSocket| {
            while sent.get() < PIECES && socket.bytes_to_write() <= socket.high_water_mark() {
                socket.send_text_message(format!("{:0LENGTH$}", sent.replace(sent.get() + 1)));
                highest.set(socket.bytes_to_write().max(highest.get()));
            }
            if sent.get() == PIECES {
                socket.close(1000, "");
            }
        };
        let send_more = send_some.clone();
        socket.output_drained().connect(move |socket, ()| {
            assert!(socket.bytes_to_write() <= 100_000);
            falls.set((falls.get().0, falls.get().1 + 1));
            send_more(socket);
        });
        send_some(&socket);
    });
    let port = server.server_port();

    let numbers = serve(move || {
        let peer = RawPeer::open(port)?;
        // A reader that is as fast as the sender would let nothing wait.
        has_risen.recv()?;
        read_numbers(peer)
    })?;

    ensure!(numbers.iter().copied().eq(0..PIECES), "{numbers:?}");
    ensure!(highest.get() <= 200_000 + LENGTH + 10, "{} waited", highest.get());
    let (rises, falls) = heard.get();
    ensure!(rises == falls && rises > 0, "it rose {rises} times and fell {falls} times");
    Ok(())
}
