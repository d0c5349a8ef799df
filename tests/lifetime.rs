//! Resources of servers and connections after their end: no descriptor, task or object is left.
//!
//! A binary of its own, with one test at a time: descriptors are counted.

#![cfg(target_os = "linux")]

use std::cell::{Cell, RefCell};
use std::fs;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use slotwork::signals::Handle;
use slotwork::{EventLoop, SendStatus, SocketState, WebSocket};
use smol::Timer;
use smol::future::poll_once;

use support::raw_peer::{CLOSE, RawPeer, TEXT, check_good_client, masked, request};
use support::recorder::Recorder;
use support::{DEADLINE, echo, echo_server, listening_server, run_until, serve, wait_until};

/// Also while the program keeps its handles of the sockets.
#[test]
fn connections_that_ended_leave_no_descriptor() -> Result<()> {
    alone(|| {
        let server = listening_server()?;
        let sockets = RefCell::new(Vec::new());
        server.new_connection().connect(move |server, ()| {
            let socket = server.next_pending_connection().unwrap();
            echo(&socket);
            sockets.borrow_mut().push(socket);
        });
        let descriptors = Descriptors::count()?;
        let port = server.server_port();

        serve(move || (0..200).try_for_each(|_| check_good_client(port)))?;
        serve(move || (0..200).try_for_each(|_| RawPeer::open(port)?.reset()))?;

        descriptors.wait_until_as_before()
    })
}

/// RFC 9293 §3.10.4: the server waits for the end of a peer that may still read, and for nothing else.
#[test]
fn connections_that_linger_leave_no_descriptor() -> Result<()> {
    alone(|| {
        let server = listening_server()?;
        server.set_closing_timeout(Some(Duration::from_millis(20)));
        let ended = Rc::new(Cell::new(0));
        let counted = Rc::clone(&ended);
        server.new_connection().connect(move |server, ()| {
            let socket = server.next_pending_connection().unwrap();
            let counted = Rc::clone(&counted);
            socket.disconnected().connect(move |_socket, ()| counted.set(counted.get() + 1));
            socket.close_normally();
        });
        let descriptors = Descriptors::count()?;
        let port = server.server_port();

        // They never answer the close frame.
        let peers =
            serve(move || (0..20).map(|_| RawPeer::open(port)).collect::<Result<Vec<_>>>())?;
        wait_until(|| ended.get() == 20)?;
        drop(peers);

        descriptors.wait_until_as_before()
    })
}

#[test]
fn handshakes_that_failed_leave_no_descriptor() -> Result<()> {
    alone(|| {
        let server = echo_server()?;
        let descriptors = Descriptors::count()?;
        let port = server.server_port();

        serve(move || {
            for _ in 0..50 {
                RawPeer::connect(port)?;
                RawPeer::connect(port)?.send(&request()[..60])?;
                let mut peer = RawPeer::connect(port)?;
                peer.send(&request()[..60])?;
                peer.reset()?;
                let mut peer = RawPeer::connect(port)?;
                peer.send("garbage\r\n\r\n")?;
                peer.read_response()?;
            }
            check_good_client(port)
        })?;

        descriptors.wait_until_as_before()
    })
}

/// Qt: SRV-20: silent peers are cut at the deadline, and delay no other until then.
#[test]
fn five_hundred_silent_peers_disturb_no_others_and_are_gone_after_the_deadline() -> Result<()> {
    alone(|| {
        allow_many_descriptors()?;
        let server = echo_server()?;
        server.set_handshake_timeout(Some(Duration::from_secs(1)));
        let recorder = Recorder::default();
        recorder.watch_server(&server);
        let descriptors = Descriptors::count()?;
        let port = server.server_port();

        serve(move || {
            let silent: Vec<_> = (0..500).map(|_| RawPeer::connect(port)).collect::<Result<_>>()?;
            let mut rude = RawPeer::connect(port)?;
            rude.send("garbage\r\n\r\n")?;
            ensure!(rude.read_response()?.head.starts_with("HTTP/1.1 400 "));
            let mut good = RawPeer::open(port)?;
            (0..100).try_for_each(|_| good.check_echo("meanwhile"))?;
            for mut peer in silent {
                let answer = peer.read_response()?;
                ensure!(answer.head.starts_with("HTTP/1.1 408 "), "{answer:?}");
            }
            good.check_echo("afterwards")
        })?;

        descriptors.wait_until_as_before()?;
        let mut lines = recorder.lines();
        lines.sort();
        let expected = [vec!["new connection", "refused 400 1002"], vec!["timeout 1006"; 500]];
        ensure!(lines == expected.concat(), "{lines:?}");
        Ok(())
    })
}

