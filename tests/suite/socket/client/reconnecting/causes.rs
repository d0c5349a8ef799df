//! The causes for which a client reconnects, and the rule of the program.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::{Result, ensure};
use slotwork::{CloseCode, Error, ReconnectCause};

use support::raw_server::RawServer;
use support::{panic_in_slot, serve};

use super::{answer, at_once, never, reconnecting_client, refusing_url};

/// The causes for which a client reconnects without a rule of the program.
#[test]
fn the_cause_decides_whether_a_client_reconnects() -> Result<()> {
    type Act = fn(&RawServer) -> Result<()>;
    let table: [(Act, bool); 7] = [
        (|server| server.open()?.close(1000, ""), false),
        (|server| server.open()?.close(1001, "restart"), true),
        (|server| server.open()?.close(1008, "banned"), false),
        (|server| server.open()?.close(1013, "full"), true),
        (|server| answer(&mut server.read_request()?, "403 Forbidden"), false),
        (|server| answer(&mut server.read_request()?, "503 Unavailable"), true),
        (|server| server.read_request()?.peer.send("not HTTP\r\n\r\n"), true),
    ];
    for (place, (act, is_retried)) in table.into_iter().enumerate() {
        let server = RawServer::listen()?;
        let (socket, recorder) = reconnecting_client(never());
        let is_known = Rc::new(Cell::new(None));
        socket.disconnected().connect_to(&is_known, |is_known, socket, ()| {
            is_known.set(Some(socket.is_reconnecting()));
        });
        socket.open(server.url())?;

        serve(move || act(&server))?;
        recorder.wait_for_disconnected(1)?;

        ensure!(socket.is_reconnecting() == is_retried, "case {place}");
        ensure!(is_known.get() == Some(is_retried), "case {place} in the slot");
        socket.abort();
    }
    Ok(())
}

#[test]
fn the_rule_of_the_program_replaces_that_of_the_causes() -> Result<()> {
    let server = RawServer::listen()?;
    let policy = at_once().retry_if(|cause| match cause {
        ReconnectCause::Failed(Error::UpgradeRefused { status, .. }) => *status == 429,
        ReconnectCause::Closed { code, reason } => *code == CloseCode::NORMAL && reason == "again",
        _ => false,
    });
    let (socket, recorder) = reconnecting_client(policy);
    socket.open(server.url())?;

    serve(move || {
        answer(&mut server.read_request()?, "429 Too Many Requests")?;
        server.open()?.close(1000, "again")?;
        answer(&mut server.read_request()?, "503 Unavailable")
    })?;

    recorder.wait_for_disconnected(3)?;
    ensure!(!socket.is_reconnecting());
    Ok(())
}

#[test]
fn a_panic_in_the_rule_ends_reconnecting() -> Result<()> {
    let policy = at_once().retry_if(|_cause| panic_in_slot());
    let (socket, recorder) = reconnecting_client(policy);

    socket.open(refusing_url()?)?;
    recorder.wait_for_disconnected(1)?;

    ensure!(!socket.is_reconnecting());
    Ok(())
}
