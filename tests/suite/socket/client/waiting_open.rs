//! `open` after `close`, `abort` or a failure: it waits until the end was reported.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Result, ensure};
use slotwork::signals::{Connection, Handle, SignalSpy};
use slotwork::{CloseCode, Error, EventLoop, EventThread, SendStatus, SocketState, WebSocket};

use support::raw_peer::{Frame, TEXT};
use support::raw_server::{RawClient, RawServer, unmasked};
use support::recorder::Recorder;
use support::{DEADLINE, panic_in_slot, recorded_client, serve, wait_until};

pub(super) const OPENED: [&str; 3] = ["Connecting", "Connected", "connected"];
pub(super) const ABORTED: [&str; 3] = ["about to close", "Unconnected", "disconnected Some(1006) "];
pub(super) const CLOSED: [&str; 4] =
    ["about to close", "Closing", "Unconnected", "disconnected Some(1000) "];

/// Opens a connection to a raw server, which it returns with the client's side.
pub(super) fn open(socket: &WebSocket, recorder: &Recorder) -> Result<(RawServer, RawClient)> {
    let server = RawServer::listen()?;
    socket.open(server.url())?;
    let opened = serve(move || Ok((server.open()?, server)))?;
    recorder.wait_for(&OPENED)?;
    Ok((opened.1, opened.0))
}

/// Qt: CLI-22; `m_socket.abort(); m_socket.open(url);`. What can be read in between is the last
/// connection's.
#[test]
fn open_after_abort_begins_at_the_end_of_the_last_connection() -> Result<()> {
    let next = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    let (first, mut client) = open(&socket, &recorder)?;
    let ends = recorder.clone();
    socket.disconnected().connect(move |socket, ()| {
        ends.add(format!("{:?} {}", socket.state(), socket.request_url()));
    });

    socket.abort();
    socket.open(next.url())?;

    assert_eq!((socket.state(), socket.error().is_none()), (SocketState::Unconnected, true));
    assert_eq!(socket.request_url(), first.url());
    assert_eq!(socket.send_text_message("lost"), SendStatus::NotConnected);
    let mut again = serve(move || {
        client.peer.read_to_end()?;
        next.open()
    })?;
    let end = format!("Unconnected {}", first.url());
    recorder.wait_for(&[&OPENED[..], &ABORTED, &[&end], &OPENED].concat())?;
    assert_eq!(socket.close_code(), None);
    socket.send_text_message("hello");
    serve(move || again.expect(&Frame::text("hello")))
}

/// What the peer sends in front of its close frame is still delivered.
#[test]
fn open_after_close_waits_for_the_closing_handshake() -> Result<()> {
    let next = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    let (_first, mut client) = open(&socket, &recorder)?;

    socket.close_normally();
    socket.open(next.url())?;

    assert_eq!(socket.state(), SocketState::Closing);
    assert_eq!(socket.close_code(), Some(CloseCode::NORMAL));
    let next = serve(move || {
        client.expect(&Frame::close(1000, ""))?;
        next.expect_no_client()?;
        client.peer.send(unmasked(TEXT, b"late"))?;
        client.peer.send(unmasked(8, &1000_u16.to_be_bytes()))?;
        drop(client);
        next.open()
    })?;
    let closing = [&CLOSED[..2], &["text late"], &CLOSED[2..]].concat();
    recorder.wait_for(&[&OPENED[..], &closing, &OPENED].concat())?;
    drop(next);
    Ok(())
}

/// A peer that does not answer `close` delays the next connection by the closing timeout, one after
/// the other.
#[test]
fn open_waits_for_a_closing_handshake_that_times_out() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    socket.set_closing_timeout(Some(Duration::from_millis(20)));
    let url = server.url();
    socket.connected().connect(move |socket, ()| {
        socket.close_normally();
        assert!(socket.open(url.as_str()).is_ok());
    });

    socket.open(server.url())?;
    serve(move || (0..5).map(|_| server.open()).collect::<Result<Vec<_>>>())?;

    recorder.wait_for_disconnected(4)?;
    let life = [&OPENED[..], &CLOSED[..3], &["disconnected Some(1006) "]].concat();
    let lines = recorder.lines();
    let start: Vec<_> = lines.iter().map(String::as_str).take(4 * life.len()).collect();
    assert_eq!(start, life.repeat(4));
    Ok(())
}

