//! Errors of `accept`: no descriptor is left for the next connection.
//!
//! A binary with one test: the limit is that of the whole process.

#![cfg(unix)]

use std::fs::File;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use slotwork::signals::SignalSpy;
use slotwork::{Error, HostAddress, SslMode, WebSocketServer};
use smol::Timer;
use smol::future::FutureExt;

use support::raw_peer::RawPeer;
use support::recorder::Recorder;
use support::{echo, echo_server, run_until, serve};

/// Qt: SRV-25, where the server never accepts again by itself.
#[test]
fn a_server_without_descriptors_waits_and_goes_on_by_itself() -> Result<()> {
    let server = echo_server()?;
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let port = server.server_port();
    let mut old = serve(move || RawPeer::open(port))?;
    // Kept, so that no descriptor becomes free in an episode.
    let mut kept = Vec::new();

    for episode in 1..=2 {
        // They have their descriptors before there are none; the server has yet to accept them.
        server.pause_accepting();
        let mut waiting = [RawPeer::connect(port)?, RawPeer::connect(port)?];
        let hoard = Hoard::take_all_descriptors()?;
        server.resume_accepting();
        recorder.wait_for(&expected(episode, 0))?;
        let turns = turns_within(Duration::from_millis(500))?;
        ensure!(turns < 100, "the loop turned {turns} times while nothing could be accepted");

        ensure!(server.is_listening());
        ensure!(matches!(server.error(), Some(Error::AcceptFailed { source })
            if source.raw_os_error() == Some(Errno::MFILE.raw_os_error())));
        old = serve(move || {
            (0..100).try_for_each(|_| old.check_echo("unharmed"))?;
            Ok(old)
        })?;
        recorder.check(&expected(episode, 0))?;

        drop(hoard);
        kept.extend(serve(move || {
            for peer in &mut waiting {
                peer.shake_hands()?;
                peer.check_echo("at last")?;
            }
            let [first, second] = waiting;
            Ok([first, second, RawPeer::open(port)?])
        })?);
        recorder.check(&expected(episode, 3))?;
    }
    drop(kept);
    check_on_threads()
}

/// The same with threads: those that have clients lose none, and get the others later.
fn check_on_threads() -> Result<()> {
    let server = WebSocketServer::new("On threads", SslMode::NonSecure);
    let _threads = server.serve_on_threads(2, |part| {
        part.new_connection().connect(|part, ()| {
            while let Some(socket) = part.next_pending_connection() {
                echo(&socket);
            }
        });
    })?;
    server.listen(HostAddress::LocalHost, 0)?;
    let errors = SignalSpy::new(&server.accept_error());
    let port = server.server_port();
    let mut old = serve(move || Ok([RawPeer::open(port)?, RawPeer::open(port)?]))?;

    server.pause_accepting();
    let waiting = [RawPeer::connect(port)?, RawPeer::connect(port)?, RawPeer::connect(port)?];
    let hoard = Hoard::take_all_descriptors()?;
    server.resume_accepting();
    errors.wait_for(1)?;
    old = serve(move || {
        old.iter_mut().try_for_each(|peer| peer.check_echo("unharmed"))?;
        Ok(old)
    })?;
    drop(hoard);
    serve(move || {
        for mut peer in waiting {
            peer.shake_hands()?;
            peer.check_echo("at last")?;
        }
        old.iter_mut().try_for_each(|peer| peer.check_echo("still there"))
    })?;

    assert_eq!(errors.count(), 1);
    Ok(())
}

/// What was recorded when an episode has got as far as `accepted` connections after its error.
fn expected(episode: usize, accepted: usize) -> Vec<&'static str> {
    let mut lines = vec!["new connection"];
    for connections in [3, accepted].into_iter().skip(2 - episode) {
        lines.push("accept error: cannot accept a connection");
        lines.extend(["new connection"].repeat(connections));
    }
    lines
}

/// Returns how often the loop looked around in a while. Slow machines make it fewer, not more.
fn turns_within(duration: Duration) -> Result<u32> {
    let mut turns = 0;
    let count = poll_fn(|_| {
        turns += 1;
        Poll::<()>::Pending
    });
    let wait = async {
        Timer::after(duration).await;
    };
    run_until(count.or(wait))?;
    Ok(turns)
}

/// All descriptors that the process may still open; dropping it frees them.
struct Hoard {
    _files: Vec<File>,
    limit: Rlimit,
}

impl Hoard {
    fn take_all_descriptors() -> Result<Self> {
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(MANY), maximum: limit.maximum })?;
        let mut files = Vec::new();
        loop {
            match File::open("/dev/null") {
                Ok(file) => files.push(file),
                Err(error) if error.raw_os_error() == Some(Errno::MFILE.raw_os_error()) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("/dev/null"),
            }
        }
        Ok(Self { _files: files, limit })
    }
}

impl Drop for Hoard {
    fn drop(&mut self) {
        // The limit was this before.
        let _ = setrlimit(Resource::Nofile, self.limit);
    }
}

/// More descriptors than the test needs.
const MANY: u64 = 100;
