//! A `nats-server` in a process of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use slotwork_nats::NatsOptions;

/// A server, which is killed when this is dropped.
pub(crate) struct Engine {
    port: u16,
    arguments: Vec<String>,
    process: Child,
}

impl Engine {
    /// Starts a server on a free port.
    pub(crate) fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// Starts a server on a free port, with more arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Result<Self> {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self::start_at(free_port()?, arguments)
    }

    /// Starts a server on a free port, with a configuration.
    pub(crate) fn start_configured(configuration: &str) -> Result<Self> {
        let port = free_port()?;
        let file = scratch_file(&format!("nats-{port}.conf"), configuration)?;
        Self::start_at(port, vec!["--config".to_owned(), file.display().to_string()])
    }

    /// Starts a server on this port.
    pub(crate) fn start_at(port: u16, arguments: Vec<String>) -> Result<Self> {
        let process = start(port, &arguments)?;
        Ok(Self { port, arguments, process })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(crate) fn options(&self) -> NatsOptions {
        NatsOptions::new(self.url())
    }

    /// Kills the server, as `kill -9` does.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Starts the server anew, on its port.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.process = start(self.port, &self.arguments)?;
        Ok(())
    }

    /// Stops the server in the middle of its work, until [`resume`](Self::resume).
    pub(crate) fn suspend(&self) -> Result<()> {
        signal(&self.process, Signal::STOP)
    }

    pub(crate) fn resume(&self) -> Result<()> {
        signal(&self.process, Signal::CONT)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It may be dead already.
        _ = self.kill();
    }
}

/// Sends a signal to a process.
pub(crate) fn signal(process: &Child, signal: Signal) -> Result<()> {
    let pid = Pid::from_child(process);
    kill_process(pid, signal).context("no such process")
}

pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Returns how many subscriptions a server has, from the port of its monitoring.
pub(crate) fn subscriptions(monitoring: u16) -> Result<usize> {
    monitored(monitoring, "subsz", "num_subscriptions")
}

/// Returns how many connections a server has, from the port of its monitoring.
pub(crate) fn connections(monitoring: u16) -> Result<usize> {
    monitored(monitoring, "connz", "num_connections")
}

/// Asks the monitoring for a number, by HTTP.
fn monitored(port: u16, page: &str, name: &str) -> Result<usize> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    write!(stream, "GET /{page} HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, rest) = answer.split_once(&format!("\"{name}\":")).context("no such number")?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    Ok(digits.parse()?)
}

/// Writes a file that is left behind.
pub(crate) fn scratch_file(name: &str, content: &str) -> Result<PathBuf> {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&file, content)?;
    Ok(file)
}

fn start(port: u16, arguments: &[String]) -> Result<Child> {
    let mut process = Command::new("nats-server")
        .args(["--addr", "127.0.0.1", "--port", &port.to_string()])
        .args(arguments)
        .stderr(Stdio::piped())
        .spawn()
        .context("no nats-server: install it, or run tests/engines/run")?;
    let log = process.stderr.take().context("no log")?;
    let mut lines = BufReader::new(log).lines();
    let mut seen = String::new();
    for line in lines.by_ref() {
        let line = line?;
        if line.contains("Server is ready") {
            // It must not wait for a reader.
            thread::spawn(move || lines.for_each(drop));
            return Ok(process);
        }
        seen += &line;
        seen.push('\n');
    }
    process.wait()?;
    bail!("nats-server has ended:\n{seen}");
}