/// Also while the attempt is under way: `abort` ends it, and the next `open` waits for that.
#[test]
fn open_after_abort_replaces_an_attempt() -> Result<()> {
    let (silent, server) = (RawServer::listen()?, RawServer::listen()?);
    let (socket, recorder) = recorded_client();
    socket.open(silent.url())?;
    let silent = serve(move || Ok((silent.read_request()?, silent)))?;

    for end in [WebSocket::abort, |socket: &WebSocket| _ = socket.close_normally()] {
        end(&socket);
        socket.open(silent.1.url())?;
    }
    socket.abort();
    socket.open(server.url())?;
    let client = serve(move || server.open())?;

    let attempt = ["Connecting", "Unconnected", "disconnected Some(1006) "];
    recorder.wait_for(&[&attempt[..], &OPENED].concat())?;
    assert!(socket.error().is_none());
    drop(client);
    Ok(())
}

/// A failure is reported in full before the attempt of its slot begins.
#[test]
fn a_slot_of_error_occurred_opens_the_socket_again() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    let (url, results) = (server.url(), recorder.clone());
    socket.error_occurred().connect(move |socket, _error| {
        results.add(format!("{:?} {:?}", socket.open(url.as_str()), socket.state()));
    });
    let errors = recorder.clone();
    socket.state_changed().connect(move |socket, state| {
        errors.add(format!("{state:?} with {:?}", socket.error().is_some()));
    });

    socket.open(server.url())?;
    let client = serve(move || {
        drop(server.read_request()?);
        server.open()
    })?;

    let failure = "error: invalid answer to the opening handshake: there is none";
    recorder.wait_for(&[
        "Connecting",
        "Connecting with false",
        failure,
        "Ok(()) Unconnected",
        "Unconnected",
        "Unconnected with true",
        "disconnected Some(1006) ",
        "Connecting",
        "Connecting with false",
        "Connected",
        "Connected with false",
        "connected",
    ])?;
    drop(client);
    Ok(())
}

/// The last call wins, but that of a slot of `disconnected`, which reconnects: it is refused. One
/// with an error changes nothing.
#[test]
fn an_open_that_waits_is_replaced_by_the_next() -> Result<()> {
    let (unwanted, wanted) = (RawServer::listen()?, RawServer::listen()?);
    let refused = "error: \"http://a/\" is neither ws nor wss";
    for is_in_slot in [false, true] {
        let (socket, recorder) = recorded_client();
        let (_first, _client) = open(&socket, &recorder)?;
        let refusals = Rc::new(Cell::new(0));

        socket.abort();
        socket.open(unwanted.url())?;
        socket.open(wanted.url())?;
        let slot = is_in_slot.then(|| {
            let (url, refusals) = (unwanted.url(), Rc::clone(&refusals));
            socket.disconnected().connect(move |socket, ()| {
                let is_refused = matches!(socket.open(url.as_str()), Err(Error::AlreadyOpen));
                refusals.set(refusals.get() + usize::from(is_refused));
            })
        });
        assert!(matches!(socket.open("http://a/"), Err(Error::UnsupportedScheme(_))));

        recorder.wait_for(&[&OPENED[..], &[refused], &ABORTED, &OPENED[..1]].concat())?;
        assert_eq!(refusals.get(), usize::from(is_in_slot));
        assert_eq!(socket.request_url(), wanted.url());
        assert_eq!((socket.state(), socket.error().is_none()), (SocketState::Connecting, true));
        slot.as_ref().map(Connection::disconnect);
        socket.abort();
        recorder.wait_for_disconnected(2)?;
    }
    unwanted.expect_no_client()
}

/// `close` and `abort` drop it, without a signal, in slots too; a refused close code does not.
#[test]
fn close_and_abort_drop_an_open_that_waits() -> Result<()> {
    let unwanted = RawServer::listen()?;
    let ends: [fn(&WebSocket); 2] =
        [WebSocket::abort, |socket| _ = socket.close(CloseCode::GOING_AWAY, "")];
    for end in ends {
        for is_in_slot in [false, true] {
            let (socket, recorder) = recorded_client();
            let (_first, _client) = open(&socket, &recorder)?;

            socket.abort();
            socket.open(unwanted.url())?;
            if is_in_slot {
                socket.disconnected().connect(move |socket, ()| end(socket));
            } else {
                end(&socket);
            }

            recorder.wait_for_disconnected(1)?;
            assert_eq!(socket.state(), SocketState::Unconnected);
            assert_eq!(socket.close_code(), Some(CloseCode::ABNORMAL_DISCONNECTION));
            recorder.check(&[&OPENED[..], &ABORTED].concat())?;
        }
    }
    let (socket, recorder) = recorded_client();
    let (_first, _client) = open(&socket, &recorder)?;
    socket.abort();
    socket.open(unwanted.url())?;
    let code = CloseCode::ABNORMAL_DISCONNECTION;
    assert_eq!(socket.close(code, ""), SendStatus::InvalidCloseCode(code));
    recorder.wait_for_disconnected(1)?;
    assert_eq!(socket.state(), SocketState::Connecting);
    Ok(())
}

