//! The verifier: a program decides about each client, and may take its time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use slotwork::{EventLoop, Verdict, WebSocketServer};
use smol::channel;

use support::raw_peer::{self, Frame, RawPeer, TEXT, check_good_client, masked, request_with};
use support::recorder::Recorder;
use support::{DEADLINE, echo_server, listening_server, panic_in_slot, serve, wait_until};
#[cfg(feature = "tls")]
use support::{
    certificates::Authority,
    secure_echo_server,
    tls_peer::{TlsPeer, check_good_tls_client},
};

use crate::server::client_limits::check_the_last_place;

/// A number that a verifier attaches.
struct Number(u32);

/// It sees the path, all headers and the peer, and what it attaches is there at once.
#[test]
fn it_sees_the_whole_request_and_its_data_is_on_the_socket() -> Result<()> {
    let server = listening_server()?;
    let recorder = Recorder::default();
    let seen = recorder.clone();
    server.set_verifier(async move |server, handshake| {
        let request = handshake.request();
        let cookie = request.header("Cookie").unwrap_or_default().into_owned();
        seen.add(format!("{} {cookie}", request.resource_name()));
        assert!(handshake.peer_address().is_loopback() && handshake.peer_port() != 0);
        assert!(server.is_listening() && !server.has_pending_connections());
        Verdict::accept_with(Number(7)).header("Set-Cookie", "seen=1").header("Set-Cookie", "b=2")
    });
    let taken = recorder.clone();
    server.new_connection().connect(move |server, ()| {
        let socket = server.next_pending_connection().unwrap();
        let number = socket.data::<Number>().map(|number| number.0);
        taken.add(format!("{number:?} {:?}", socket.data::<String>()));
    });
    let port = server.server_port();

    let head = serve(move || {
        let mut peer = RawPeer::connect(port)?;
        peer.send(request_with("Cookie: a=b\r\n"))?;
        peer.read_head()
    })?;

    ensure!(head.starts_with("HTTP/1.1 101 "), "{head}");
    for cookie in ["seen=1", "b=2"] {
        ensure!(head.to_lowercase().contains(&format!("set-cookie: {cookie}\r\n")), "{head}");
    }
    recorder.wait_for(&["/chat?room=1 a=b", "Some(7) None"])
}

/// RFC 6455 §4.2.2 (1) and §10.5: any HTTP answer may refuse a client.
#[test]
fn it_refuses_with_any_status_headers_and_body() -> Result<()> {
    let server = echo_server()?;
    server.set_verifier(async |_server, handshake| match handshake.request().resource_name() {
        "/401" => Verdict::refuse(401, "who?\n").header("WWW-Authenticate", "Bearer"),
        "/json" => Verdict::refuse(403, "{}").header("Content-Type", "application/json"),
        "/302" => Verdict::refuse(302, "").header("Location", "https://example.org/"),
        "/health" => Verdict::refuse(200, vec![0xFF, 0]),
        "/204" => Verdict::refuse(204, "not sent"),
        "/late" => Verdict::refuse(503, "later\n").header("Retry-After", "120"),
        _ => Verdict::accept(),
    });
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let port = server.server_port();
    let table: [(&str, &str, &str, &str, &[u8]); 6] = [
        ("/401", "401 Unauthorized", "WWW-Authenticate", "Bearer", b"who?\n"),
        ("/json", "403 Forbidden", "Content-Type", "application/json", b"{}"),
        ("/302", "302 Found", "Location", "https://example.org/", b""),
        ("/health", "200 OK", "Content-Length", "2", &[0xFF, 0]),
        ("/204", "204 No Content", "Server", "Test Server", b""),
        ("/late", "503 Service Unavailable", "Retry-After", "120", b"later\n"),
    ];

    serve(move || {
        for (path, status, name, value, body) in table {
            let answer = ask(port, path)?;
            let start = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
            ensure!(answer.starts_with(start.as_bytes()), "{}", answer.escape_ascii());
            let text = String::from_utf8_lossy(&answer);
            ensure!(text.contains(&format!("\r\n{name}: {value}\r\n")), "{text}");
            let end = [b"\r\n\r\n", body].concat();
            ensure!(answer.ends_with(&end), "{}", answer.escape_ascii());
            check_good_client(port)?;
        }
        Ok(())
    })?;

    let refused = table.map(|(_, status, ..)| format!("refused {} 1008", &status[..3]));
    let expected: Vec<_> = refused.iter().flat_map(|line| [&**line, "new connection"]).collect();
    recorder.wait_for(&expected)
}