/// Qt: SRV-17, SRV-30 and SRV-31, where sockets that were taken die with the server.
#[test]
fn a_dropped_server_ends_what_was_not_taken_and_nothing_else() -> Result<()> {
    alone(|| {
        let descriptors = Descriptors::count()?;
        let server = listening_server()?;
        server.new_connection().once().connect(|server, ()| {
            echo(&server.next_pending_connection().unwrap());
        });
        let port = server.server_port();
        let weak = server.downgrade();

        serve(move || {
            let mut unfinished = RawPeer::connect(port)?;
            unfinished.send(&request()[..60])?;
            let (mut taken, mut pending) = (RawPeer::open(port)?, RawPeer::open(port)?);
            // From another thread than its own.
            drop(server);

            ensure!(unfinished.read_to_end()?.is_empty());
            let farewell = pending.read_frame()?;
            ensure!(farewell.close_code()? == 1001, "{farewell:?}");
            pending.send(masked(CLOSE, &farewell.payload))?;
            ensure!(pending.read_to_end()?.is_empty());
            ensure!(RawPeer::connect(port).is_err(), "the port is not free");
            taken.check_echo("alive")?;
            taken.close(1000, "bye").map(drop)
        })?;

        ensure!(weak.upgrade().is_none());
        descriptors.wait_until_as_before()
    })
}

/// Dropped on its own thread, with handshakes, pending and taken sockets at once.
#[test]
fn a_server_dropped_by_its_own_thread_leaves_nothing() -> Result<()> {
    alone(|| {
        let descriptors = Descriptors::count()?;
        let server = listening_server()?;
        let recorder = Recorder::default();
        recorder.watch_server(&server);
        let witness = Arc::new(());
        let seen = Arc::clone(&witness);
        server.closed().connect(move |_server, ()| drop(Arc::clone(&seen)));
        let (port, weak) = (server.server_port(), server.downgrade());

        let mut peers = serve(move || {
            let mut unfinished = RawPeer::connect(port)?;
            unfinished.send(&request()[..60])?;
            Ok([unfinished, RawPeer::open(port)?])
        })?;
        drop(server);

        ensure!(weak.upgrade().is_none());
        ensure!(Arc::strong_count(&witness) == 1, "a slot of the server is left");
        serve(move || {
            let [unfinished, pending] = &mut peers;
            ensure!(unfinished.read_to_end()?.is_empty());
            ensure!(pending.read_frame()?.close_code()? == 1001);
            Ok(())
        })?;
        descriptors.wait_until_as_before()?;
        recorder.check(&["new connection"])
    })
}

/// A loop's thread takes its connections along: its peers see the end.
#[test]
fn a_thread_that_ends_leaves_nothing() -> Result<()> {
    alone(|| {
        let descriptors = Descriptors::count()?;
        let witness = Arc::new(());
        let held = Arc::downgrade(&witness);
        let (tell, told) = mpsc::channel();
        let (sockets, taken_sockets) = mpsc::channel();
        let thread = thread::spawn(move || -> Result<()> {
            let server = listening_server()?;
            server.new_connection().once().connect(move |server, ()| {
                let socket = server.next_pending_connection().unwrap();
                echo(&socket);
                hold(&socket, witness);
                sockets.send(socket).unwrap();
            });
            tell.send((server, EventLoop::current().handle()))?;
            EventLoop::current().exec();
            Ok(())
        });
        let (server, event_loop) = told.recv_timeout(DEADLINE)?;
        let port = server.server_port();

        let mut unfinished = RawPeer::connect(port)?;
        unfinished.send(&request()[..60])?;
        let mut taken = RawPeer::open(port)?;
        taken.check_echo("alive")?;
        let mut pending = RawPeer::open(port)?;
        let socket = taken_sockets.recv_timeout(DEADLINE)?;
        event_loop.quit();
        thread.join().map_err(|_| anyhow!("the thread panicked"))??;

        for peer in [&mut unfinished, &mut taken, &mut pending] {
            ensure!(peer.read_to_end()?.is_empty());
        }
        ensure!(socket.state() == SocketState::Unconnected);
        ensure!(socket.send_text_message("too late") == SendStatus::NotConnected);
        ensure!(held.upgrade().is_none(), "a slot is left");
        drop((server, event_loop, unfinished, taken, pending));
        descriptors.wait_until_as_before()
    })
}

