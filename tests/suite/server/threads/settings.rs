//! Settings: those of the server hold in all parts, those of a part there alone.

use anyhow::{Result, ensure};
use slotwork::{OriginPolicy, OutputPolicy, SslMode, Verdict, WebSocketServer};

use support::raw_peer::{RawPeer, check_good_client, request, request_with};
use support::{serve, wait_until};

use crate::server::threads::{Shared, add_part, echo_on_threads};

/// A setter, and whether a server has the value that it set.
type Setting = (&'static str, fn(&WebSocketServer), fn(&WebSocketServer) -> bool);

/// All settings but verifiers and TLS, which have no getter that can be compared.
const SETTINGS: &[Setting] = &[
    ("name", |s| _ = s.set_server_name("Changed"), |s| s.server_name() == "Changed"),
    ("pending", |s| s.set_max_pending_connections(7), |s| s.max_pending_connections() == 7),
    ("connections", |s| s.set_max_connections(Some(7)), |s| s.max_connections() == Some(7)),
    ("handshakes", |s| s.set_max_handshakes(Some(7)), |s| s.max_handshakes() == Some(7)),
    ("handshake", |s| s.set_handshake_timeout(None), |s| s.handshake_timeout().is_none()),
    ("request line", |s| s.set_max_request_line_size(7), |s| s.max_request_line_size() == 7),
    ("header line", |s| s.set_max_header_line_size(7), |s| s.max_header_line_size() == 7),
    ("headers", |s| s.set_max_header_count(7), |s| s.max_header_count() == 7),
    ("head", |s| s.set_max_header_size(7), |s| s.max_header_size() == 7),
    ("keepalive", |s| s.set_keepalive_interval(None), |s| s.keepalive_interval().is_none()),
    (
        "origins",
        |s| _ = s.set_origin_policy(OriginPolicy::Loopback),
        |s| s.origin_policy() == Some(OriginPolicy::Loopback),
    ),
    (
        "subprotocols",
        |s| _ = s.set_supported_subprotocols(["chat"]),
        |s| s.supported_subprotocols() == ["chat"],
    ),
    #[cfg(feature = "compression")]
    (
        "compression",
        |s| s.set_compression(slotwork::Compression::new()),
        |s| s.compression() == Some(slotwork::Compression::new()),
    ),
    ("write timeout", |s| s.set_write_timeout(None), |s| s.write_timeout().is_none()),
    ("closing timeout", |s| s.set_closing_timeout(None), |s| s.closing_timeout().is_none()),
    (
        "frame size",
        |s| s.set_max_allowed_incoming_frame_size(7),
        |s| s.max_allowed_incoming_frame_size() == 7,
    ),
    (
        "message size",
        |s| s.set_max_allowed_incoming_message_size(7),
        |s| s.max_allowed_incoming_message_size() == 7,
    ),
    ("receive queue", |s| s.set_receive_queue_limit(7), |s| s.receive_queue_limit() == 7),
    (
        "output policy",
        |s| {
            s.set_output_policy(OutputPolicy::DropOldest);
            s.set_output_limit(7);
        },
        |s| s.output_policy() == OutputPolicy::DropOldest && s.output_limit() == 7,
    ),
    ("send buffer", |s| s.set_send_buffer(None), |s| s.send_buffer().is_none()),
];

/// Settings from before the start are there when the setup runs.
#[test]
fn settings_are_copied_when_the_threads_start() -> Result<()> {
    let server = WebSocketServer::new("Before", SslMode::NonSecure);
    for (_, set, _) in SETTINGS {
        set(&server);
    }
    let missing = Shared::new();

    let added = missing.clone();
    let _threads = server.serve_on_threads(2, move |part| {
        let is_missing = |setting: &&Setting| !setting.2(part);
        SETTINGS.iter().filter(is_missing).for_each(|setting| added.add(setting.0));
    })?;

    assert_eq!(missing.get(), [""; 0]);
    Ok(())
}

/// A setting from later reaches every part, and changes no other setting of it.
#[test]
fn settings_reach_the_parts_later_one_by_one() -> Result<()> {
    let server = WebSocketServer::new("Later", SslMode::NonSecure);
    let parts = Shared::new();
    let _threads = server.serve_on_threads(2, add_part(&parts))?;
    let parts = parts.get();

    for (number, (name, set, has)) in SETTINGS.iter().enumerate() {
        ensure!(parts.iter().all(|part| !has(part)), "{name} was set before");
        set(&server);
        wait_until(|| parts.iter().all(has))?;

        for (other, _, has) in &SETTINGS[number + 1..] {
            ensure!(!parts.iter().any(has), "{name} changed {other}");
        }
    }
    Ok(())
}

/// A setting of a part holds there, until the server's own is set anew.
#[test]
fn settings_of_a_part_hold_there_alone() -> Result<()> {
    let server = WebSocketServer::new("Parts", SslMode::NonSecure);
    let parts = Shared::new();
    let _threads = server.serve_on_threads(2, add_part(&parts))?;
    let [first, second] = &parts.get()[..] else { anyhow::bail!("two parts") };

    for (name, set, has) in SETTINGS {
        set(first);
        ensure!(has(first) && !has(second) && !has(&server), "{name}");
    }
    server.set_max_connections(Some(9));
    wait_until(|| first.max_connections() == Some(9))?;

    assert_eq!(first.max_pending_connections(), 7);
    Ok(())
}

/// Each handshake waits for a verifier in the server's thread, which need not be `Send`.
#[test]
fn a_verifier_of_the_server_decides_for_all_threads() -> Result<()> {
    let (server, _threads) = echo_on_threads(2)?;
    let verified = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = std::rc::Rc::clone(&verified);
    server.set_verifier(async move |_server, handshake| {
        count.set(count.get() + 1);
        match handshake.request().header("Token") {
            Some(_) => Verdict::accept(),
            None => Verdict::refuse(401, "a token is required\n"),
        }
    });
    let port = server.server_port();

    serve(move || {
        for _ in 0..4 {
            ensure!(status_of(port, &request())? == 401);
            ensure!(status_of(port, &request_with("Token: 1\r\n"))? == 101);
        }
        Ok(())
    })?;

    assert_eq!(verified.get(), 8);
    server.remove_verifier();
    serve(move || {
        // Until the parts have heard of it they refuse with 401, or 500.
        while status_of(port, &request())? != 101 {}
        Ok(())
    })
}

/// A shared verifier runs in the thread of each client, and a panic in it refuses the client.
#[test]
fn a_shared_verifier_runs_in_the_threads_of_the_clients() -> Result<()> {
    let server = WebSocketServer::new("Shared", SslMode::NonSecure);
    let names = Shared::new();
    let added = names.clone();
    server.set_shared_verifier(async move |part, handshake| {
        if handshake.request().header("Panic").is_some() {
            support::panic_in_slot();
        }
        added.add((crate::server::threads::thread_name(), part.whole().server_name()));
        Verdict::accept()
    });
    let _threads = server.serve_on_threads(2, crate::server::threads::echo_all)?;
    server.listen(slotwork::HostAddress::LocalHost, 0)?;
    let port = server.server_port();

    serve(move || {
        ensure!(status_of(port, &request_with("Panic: 1\r\n"))? == 500);
        let _peers = [RawPeer::open(port)?, RawPeer::open(port)?];
        check_good_client(port)
    })?;

    let names = names.get();
    ensure!(
        names
            .iter()
            .all(|(thread, server)| { thread.starts_with("Shared ") && server == "Shared" })
    );
    assert_eq!(names.len(), 3);
    Ok(())
}

/// A verifier of a part is its own; setting it does not disconnect that of the others.
#[test]
fn a_verifier_of_a_part_decides_there_alone() -> Result<()> {
    let server = WebSocketServer::new("Part", SslMode::NonSecure);
    server.set_verifier(async |_server, _handshake| Verdict::refuse(401, ""));
    let parts = Shared::new();
    let add = add_part(&parts);
    let _threads = server.serve_on_threads(2, move |part| {
        add(part);
        if parts.len() == 1 {
            part.set_verifier(async |_part, _handshake| Verdict::accept());
        }
    })?;
    server.listen(slotwork::HostAddress::LocalHost, 0)?;
    let port = server.server_port();

    let statuses = serve(move || {
        let mut peers = [RawPeer::connect(port)?, RawPeer::connect(port)?];
        peers.iter_mut().try_for_each(|peer| peer.send(request()))?;
        peers.iter_mut().map(RawPeer::read_status).collect::<Result<Vec<_>>>()
    })?;

    assert_eq!(statuses, [101, 401]);
    Ok(())
}

/// RFC 6455 §10.2: origin slots of the server decide for all threads: direct ones at once, others
/// in their own thread.
#[test]
fn origin_slots_of_the_server_decide_for_all_threads() -> Result<()> {
    let (server, _threads) = echo_on_threads(2)?;
    let port = server.server_port();
    let statuses = move || {
        let origin = |host: &str| request_with(&format!("Origin: https://{host}\r\n"));
        let both = |_| Ok([status_of(port, &origin("a"))?, status_of(port, &origin("b"))?]);
        (0..2).map(both).collect::<Result<Vec<_>>>()
    };

    let slot = server.origin_authentication_required().connect(|_server, cors| {
        cors.set_allowed(cors.origin() == "https://a");
    });
    let of_slot = serve(statuses)?;
    slot.disconnect();
    let direct = server.origin_authentication_required().direct().connect(|_server, cors| {
        cors.set_allowed(cors.origin() == "https://b");
    });
    let of_direct = serve(statuses)?;
    direct.disconnect();
    server.origin_authentication_required().connect(|_server, _cors| support::panic_in_slot());
    let of_panic = serve(statuses)?;

    assert_eq!(of_slot, [[101, 403]; 2]);
    assert_eq!(of_direct, [[403, 101]; 2]);
    assert_eq!(of_panic, [[500, 500]; 2]);
    Ok(())
}

/// The status with which a request is answered.
fn status_of(port: u16, request: &str) -> Result<u16> {
    let mut peer = RawPeer::connect(port)?;
    peer.send(request)?;
    peer.read_status()
}