/// LOOP-10: a client that waits delays no other, and may wait for one.
#[test]
fn it_may_wait_while_others_are_served() -> Result<()> {
    let server = echo_server()?;
    let (let_in, door) = channel::bounded(1);
    server.set_verifier(async move |_server, handshake| {
        match handshake.request().resource_name() {
            "/wait" => door.recv().await.map(|()| Verdict::accept()),
            "/open" => {
                let_in.send(()).await.map_err(|_| channel::RecvError).map(|()| Verdict::accept())
            }
            _ => Ok(Verdict::accept()),
        }
    });
    let port = server.server_port();

    serve(move || {
        let mut waiting = RawPeer::connect(port)?;
        // Frames that come meanwhile are not lost.
        waiting.send(path_request("/wait"))?;
        waiting.send(masked(TEXT, b"early"))?;
        check_good_client(port)?;
        waiting.expect_silence()?;

        let mut other = RawPeer::connect(port)?;
        other.send(path_request("/open"))?;
        other.expect_upgrade()?;
        waiting.expect_upgrade()?;
        waiting.expect(&Frame::text("early"))
    })
}

/// LOOP-10: one deadline for the whole handshake; what waits is dropped with it.
#[test]
fn it_has_the_time_of_the_handshake_and_no_more() -> Result<()> {
    let server = echo_server()?;
    server.set_handshake_timeout(Some(Duration::from_millis(200)));
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let ended = Rc::new(Cell::new(0));
    let count = Rc::clone(&ended);
    server.set_verifier(async move |_server, handshake| {
        if handshake.request().resource_name() == "/wait" {
            let _count = CountDrop(Rc::clone(&count));
            std::future::pending::<()>().await;
        }
        Verdict::accept()
    });
    let port = server.server_port();

    serve(move || {
        let answer = ask(port, "/wait")?;
        ensure!(answer.starts_with(b"HTTP/1.1 408 "), "{}", answer.escape_ascii());
        check_good_client(port)
    })?;

    recorder.wait_for(&["timeout 1006", "new connection"])?;
    ensure!(ended.get() == 1, "the future lives on");
    Ok(())
}

/// A panic, a failure and an impossible answer refuse that client, and no other.
#[test]
fn whatever_goes_wrong_in_it_admits_no_client() -> Result<()> {
    let server = echo_server()?;
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    server.set_verifier(async |_server, handshake| {
        let path = handshake.request().resource_name().to_owned();
        Ok::<_, anyhow::Error>(match &*path {
            "/panic" => panic_in_slot(),
            "/later" => {
                smol::future::yield_now().await;
                panic_in_slot()
            }
            "/error" => Err(anyhow!("no database"))?,
            "/101" => Verdict::refuse(101, ""),
            "/999" => Verdict::refuse(999, ""),
            "/split" => Verdict::refuse(403, "").header("X", "a\r\nSet-Cookie: b"),
            "/name" => Verdict::accept().header("X: a\r\nY", "b"),
            "/key" => Verdict::accept().header("sec-websocket-accept", "b"),
            "/length" => Verdict::refuse(403, "abc").header("Content-Length", "1"),
            _ => Verdict::accept(),
        })
    });
    let port = server.server_port();
    let paths =
        ["/panic", "/later", "/error", "/101", "/999", "/split", "/name", "/key", "/length"];

    serve(move || {
        for path in paths {
            let answer = ask(port, path)?;
            let text = String::from_utf8_lossy(&answer);
            ensure!(text.starts_with("HTTP/1.1 500 "), "{path}: {text}");
            ensure!(!text.contains("Set-Cookie") && !text.contains("database"), "{path}: {text}");
            check_good_client(port).context(path)?;
        }
        Ok(())
    })?;

    let codes = paths.map(|path| if path == "/error" { "1008" } else { "1011" });
    let refused = codes.map(|code| format!("refused 500 {code}"));
    let expected: Vec<_> = refused.iter().flat_map(|line| [&**line, "new connection"]).collect();
    recorder.wait_for(&expected)
}