/// Slots that panic or run a loop do not hold the attempt back.
#[test]
fn slots_of_disconnected_do_not_keep_an_open_from_beginning() -> Result<()> {
    let slots: [fn(&WebSocket); 2] = [
        |_socket| panic_in_slot(),
        |_socket| {
            EventLoop::current().process_events();
        },
    ];
    for slot in slots {
        let next = RawServer::listen()?;
        let (socket, recorder) = recorded_client();
        let (_first, _client) = open(&socket, &recorder)?;
        socket.disconnected().connect(move |socket, ()| slot(socket));

        socket.abort();
        socket.open(next.url())?;
        let client = serve(move || next.open())?;

        recorder.wait_for(&[&OPENED[..], &ABORTED, &OPENED].concat())?;
        drop(client);
    }
    Ok(())
}

/// A loop in a slot in which the connection ends, and the next one begins: each is reported once, and
/// messages of the next are delivered.
#[test]
fn the_next_connection_begins_in_a_loop_in_a_slot() -> Result<()> {
    let (first, next) = (RawServer::listen()?, RawServer::listen()?);
    let (socket, recorder) = recorded_client();
    let (is_first, url) = (Rc::new(Cell::new(true)), next.url());
    socket.state_changed().connect_to(&is_first, move |is_first, socket, state| {
        if *state == SocketState::Connected && is_first.replace(false) {
            socket.abort();
            assert!(socket.open(url.as_str()).is_ok());
            EventLoop::current().run_until(socket.connected().next());
        }
    });

    socket.open(first.url())?;
    let clients = serve(move || {
        let first = first.open()?;
        let mut next = next.open()?;
        next.peer.send(unmasked(TEXT, b"hello"))?;
        Ok((first, next))
    })?;

    recorder.wait_for(&[&OPENED[..2], &ABORTED, &OPENED, &["text hello"]].concat())?;
    drop(clients);
    Ok(())
}

/// CLIENT-09: any thread may call both; the connection continues on the socket's own.
#[test]
fn another_thread_aborts_and_opens() -> Result<()> {
    let server = support::echo_server()?;
    let (socket, recorder) = recorded_client();
    let (_first, _client) = open(&socket, &recorder)?;
    let (elsewhere, url) = (socket.clone(), server.server_url());

    serve(move || {
        for _ in 0..1000 {
            elsewhere.abort();
            elsewhere.open(url.as_str())?;
        }
        Ok(())
    })?;

    wait_until(|| recorder.lines().last().is_some_and(|line| line == "connected"))?;
    assert_eq!(socket.request_url(), server.server_url() + "/");
    let lines = recorder.lines();
    let ends = lines.iter().filter(|line| line.starts_with("disconnected")).count();
    let attempts = lines.iter().filter(|line| *line == "Connecting").count();
    assert_eq!(ends + 1, attempts, "{lines:?}");
    Ok(())
}

/// Slots of another thread receive the end of each connection in front of the next one.
#[test]
fn another_thread_sees_the_end_in_front_of_the_next_connection() -> Result<()> {
    let server = support::echo_server()?;
    let (socket, url) = (WebSocket::new(), server.server_url());
    let (watched, (seen, lines)) = (socket.clone(), mpsc::channel());
    let thread = EventThread::spawn("watcher", move || {
        let (begins, ends) = (seen.clone(), seen);
        watched.connected().connect(move |_socket, ()| _ = begins.send(true));
        watched.disconnected().connect(move |_socket, ()| _ = ends.send(false));
    })?;
    let (again, count) = (url.clone(), Rc::new(Cell::new(0)));
    socket.connected().connect_to(&count, move |count, socket, ()| {
        count.set(count.get() + 1);
        socket.abort();
        if count.get() < 50 {
            assert!(socket.open(again.as_str()).is_ok());
        }
    });

    socket.open(url)?;
    let lines = serve(move || {
        let lines = (0..100).map(|_| lines.recv_timeout(DEADLINE));
        Ok(lines.collect::<Result<Vec<_>, _>>()?)
    })?;

    drop(thread);
    assert_eq!(lines, [true, false].repeat(50));
    Ok(())
}

