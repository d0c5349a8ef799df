//! Node processes, and their clients.

use std::cell::Cell;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use slotwork::{EventLoop, WebSocket};
use smol::Timer;
use smol::future::FutureExt;

use crate::engine::Engine;

/// A node in a process of its own, which is killed when this is dropped.
pub(crate) struct Node {
    process: Child,
    url: String,
}

impl Node {
    pub(crate) fn start(engine: &Engine) -> Result<Self> {
        Self::start_with(&[&engine.url()])
    }

    /// Starts a node whose topics are not bridged.
    pub(crate) fn start_alone(engine: &Engine) -> Result<Self> {
        Self::start_with(&[&engine.url(), "alone"])
    }

    fn start_with(arguments: &[&str]) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("node")
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let url = line.trim().strip_prefix("listening on ").context("no URL")?.to_owned();
        Ok(Self { process, url })
    }

    /// Connects a client, and waits until the node has attended to it.
    pub(crate) fn open(&self, path: &str) -> Result<WebSocket> {
        let client = WebSocket::new();
        let is_ready = Rc::new(Cell::new(false));
        let connection = client
            .text_message_received()
            .connect_to(&is_ready, |is_ready, _client, text| is_ready.set(text == "ready"));
        client.set_output_limit(1 << 30);
        client.open(format!("{}/{path}", self.url.trim_end_matches('/')))?;
        wait_until(|| is_ready.get())?;
        connection.disconnect();
        Ok(client)
    }

    /// Returns the processor time of all threads so far.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        let mut sum = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let statistics = fs::read_to_string(thread?.path().join("schedstat"))?;
            let time: u64 = statistics.split(' ').next().context("no time")?.parse()?;
            sum += time;
        }
        Ok(Duration::from_nanos(sum))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may be dead already.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// Sends to a topic until a client of another node has it: the subscription is there.
pub(crate) fn link(sender: &WebSocket, receiver: &WebSocket) -> Result<()> {
    let has_arrived = Rc::new(Cell::new(false));
    let connection = receiver
        .text_message_received()
        .connect_to(&has_arrived, |has_arrived, _client, text| has_arrived.set(text == "link 0"));
    run_until(async {
        while !has_arrived.get() {
            sender.send_text_message("link 0");
            Timer::after(Duration::from_millis(20)).await;
        }
        // Those on their way.
        Timer::after(Duration::from_millis(300)).await;
    })?;
    connection.disconnect();
    Ok(())
}

pub(crate) fn wait_until(condition: impl Fn() -> bool) -> Result<()> {
    run_until(async {
        while !condition() {
            Timer::after(Duration::from_millis(1)).await;
        }
    })
}

/// Runs the loop until a future is done, for a minute at most.
pub(crate) fn run_until<T>(future: impl Future<Output = T>) -> Result<T> {
    let expire = async {
        Timer::after(Duration::from_secs(60)).await;
        None
    };
    let outcome = EventLoop::current().run_until(async { Some(future.await) }.or(expire));
    outcome.context("the deadline passed")
}
