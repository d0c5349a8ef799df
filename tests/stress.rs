//! Bounded floods, run by hand: `cargo test --release --test stress -- --ignored --nocapture`.
//!
//! They print figures and fail only when a client is not served at all.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use support::raw_peer::{RawPeer, TEXT, check_good_client, masked};
use support::{echo_server, serve};

/// MSG-08: a flood of tiny frames by one client leaves the others' p99 under 100 ms.
#[test]
#[ignore = "prints figures; run by hand"]
fn flood_of_tiny_messages() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        let alone = echo_times(port, Duration::from_secs(2))?;
        print_times("alone", alone);
        let flood = Flood::start(port)?;
        let beside = echo_times(port, Duration::from_secs(5))?;
        let flooded = flood.stop()?;
        print_times("beside a flood", beside);
        println!("the flood got {flooded} bytes back");
        ensure!(flooded > 0, "the flood was not served");
        Ok(())
    })
}

/// OPEN-14: a burst of 2000 connects is served in less than 2 s.
#[test]
#[ignore = "prints figures; run by hand"]
fn burst_of_connects() -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        let start = Instant::now();
        let mut peers = (0..2000).map(|_| RawPeer::connect(port)).collect::<Result<Vec<_>>>()?;
        for peer in &mut peers {
            peer.send(support::raw_peer::request())?;
        }
        for peer in &mut peers {
            peer.expect_upgrade()?;
            peer.check_echo("hello")?;
        }
        println!("2000 clients connected and got an echo in {:?}", start.elapsed());
        Ok(())
    })
}

/// OPEN-01, OPEN-17: 500 silent connections and one of garbage leave other clients' p99 under 25 ms.
#[test]
#[ignore = "prints figures; run by hand"]
fn silent_connections() -> Result<()> {
    let server = echo_server()?;
    server.set_handshake_timeout(Some(Duration::from_secs(3)));
    let port = server.server_port();

    serve(move || {
        let silent = (0..500).map(|_| RawPeer::connect(port)).collect::<Result<Vec<_>>>()?;
        RawPeer::connect(port)?.send([0; 4096])?;
        let beside = echo_times(port, Duration::from_secs(2))?;
        print_times("beside 500 silent connections", beside);
        for mut peer in silent {
            peer.read_to_end()?;
        }
        check_good_client(port)
    })
}

/// An idle connection owns no buffer, and little else.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "prints figures; run by hand"]
fn idle_connections() -> Result<()> {
    use rustix::process::{Resource, Rlimit};

    const COUNT: usize = 5000;
    let most = rustix::process::getrlimit(Resource::Nofile).maximum;
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })?;
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        check_good_client(port)?;
        let before = resident_bytes()?;
        let mut peers = (0..COUNT).map(|_| RawPeer::open(port)).collect::<Result<Vec<_>>>()?;
        let opened = resident_bytes()?;
        println!("{} bytes an idle connection", (opened - before) / COUNT);
        for peer in &mut peers {
            peer.check_echo(&"a little more than nothing ".repeat(100))?;
        }
        println!("{} after an echo of 2700 bytes", (resident_bytes()? - before) / COUNT);
        Ok(())
    })
}

#[cfg(target_os = "linux")]
fn resident_bytes() -> Result<usize> {
    use anyhow::Context;

    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")).context("no VmRSS")?;
    Ok(kibibytes.trim().parse::<usize>()? * 1024)
}

/// Sends a message and waits for its echo, again and again, and returns how long each took.
fn echo_times(port: u16, duration: Duration) -> Result<Vec<Duration>> {
    let mut peer = RawPeer::open(port)?;
    let start = Instant::now();
    let mut times = Vec::new();
    while start.elapsed() < duration {
        let sent = Instant::now();
        peer.check_echo("how are the others?")?;
        times.push(sent.elapsed());
    }
    Ok(times)
}

fn print_times(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |percent| times.get((times.len() - 1) * percent / 100).copied().unwrap_or_default();
    let (count, middle, p99, max) = (times.len(), at(50), at(99), at(100));
    println!("{what}: {count} echoes, p50 {middle:?}, p99 {p99:?}, max {max:?}");
}

/// A client that sends tiny messages as fast as it can, and reads what comes back.
struct Flood {
    is_over: Arc<AtomicBool>,
    sender: thread::JoinHandle<Result<()>>,
    reader: thread::JoinHandle<Result<usize>>,
}

impl Flood {
    fn start(port: u16) -> Result<Self> {
        let mut peer = RawPeer::open(port)?;
        let mut stream = peer.try_clone_stream()?;
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let sender = thread::spawn(move || {
            let burst = masked(TEXT, b"x").repeat(10_000);
            while !stop.load(Ordering::Relaxed) {
                peer.send(&burst)?;
            }
            peer.finish()
        });
        let reader = thread::spawn(move || {
            let (mut buffer, mut total) = (vec![0; 1 << 20], 0);
            loop {
                match stream.read(&mut buffer)? {
                    0 => return Ok(total),
                    length => total += length,
                }
            }
        });
        Ok(Self { is_over, sender, reader })
    }

    /// Ends the flood and returns how many bytes came back.
    fn stop(self) -> Result<usize> {
        self.is_over.store(true, Ordering::Relaxed);
        let ended = || anyhow!("a thread of the flood panicked");
        self.sender.join().map_err(|_| ended())??;
        self.reader.join().map_err(|_| ended())?
    }
}
