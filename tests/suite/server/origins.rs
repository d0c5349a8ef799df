//! Origins: which web pages may connect, by policy and by slot (RFC 6455 §10.2).

use std::cell::Cell;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use slotwork::signals::SignalSpy;
use slotwork::{CorsAuthenticator, Error, OriginPolicy, SslMode, WebSocketServer};

#[cfg(feature = "tls")]
use support::certificates::Authority;
use support::logged::warnings_of;
use support::raw_peer::{RawPeer, check_good_client, request_with};
use support::recorder::Recorder;
#[cfg(feature = "tls")]
use support::secure_echo_server;
#[cfg(feature = "tls")]
use support::tls_peer::TlsPeer;
use support::{echo_server, panic_in_slot, run_until, serve};

/// Qt: SRV-27; the signal comes for each request, also for one without an origin.
#[test]
fn a_slot_decides_which_origins_may_connect() -> Result<()> {
    let server = echo_server()?;
    let recorder = Recorder::default();
    let asked = recorder.clone();
    server.origin_authentication_required().connect(move |_server, cors| {
        asked.add(format!("{:?} {}", cors.origin(), cors.allowed()));
        cors.set_allowed(cors.origin() != "https://evil.example");
    });
    recorder.watch_server(&server);
    let port = server.server_port();

    serve(move || {
        let evil = status_for(port, Some("https://evil.example"))?;
        let good = status_for(port, Some("https://good.example"))?;
        ensure!((evil, good) == (403, 101), "{evil} {good}");
        check_good_client(port)
    })?;

    let (new, refused) = ("new connection", "refused 403 1008");
    let (evil, good) = ("\"https://evil.example\" true", "\"https://good.example\" true");
    recorder.wait_for(&[evil, refused, good, new, "\"\" true", new])
}

/// Qt: SRV-28 (the order), SRV-15 (not emitted where there is no room), SRV-11.
#[test]
fn it_is_asked_before_the_answer_and_only_for_those_that_could_be_admitted() -> Result<()> {
    let server = echo_server()?;
    let recorder = Recorder::default();
    let asked = recorder.clone();
    server.origin_authentication_required().connect(move |server, _cors| {
        asked.add(format!("asked, pending: {}", server.has_pending_connections()));
    });
    recorder.watch_server(&server);
    let port = server.server_port();
    let spy = SignalSpy::new(&server.origin_authentication_required());

    serve(move || {
        check_good_client(port)?;
        let mut bad = RawPeer::connect(port)?;
        bad.send("garbage\r\n\r\n")?;
        bad.read_response()?;
        server.set_max_pending_connections(0);
        ensure!(status_for(port, None)? == 503);
        server.set_max_pending_connections(1);
        check_good_client(port)
    })?;

    let (asked, new) = ("asked, pending: false", "new connection");
    let expected = [asked, new, "refused 400 1002", "refused 503 1006", asked, new];
    recorder.wait_for(&expected)?;
    ensure!(spy.count() == 2, "{spy:?}");
    Ok(())
}

/// Qt: CORS-01, but for copies, which are one here: a slot decides by any of them.
#[test]
fn an_origin_is_kept_and_allowed_at_first() {
    for origin in ["https://a.example", "null", "not an origin", ""] {
        let cors = CorsAuthenticator::new(origin);
        let copy = cors.clone();
        assert_eq!((cors.origin(), cors.allowed()), (origin, true));

        copy.set_allowed(false);

        assert_eq!((copy.origin(), cors.allowed()), (origin, false));
    }
}

/// Qt: `QWebSocketCorsAuthenticator`: `allowed()` is true at first; the last slot counts.
#[test]
fn the_last_slot_has_the_last_word() -> Result<()> {
    let cors = CorsAuthenticator::new("https://a.example");
    ensure!(cors.origin() == "https://a.example" && cors.allowed());
    cors.clone().set_allowed(false);
    ensure!(!cors.allowed());

    let server = echo_server()?;
    let port = server.server_port();
    server.origin_authentication_required().connect(|_server, cors| cors.set_allowed(false));
    ensure!(serve(move || status_for(port, None))? == 403);
    server.origin_authentication_required().connect(|_server, cors| cors.set_allowed(true));
    serve(move || check_good_client(port))
}

/// A slot that is queued, or lives in another thread, is too late; its refusal is logged.
#[test]
fn a_refusal_that_comes_too_late_is_logged() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();
    server
        .origin_authentication_required()
        .queued()
        .connect(|_server, cors| cors.set_allowed(false));

    let warnings = warnings_of(|| serve(move || check_good_client(port)))?;

    let is_late = |line: &String| line.contains("too late to refuse the origin");
    ensure!(warnings.iter().filter(|line| is_late(line)).count() == 1, "{warnings:?}");
    Ok(())
}