/// However the connection ends; in Qt, `deleteLater()` in a slot of `disconnected()` does it.
#[test]
fn a_slot_that_captured_its_own_socket_leaks_nothing() -> Result<()> {
    alone(|| {
        for ending in ["close frame", "end", "reset", "abort", "panic"] {
            let server = listening_server()?;
            let witness = Arc::new(());
            let sockets = Rc::new(RefCell::new(None));
            let (held, socket) = (Arc::downgrade(&witness), Rc::clone(&sockets));
            let witness = RefCell::new(Some(witness));
            server.new_connection().connect(move |server, ()| {
                let taken = server.next_pending_connection().unwrap();
                hold(&taken, witness.take().unwrap());
                taken.text_message_received().connect(|taken, text| {
                    assert_ne!(text, "panic", "a test's panic");
                    taken.abort();
                });
                *socket.borrow_mut() = Some(taken.downgrade());
            });
            let port = server.server_port();

            serve(move || {
                let mut peer = RawPeer::open(port)?;
                match ending {
                    "close frame" => peer.close(1000, "bye").map(drop),
                    "end" => peer.finish(),
                    "reset" => return peer.reset(),
                    word => peer.send(masked(TEXT, word.as_bytes())),
                }?;
                peer.read_to_end().map(drop)
            })
            .context(ending)?;

            wait_until(|| held.strong_count() == 0).with_context(|| format!("a slot: {ending}"))?;
            let socket = sockets.take().context("no socket was taken")?;
            ensure!(socket.upgrade().is_none(), "{ending}: the socket is left");
        }
        Ok(())
    })
}

/// Connects slots that capture their own socket, and the witness.
fn hold(socket: &WebSocket, witness: Arc<()>) {
    let captured = (socket.clone(), witness);
    let also_captured = captured.clone();
    socket.disconnected().connect(move |_socket, ()| drop(captured.clone()));
    socket.binary_message_received().connect(move |_socket, _bytes| drop(also_captured.clone()));
}

/// Runs a test while no other one runs, in a thread of its own that is over when this returns.
fn alone(test: fn() -> Result<()>) -> Result<()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    thread::spawn(test).join().map_err(|_| anyhow!("the test panicked"))?
}

/// How many descriptors the process had.
struct Descriptors(usize);

impl Descriptors {
    /// Counts them, once those are open that a process keeps: of the loop, and of the deadlines.
    fn count() -> Result<Self> {
        run_until(async {
            // A deadline that has passed before it is looked at would open none.
            poll_once(Timer::after(DEADLINE)).await;
            // The timers have started by then, and what they opened is closed again.
            Timer::after(Duration::from_millis(50)).await;
        })?;
        Ok(Self(count_descriptors()?))
    }

    fn wait_until_as_before(&self) -> Result<()> {
        wait_until(|| count_descriptors().is_ok_and(|count| count == self.0)).with_context(|| {
            format!("there were {} descriptors, there are {:?}", self.0, count_descriptors())
        })
    }
}

fn count_descriptors() -> Result<usize> {
    Ok(fs::read_dir("/proc/self/fd")?.count())
}

/// 500 connections have 1000 ends here; the limit is often 1024.
fn allow_many_descriptors() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let enough = Some(limit.maximum.map_or(4096, |maximum| maximum.min(4096)));
    if limit.current.is_some_and(|current| Some(current) < enough) {
        setrlimit(Resource::Nofile, Rlimit { current: enough, maximum: limit.maximum })?;
    }
    Ok(())
}
