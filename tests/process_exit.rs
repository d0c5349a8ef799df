//! The end of the process in a slot. A binary of its own: it runs a test below in another process.

use std::env::current_exe;
use std::process::{self, Command};

use anyhow::{Result, ensure};

use support::raw_peer::RawPeer;
use support::{listening_server, serve};

/// Qt: `QCoreApplication::exit()` is for the loop, `exit()` for the process, also in a slot.
///
/// It ends the thread's values in the middle of the turn of a connection, and beside another one.
#[test]
fn a_slot_may_end_the_process() -> Result<()> {
    let output = Command::new(current_exe()?)
        .args(["--exact", "--ignored", "--nocapture", "ends_the_process_in_a_slot"])
        .output()?;

    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(CODE), "{:?}: {log}", output.status);
    ensure!(!log.contains("panicked"), "{log}");
    Ok(())
}

#[test]
#[ignore = "started by the other one, in a process of its own"]
fn ends_the_process_in_a_slot() -> Result<()> {
    let server = listening_server()?;
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect(|socket, text| {
                socket.send_text_message(text);
                if text == "exit" {
                    process::exit(CODE);
                }
            });
        }
    });
    let port = server.server_port();
    serve(move || {
        let (mut peer, mut other) = (RawPeer::open(port)?, RawPeer::open(port)?);
        other.check_echo("one turn")?;
        peer.check_echo("one turn")?;
        peer.check_echo("exit")
    })
}

const CODE: i32 = 7;
