//! The scheduling of a server under test: it is asleep or stopped while its clients send.
//!
//! Then all that they have sent is ready in one turn of the server, and its work is the same in
//! each run.

use std::fs;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::client::PATIENCE;

/// A server with one thread, by the id of its process.
#[derive(Clone, Copy, Debug)]
pub struct Scheduling {
    process: i32,
}

impl Scheduling {
    /// Takes the id of the server's process.
    pub const fn new(process: i32) -> Self {
        Self { process }
    }

    /// Waits until the server is asleep, and stops it.
    pub fn stop(self) -> Result<()> {
        self.wait_until_asleep()?;
        self.signal(Signal::Stop)?;
        // `t` is the same under strace, which stops the process before it may go on.
        self.wait_for_state(&['T', 't'])
    }

    /// Lets it continue.
    pub fn resume(self) -> Result<()> {
        self.signal(Signal::Continue)
    }

    /// Waits until it has nothing to do.
    pub fn wait_until_asleep(self) -> Result<()> {
        self.wait_for_state(&['S'])
    }

    /// Returns its resident memory, in bytes.
    pub fn resident_bytes(self) -> Result<i64> {
        let map = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.process))?;
        let resident = map.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kibibytes = resident.and_then(|rest| rest.trim().strip_suffix(" kB"));
        Ok(kibibytes.context("no Rss")?.parse::<i64>()? * 1024)
    }

    fn wait_for_state(self, states: &[char]) -> Result<()> {
        let start = Instant::now();
        while !self.state()?.is_some_and(|state| states.contains(&state)) {
            ensure!(start.elapsed() < PATIENCE, "the server is not in one of {states:?}");
            thread::yield_now();
        }
        Ok(())
    }

    /// Returns the letter of `ps`: the field behind the name, which may contain anything.
    fn state(self) -> Result<Option<char>> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process))?;
        Ok(stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next()))
    }

    #[cfg(unix)]
    fn signal(self, signal: Signal) -> Result<()> {
        use rustix::process::{Pid, Signal as UnixSignal, kill_process};

        let process = Pid::from_raw(self.process).context("0 is not the id of a process")?;
        let signal = match signal {
            Signal::Stop => UnixSignal::STOP,
            Signal::Continue => UnixSignal::CONT,
        };
        Ok(kill_process(process, signal)?)
    }

    #[cfg(not(unix))]
    fn signal(self, signal: Signal) -> Result<()> {
        anyhow::bail!("{signal:?} is a signal of Unix, for process {}", self.process)
    }
}

#[derive(Clone, Copy, Debug)]
enum Signal {
    Stop,
    Continue,
}