/// Closing or dropping the server ends the clients that wait; SRV-30.
#[test]
fn closing_the_server_ends_those_that_wait() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();
    let (asked, is_asked) = mpsc::channel();
    let ended = Rc::new(Cell::new(0));
    let count = Rc::clone(&ended);
    server.set_verifier(async move |_server, _handshake| {
        let _count = CountDrop(Rc::clone(&count));
        asked.send(()).unwrap();
        std::future::pending::<Verdict>().await
    });
    let closing = server.clone();

    serve(move || {
        let mut waiting = RawPeer::connect(port)?;
        waiting.send(raw_peer::request())?;
        is_asked.recv_timeout(DEADLINE)?;
        closing.close();
        let answer = waiting.read_to_end()?;
        ensure!(answer.is_empty(), "{}", answer.escape_ascii());
        Ok(())
    })?;
    ensure!(ended.get() == 1, "the future lives on");

    server.listen(slotwork::HostAddress::LocalHost, port)?;
    server.remove_verifier();
    serve(move || check_good_client(port))
}

/// What a peer may do while a verifier decides about it.
type Goes = fn(RawPeer) -> Result<Option<RawPeer>>;

/// A client that has gone is not waited for, and is reported; what it sent early changes nothing.
#[test]
fn the_end_of_the_client_ends_it() -> Result<()> {
    let resets: Goes = |peer| peer.reset().map(|()| None);
    let ends: Goes = |_peer| Ok(None);
    let half_closes: Goes = |mut peer| peer.finish().map(|()| Some(peer));
    for goes in [resets, ends, half_closes] {
        for early in [&[][..], &masked(TEXT, b"early")] {
            let server = echo_server()?;
            let early = early.to_vec();
            let port = server.server_port();
            check_that_it_ends(&server, move || {
                let mut peer = RawPeer::connect(port)?;
                peer.send([path_request("/wait").into_bytes(), early].concat())?;
                Ok(move || goes(peer))
            })?;
            serve(move || check_good_client(port))?;
        }
    }
    Ok(())
}

/// The same with TLS.
#[cfg(feature = "tls")]
#[test]
fn the_end_of_a_client_with_tls_ends_it() -> Result<()> {
    let resets: Goes = |peer| peer.reset().map(|()| None);
    let half_closes: Goes = |mut peer| peer.finish().map(|()| Some(peer));
    for goes in [resets, half_closes] {
        let authority = Authority::new()?;
        let server = secure_echo_server(authority.server_config()?)?;
        let (port, trusted) = (server.server_port(), authority.certificate());
        check_that_it_ends(&server, move || {
            let mut peer = TlsPeer::begin_with(port, &trusted)?;
            peer.send(path_request("/wait"))?;
            let tcp = RawPeer::of(peer.tcp().try_clone()?)?;
            Ok(move || Ok(goes(tcp)?.map(|tcp| (tcp, peer))))
        })?;
        let trusted = authority.certificate();
        serve(move || check_good_tls_client(port, &trusted))?;
    }
    Ok(())
}

/// Lets a peer connect, and end when the verifier runs; there is no time limit.
fn check_that_it_ends<T: Send + 'static, G: FnOnce() -> Result<T>>(
    server: &WebSocketServer,
    come: impl FnOnce() -> Result<G> + Send + 'static,
) -> Result<()> {
    server.set_handshake_timeout(None);
    let recorder = Recorder::default();
    recorder.watch_server(server);
    let (asked, is_asked) = mpsc::channel();
    let ended = Rc::new(Cell::new(0));
    let count = Rc::clone(&ended);
    server.set_verifier(async move |_server, handshake| {
        if handshake.request().resource_name() == "/wait" {
            let _count = CountDrop(Rc::clone(&count));
            asked.send(()).unwrap();
            std::future::pending::<()>().await;
        }
        Verdict::accept()
    });

    let _peer = serve(move || {
        let go = come()?;
        is_asked.recv_timeout(DEADLINE)?;
        go()
    })?;

    wait_until(|| ended.get() == 1).context("the future lives on")?;
    recorder.wait_for(&["broken 1006"])
}