/// A panic in the slot that decides refuses the client.
#[test]
fn a_slot_that_panics_admits_no_client() -> Result<()> {
    let server = echo_server()?;
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let is_first = Cell::new(true);
    server.origin_authentication_required().connect(move |_server, _cors| {
        if is_first.replace(false) {
            panic_in_slot();
        }
    });
    let port = server.server_port();

    serve(move || {
        ensure!(status_for(port, Some("https://a.example"))? == 500);
        check_good_client(port)
    })?;

    recorder.wait_for(&["refused 500 1011", "new connection"])
}

/// The program closes or drops the server in a slot: it serves no client any more.
#[test]
fn a_slot_may_close_or_drop_the_server() -> Result<()> {
    for drops in [false, true] {
        let server = echo_server()?;
        let port = server.server_port();
        let owner = Rc::new(Cell::new(None));
        let place = Rc::clone(&owner);
        let recorder = Recorder::default();
        recorder.watch_server(&server);
        server.origin_authentication_required().connect(move |server, _cors| {
            if drops {
                drop(place.take());
            } else {
                server.close();
            }
        });
        owner.set(Some(server));

        serve(move || {
            let mut peer = RawPeer::connect(port)?;
            peer.send(request_with("Origin: https://a.example\r\n"))?;
            // An answer, if it gets one, does not matter.
            peer.read_to_end()?;
            ensure!(RawPeer::connect(port).is_err(), "the server listens");
            Ok(())
        })?;

        let expected: &[&str] = if drops { &[] } else { &["closed"] };
        recorder.check(expected)?;
    }
    Ok(())
}

/// RFC 6455 §10.2: the origin of a page decides; clients without one are not checked.
#[test]
fn policies_admit_their_pages_and_clients_that_are_no_browsers() -> Result<()> {
    let own = |port: u16| format!("http://127.0.0.1:{port}");
    let list = OriginPolicy::list(["https://chat.example", "http://b.example:8080"]);
    let list_with_null = OriginPolicy::list(["null"]);
    let table = [
        (OriginPolicy::Any, vec!["https://evil.example", "null", "?"], vec![]),
        (
            OriginPolicy::SameOrigin,
            vec!["http://127.0.0.1", "HTTPS://127.0.0.1:443"],
            vec![
                "own",
                "http://127.0.0.1:1",
                "http://localhost",
                "null",
                "https://127.0.0.1.example",
            ],
        ),
        (
            OriginPolicy::Loopback,
            vec!["own", "http://localhost:3000", "https://app.localhost", "http://[::1]:80"],
            vec!["https://evil.example", "http://localhost.evil.example", "null", "localhost"],
        ),
        (
            list,
            vec!["https://chat.example", "https://CHAT.example:443", "http://b.example:8080"],
            vec!["http://chat.example", "https://chat.example.evil", "own", "null", ""],
        ),
        (list_with_null, vec!["null"], vec!["https://null", "nul"]),
    ];

    for (policy, admitted, refused) in table {
        let server = echo_server()?;
        server.set_origin_policy(policy.clone())?;
        ensure!(server.origin_policy() == Some(policy.clone()));
        let port = server.server_port();
        serve(move || {
            for (origins, status) in [(admitted, 101), (refused, 403)] {
                for origin in origins {
                    let own = own(port);
                    let origin = if origin == "own" { &own } else { origin };
                    // An empty header is not an origin.
                    let expected = if origin.is_empty() { 101 } else { status };
                    let found = status_for(port, Some(origin))?;
                    ensure!(found == expected, "{origin:?} got {found}");
                }
            }
            check_good_client(port)
        })
        .with_context(|| format!("{policy:?}"))?;
    }
    Ok(())
}

/// RFC 6454 §4: a page of the web came by http or https; other schemes mean what their programs say.
#[test]
fn policies_admit_pages_of_the_web_alone_unless_others_are_named() -> Result<()> {
    let extension = "chrome-extension://abcdef";
    let others = ["file://localhost", "evil-app://127.0.0.1", "app://127.0.0.1:80", extension];
    let with_port = |port| format!("evil-app://127.0.0.1:{port}");
    for (policy, good) in [
        (OriginPolicy::SameOrigin, ["http://127.0.0.1", "ws://127.0.0.1", "WSS://127.0.0.1:443"]),
        (OriginPolicy::Loopback, ["http://localhost", "wss://127.0.0.1", "ws://[::1]:8080"]),
        (OriginPolicy::list([extension]), [extension, extension, "Chrome-Extension://abcdef"]),
    ] {
        let server = echo_server()?;
        server.set_origin_policy(policy.clone())?;
        let port = server.server_port();
        serve(move || {
            for origin in good {
                ensure!(status_for(port, Some(origin))? == 101, "{origin}");
            }
            for origin in others.into_iter().filter(|origin| !good.contains(origin)) {
                ensure!(status_for(port, Some(origin))? == 403, "{origin}");
            }
            ensure!(status_for(port, Some(&with_port(port)))? == 403);
            check_good_client(port)
        })
        .with_context(|| format!("{policy:?}"))?;
    }
    Ok(())
}