/// A slot that disconnects itself and ends its socket, in the emission that begins the next one.
#[test]
fn a_slot_of_disconnected_disconnects_itself() -> Result<()> {
    let server = support::echo_server()?;
    let (socket, recorder) = recorded_client();
    let (calls, url) = (Rc::new(Cell::new(0)), server.server_url());
    let own = Rc::new(RefCell::new(None::<Connection>));
    let (counted, itself) = (Rc::clone(&calls), Rc::clone(&own));
    let connection = socket.disconnected().connect(move |socket, ()| {
        counted.set(counted.get() + 1);
        assert!(itself.take().is_some_and(|connection| connection.disconnect()));
        assert!(socket.open(url.as_str()).is_ok());
        socket.abort();
        assert!(socket.open(url.as_str()).is_ok());
    });
    own.replace(Some(connection));

    socket.open(server.server_url())?;
    recorder.wait_for(&OPENED)?;
    socket.abort();

    let attempt = ["Connecting", "Unconnected", "disconnected Some(1006) "];
    recorder.wait_for(&[&OPENED[..], &ABORTED, &attempt, &OPENED].concat())?;
    assert_eq!(calls.get(), 1);
    Ok(())
}

/// A value of a thread, which the thread's end drops before the connections.
struct OpensAtTheEnd(WebSocket, String);

impl Drop for OpensAtTheEnd {
    fn drop(&mut self) {
        self.0.abort();
        let _ = self.0.open(self.1.as_str());
    }
}

/// The end of the thread drops an `open` that waits: `disconnected` is the last signal.
#[test]
fn an_open_that_waits_ends_with_its_thread() -> Result<()> {
    let (server, unwanted) = (RawServer::listen()?, RawServer::listen()?);
    let (url, (give, given)) = (unwanted.url(), mpsc::channel());
    let thread = EventThread::spawn("ending", move || {
        let socket = WebSocket::new();
        let _ = give.send(socket.clone());
        OpensAtTheEnd(socket, url)
    })?;
    let socket = given.recv_timeout(DEADLINE)?;
    let (changes, ends) =
        (SignalSpy::new(&socket.state_changed()), SignalSpy::new(&socket.disconnected()));
    socket.open(server.url())?;
    let client = serve(move || server.open())?;
    changes.wait_for(2)?;

    thread.quit();
    thread.wait()?;

    ends.wait_for(1)?;
    let states = [SocketState::Connecting, SocketState::Connected, SocketState::Unconnected];
    ensure!(changes.take() == states, "a new attempt");
    ensure!(socket.state() == SocketState::Unconnected && socket.error().is_none());
    ensure!(matches!(socket.open("ws://127.0.0.1:9/"), Err(Error::EventLoopEnded)));
    drop(client);
    unwanted.expect_no_client()
}

/// `abort` waits for no peer: a server that never answers `close` does not delay the next one. What
/// was sent in front of `close` arrives all the same.
#[test]
fn abort_behind_close_opens_at_once() -> Result<()> {
    let server = RawServer::listen()?;
    let socket = WebSocket::new();
    socket.set_closing_timeout(None);
    let url = server.url();
    socket.connected().connect(move |socket, ()| {
        socket.send_text_message("last");
        socket.close_normally();
        assert!(socket.open("ws://127.0.0.1:9/").is_ok());
        socket.abort();
        assert!(socket.open(url.as_str()).is_ok());
    });

    socket.open(server.url())?;
    let clients = serve(move || {
        let accept = |_| {
            let mut client = server.open()?;
            client.expect(&Frame::text("last"))?;
            client.expect(&Frame::close(1000, ""))?;
            Ok(client)
        };
        (0..200).map(accept).collect::<Result<Vec<_>>>()
    })?;

    socket.abort();
    assert_eq!(clients.len(), 200);
    Ok(())
}

/// The loop keeps the socket: the attempt begins although the last handle was dropped, and the end
/// of that connection frees it.
#[test]
fn an_open_that_waits_needs_no_handle() -> Result<()> {
    let next = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    let (_first, _client) = open(&socket, &recorder)?;
    socket.abort();
    socket.open(next.url())?;
    let weak = socket.downgrade();
    drop(socket);

    drop(serve(move || next.open())?);

    recorder.wait_for_disconnected(2)?;
    wait_until(|| weak.upgrade().is_none())
}