/// The verifier itself closes the server: the client is not admitted any more.
#[test]
fn it_may_close_the_server() -> Result<()> {
    let server = echo_server()?;
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    server.set_verifier(async |server: WebSocketServer, _handshake| {
        server.close();
        Verdict::accept()
    });
    let port = server.server_port();

    serve(move || {
        let mut peer = RawPeer::connect(port)?;
        peer.send(raw_peer::request())?;
        ensure!(peer.read_to_end()?.is_empty());
        Ok(())
    })?;

    recorder.wait_for(&["closed"])
}

/// The verifier that was set last decides; without one each client is admitted.
#[test]
fn it_can_be_replaced_and_removed() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();
    for status in [403, 404] {
        server.set_verifier(async move |_server, _handshake| Verdict::refuse(status, ""));
        let answer = serve(move || ask(port, "/"))?;
        let start = format!("HTTP/1.1 {status} ");
        ensure!(answer.starts_with(start.as_bytes()), "{}", answer.escape_ascii());
    }
    server.remove_verifier();
    server.remove_verifier();
    serve(move || check_good_client(port))
}

/// Like a slot, a verifier lives in the thread that set it. After its end no client is admitted.
#[test]
fn it_runs_in_the_thread_that_set_it() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();
    let (ready, is_ready) = mpsc::channel();
    let setting = server.clone();
    let worker = thread::spawn(move || {
        let here = thread::current().id();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let lines = Rc::clone(&seen);
        setting.set_verifier(async move |_server, handshake| {
            lines.borrow_mut().push(thread::current().id() == here);
            Verdict::accept_with(handshake.request().resource_name().len())
        });
        let event_loop = EventLoop::current();
        ready.send(event_loop.handle()).unwrap();
        event_loop.exec();
        seen.take()
    });
    let worker_loop = is_ready.recv()?;

    serve(move || check_good_client(port))?;
    worker_loop.post(|| EventLoop::current().quit());
    let seen = worker.join().map_err(|_| anyhow!("the worker panicked"))?;
    ensure!(seen == [true], "{seen:?}");

    let answer = serve(move || ask(port, "/"))?;
    ensure!(answer.starts_with(b"HTTP/1.1 500 "), "{}", answer.escape_ascii());
    server.remove_verifier();
    serve(move || check_good_client(port))
}

/// Qt: SRV-15; a client that became one too many while it waited is refused after all.
#[test]
fn room_is_counted_when_the_verdict_is_there() -> Result<()> {
    let server = listening_server()?;
    server.set_max_pending_connections(1);
    let recorder = Recorder::default();
    recorder.watch_server(&server);

    check_the_last_place(&server)?;

    recorder.wait_for(&["refused 400 1002", "new connection", "refused 503 1006"])
}

/// A server that its verifier captured through the argument alone can still be dropped.
#[test]
fn a_verifier_does_not_keep_the_server() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();
    server.set_verifier(async |server: WebSocketServer, _handshake| {
        let full = server.clients().len() > 100;
        if full { Verdict::refuse(503, "full\n") } else { Verdict::accept() }
    });
    serve(move || check_good_client(port))?;

    drop(server);

    ensure!(RawPeer::connect(port).is_err(), "the server listens");
    Ok(())
}

/// Counts futures that are over.
struct CountDrop(Rc<Cell<u32>>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

fn path_request(path: &str) -> String {
    raw_peer::request().replacen("/chat?room=1", path, 1)
}

/// Asks for a path, and returns the whole answer.
fn ask(port: u16, path: &str) -> Result<Vec<u8>> {
    let mut peer = RawPeer::connect(port)?;
    peer.send(path_request(path))?;
    peer.read_to_end()
}
