//! The crate alone: the examples that run slots on smol, on tokio and in a plain thread.

use std::env::consts::EXE_EXTENSION;
use std::process::Command;

/// The queue of a plain thread is run by the thread itself.
#[test]
fn plain_thread_hosts_slots() {
    assert_eq!(run("plain_thread"), ["25 %", "50 %", "75 %", "100 %", "done at 100 %"]);
}

/// smol's executor hosts slots.
#[test]
fn smol_hosts_slots() {
    assert_eq!(run("on_smol"), ["50 %", "100 %", "done"]);
}

/// tokio's `LocalSet` hosts slots.
#[test]
fn tokio_hosts_slots() {
    assert_eq!(run("on_tokio"), ["50 %", "100 %", "done"]);
}

/// Runs an example and returns what it prints; `cargo test -p slotwork-signals` has built it.
fn run(example: &str) -> Vec<String> {
    let test = std::env::current_exe().unwrap_or_default();
    let build = test.ancestors().nth(2).unwrap_or(&test).join("examples");
    let program = build.join(example).with_extension(EXE_EXTENSION);
    let output = Command::new(program).output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().map(String::from).collect()
}
