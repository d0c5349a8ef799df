//! Programs of `examples/`, run by tests.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result};

/// An example that runs; it is stopped when the test ends.
#[derive(Debug)]
pub struct Example {
    /// The process.
    pub process: Child,
    /// What it prints, behind the lines that were read.
    pub stdout: BufReader<ChildStdout>,
}

impl Example {
    /// Starts a program, with its output in pipes.
    pub fn run(command: &mut Command) -> Result<Self> {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let stdout = process.stdout.take().context("no stdout")?;
        Ok(Self { process, stdout: BufReader::new(stdout) })
    }

    /// Reads the line with its port, which stands behind these words.
    pub fn port_behind(&mut self, words: &str) -> Result<u16> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        let port = line.trim().strip_prefix(words);
        Ok(port.with_context(|| format!("it said {line:?}"))?.parse()?)
    }

    /// Sends a signal of the system to the process.
    #[cfg(unix)]
    pub fn send_signal(&self, signal: rustix::process::Signal) -> Result<()> {
        let process = rustix::process::Pid::from_child(&self.process);
        Ok(rustix::process::kill_process(process, signal)?)
    }

    /// Stops it and returns what it wrote to stderr.
    pub fn stop(mut self) -> Result<String> {
        let mut stderr = self.process.stderr.take().context("no stderr")?;
        self.process.kill()?;
        let mut lines = String::new();
        stderr.read_to_string(&mut lines)?;
        Ok(lines)
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // It fails only when the process has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An example, which cargo builds together with the tests.
pub fn program(name: &str) -> Command {
    let mut path = std::env::current_exe().unwrap_or_default();
    path.pop();
    path.pop();
    Command::new(path.join("examples").join(name))
}
