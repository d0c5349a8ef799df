//! The cost of an idle loop. A process of its own: threads are counted.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use slotwork::{EventLoop, LoopHandle, SocketNotifier, Timer};

use support::raw_peer::RawPeer;
use support::{DEADLINE, echo_server};

/// docs/architecture.md: an idle loop is one `epoll_wait` without a timeout, in one thread.
#[test]
fn an_idle_loop_sleeps_until_something_happens() -> Result<()> {
    check_sleep(|| Ok(()))?;
    // The alarm for a timer that runs, a notifier, and waiting for signals of the system are nothing
    // but descriptors in that `epoll_wait`.
    check_sleep(|| {
        let timers: Vec<_> = (1..=1000).map(|_| Timer::new()).collect();
        for timer in &timers {
            timer.start(Duration::from_secs(3600));
        }
        let (peer, stream) = UnixStream::pair()?;
        let notifier = SocketNotifier::new(stream)?;
        EventLoop::current().quit_on_signals()?;
        EventLoop::current().about_to_quit().connect(move |_, ()| {
            _ = (timers.len(), notifier.is_readable_enabled(), &peer);
        });
        Ok(())
    })
}

/// Checks that a loop which serves, and for which `prepare` was called, sleeps between messages.
fn check_sleep(prepare: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    let (tell, told) = mpsc::channel();
    let server_thread = thread::spawn(move || {
        prepare()?;
        serve_for_ever(&tell)
    });
    let threads_before = count_threads()?;
    let Started { task, port, handle } = told.recv_timeout(DEADLINE)?;

    let mut peer = RawPeer::open(port)?;
    peer.check_echo("busy")?;
    let asleep = wait_for_sleep(&task)?;

    for _ in 0..1000 {
        ensure!(observe(&task)? == asleep, "it woke up");
    }
    ensure!(alarms_are_far()?, "it is about to wake up");
    ensure!(count_threads()? == threads_before, "it started a thread");
    peer.check_echo("busy again")?;
    handle.quit();
    server_thread.join().ok().context("the server panicked")?
}

/// The thread of the loop, for the observing one.
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
    // An alarm that was set for a deadline goes off once, also when the deadline was cleared.
    server.set_handshake_timeout(None);
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

/// Waits until the thread is in a system call with a fourth argument, the timeout of `epoll_wait`,
/// of -1 or more than ten minutes, and no alarm goes off before.
fn wait_for_sleep(task: &Path) -> Result<Observation> {
    let start = Instant::now();
    loop {
        let observation = observe(task)?;
        let timeout = observation.system_call.split_whitespace().nth(4);
        let timeout = timeout.and_then(|timeout| timeout.strip_prefix("0x"));
        let is_asleep =
            timeout.is_some_and(|timeout| u64::from_str_radix(timeout, 16).is_ok_and(is_long));
        if is_asleep && alarms_are_far()? && observe(task)? == observation {
            return Ok(observation);
        }
        ensure!(start.elapsed() < DEADLINE, "it is never at rest: {observation:?}");
        thread::yield_now();
    }
}

/// In milliseconds; -1 is shown without its sign.
fn is_long(timeout: u64) -> bool {
    timeout > 600_000
}

/// Returns whether no alarm of this process goes off in the next ten minutes.
fn alarms_are_far() -> Result<bool> {
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        // The descriptor that reads this directory is gone.
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        if target != Path::new("anon_inode:[timerfd]") {
            continue;
        }
        let info = fs::read_to_string(Path::new("/proc/self/fdinfo").join(entry.file_name()))?;
        let left = info.lines().find_map(|line| line.strip_prefix("it_value: ("));
        let left = left.and_then(|left| left.strip_suffix(')')).context("no time")?;
        let (seconds, nanoseconds) = left.split_once(", ").context("half a time")?;
        let (seconds, nanoseconds) = (seconds.parse::<u64>()?, nanoseconds.parse::<u64>()?);
        let is_set = seconds > 0 || nanoseconds > 0;
        if is_set && seconds <= 600 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn count_threads() -> Result<usize> {
    Ok(fs::read_dir("/proc/self/task")?.count())
}
