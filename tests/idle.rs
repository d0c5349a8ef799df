//! What a loop costs that has nothing to do. A process of its own: threads are counted.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use slotwork::{EventLoop, LoopHandle};

use support::raw_peer::RawPeer;
use support::{DEADLINE, echo_server};

#[path = "suite/support/mod.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod support;

/// docs/architecture.md: an idle loop is one `epoll_wait` without a timeout, in one thread.
#[test]
fn an_idle_loop_sleeps_until_something_happens() -> Result<()> {
    let (tell, told) = mpsc::channel();
    let server_thread = thread::spawn(move || serve_for_ever(&tell));
    let threads_before = count_threads()?;
    let Started { task, port, handle } = told.recv_timeout(DEADLINE)?;

    let mut peer = RawPeer::open(port)?;
    peer.check_echo("busy")?;
    let asleep = wait_for_sleep(&task)?;

    for _ in 0..1000 {
        ensure!(observe(&task)? == asleep, "it woke up");
    }
    ensure!(count_threads()? == threads_before, "it started a thread");
    peer.check_echo("busy again")?;
    handle.quit();
    server_thread.join().ok().context("the server panicked")?
}

/// What the other thread needs to know of the loop.
struct Started {
    /// Its directory below /proc.
    task: PathBuf,
    port: u16,
    handle: LoopHandle,
}

fn serve_for_ever(tell: &mpsc::Sender<Started>) -> Result<()> {
    let server = echo_server()?;
    // With keepalive a loop with clients wakes up now and then.
    server.set_keepalive_interval(None);
    let task = Path::new("/proc").join(fs::read_link("/proc/thread-self")?);
    let handle = EventLoop::current().handle();
    tell.send(Started { task, port: server.server_port(), handle })?;
    EventLoop::current().exec();
    Ok(())
}

/// What a thread is doing: the system call with its arguments, and how often it went to sleep.
#[derive(Debug, PartialEq)]
struct Observation {
    system_call: String,
    sleeps: String,
}

fn observe(task: &Path) -> Result<Observation> {
    let status = fs::read_to_string(task.join("status"))?;
    let sleeps = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"));
    Ok(Observation {
        system_call: fs::read_to_string(task.join("syscall"))?,
        sleeps: sleeps.context("no count of context switches")?.to_owned(),
    })
}

/// Waits until the thread is in a system call whose fourth argument, the timeout of `epoll_wait`,
/// is -1.
fn wait_for_sleep(task: &Path) -> Result<Observation> {
    let start = Instant::now();
    loop {
        let observation = observe(task)?;
        let timeout = observation.system_call.split_whitespace().nth(4);
        if timeout.is_some_and(|timeout| timeout.ends_with("ffffffff")) {
            return Ok(observation);
        }
        ensure!(start.elapsed() < DEADLINE, "it is never at rest: {observation:?}");
        thread::yield_now();
    }
}

fn count_threads() -> Result<usize> {
    Ok(fs::read_dir("/proc/self/task")?.count())
}