/// RFC 6454 §5: the same origin of a server with TLS is an `https` one.
#[cfg(feature = "tls")]
#[test]
fn the_same_origin_of_a_server_with_tls_is_one_with_tls() -> Result<()> {
    for (policy, origin, expected) in [
        (OriginPolicy::SameOrigin, "https://127.0.0.1", 101),
        (OriginPolicy::SameOrigin, "http://127.0.0.1", 403),
        (OriginPolicy::SameOrigin, "ws://127.0.0.1", 403),
        // Pages that are written on this machine are often served without.
        (OriginPolicy::Loopback, "http://localhost:3000", 101),
        (OriginPolicy::list(["http://chat.example"]), "http://chat.example", 101),
    ] {
        let authority = Authority::new()?;
        let server = secure_echo_server(authority.server_config()?)?;
        server.set_origin_policy(policy.clone())?;
        let (port, trusted) = (server.server_port(), authority.certificate());
        let status = serve(move || {
            let mut peer = TlsPeer::begin_with(port, &trusted)?;
            peer.send(request_with(&format!("Origin: {origin}\r\n")))?;
            peer.read_status()
        })?;
        ensure!(status == expected, "{origin} got {status} with {policy:?}");
    }
    Ok(())
}

/// A list that could never match is refused, instead of refusing each client later.
#[test]
fn a_list_holds_nothing_but_origins() -> Result<()> {
    let server = WebSocketServer::new("", SslMode::NonSecure);
    server.set_origin_policy(OriginPolicy::SameOrigin)?;

    for wrong in ["example.org", "https://example.org/", "*", "", "https://a.example b"] {
        let policy = OriginPolicy::list(["https://example.org", wrong]);
        let error = server.set_origin_policy(policy).unwrap_err();
        ensure!(matches!(&error, Error::InvalidOrigin(text) if text == wrong), "{error}");
    }

    ensure!(server.origin_policy() == Some(OriginPolicy::SameOrigin));
    Ok(())
}

/// A slot sees the decision of the policy, and may change it.
#[test]
fn a_slot_overrules_the_policy() -> Result<()> {
    let server = echo_server()?;
    server.set_origin_policy(OriginPolicy::SameOrigin)?;
    let recorder = Recorder::default();
    let asked = recorder.clone();
    server.origin_authentication_required().connect(move |_server, cors| {
        asked.add(format!("{} {}", cors.origin(), cors.allowed()));
        cors.set_allowed(cors.allowed() || cors.origin() == "null");
    });
    let port = server.server_port();

    serve(move || {
        ensure!(status_for(port, Some("null"))? == 101);
        ensure!(status_for(port, Some("https://a.example"))? == 403);
        Ok(())
    })?;

    recorder.check(&["null false", "https://a.example false"])
}

/// A server that admits all pages for lack of a policy logs that once; a policy silences it.
#[test]
fn the_first_browser_is_logged_when_there_is_no_policy() -> Result<()> {
    let with_slot = |server: &WebSocketServer| {
        server.origin_authentication_required().connect(|_server, _cors| {});
    };
    let with_policy = |server: &WebSocketServer| {
        server.set_origin_policy(OriginPolicy::Any).unwrap();
    };
    let servers = [echo_server()?, echo_server()?, echo_server()?];
    with_slot(&servers[1]);
    with_policy(&servers[2]);

    for (server, expected) in servers.into_iter().zip([1, 0, 0]) {
        let port = server.server_port();
        let warnings = warnings_of(|| {
            serve(move || {
                check_good_client(port)?;
                for _ in 0..2 {
                    ensure!(status_for(port, Some("https://a.example"))? == 101);
                }
                Ok(())
            })
        })?;

        let told = warnings.iter().filter(|line| line.contains("set_origin_policy")).count();
        ensure!(told == expected, "{warnings:?}");
    }
    Ok(())
}

/// A slot of the origin signal is as free as any other: here it waits for another signal's turn.
#[test]
fn the_signal_can_be_awaited() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();
    let next = server.origin_authentication_required().next();

    serve(move || status_for(port, Some("https://a.example")))?;

    let cors = run_until(next)?.context("the server is gone")?;
    ensure!(cors.origin() == "https://a.example" && cors.allowed());
    Ok(())
}

/// The status with which a request of this origin is answered.
fn status_for(port: u16, origin: Option<&str>) -> Result<u16> {
    let header = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
    let mut peer = RawPeer::connect(port)?;
    peer.send(request_with(&header))?;
    peer.read_status()
}
