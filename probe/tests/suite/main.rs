//! `slotwork-probe`, run as a program against servers on free ports.

mod failures;
#[cfg(unix)]
mod listen;
mod messages;
mod output;
mod tls;

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use support::serve;

/// The end of a run.
#[derive(Debug)]
struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Outcome {
    /// Fails unless the run has ended with this code.
    fn ended_with(self, code: i32) -> Result<Self> {
        ensure!(self.code == Some(code), "{self:?}");
        Ok(self)
    }

    /// Fails unless standard output has all of these.
    fn shows(&self, texts: &[&str]) -> Result<()> {
        let missing: Vec<_> = texts.iter().filter(|text| !self.stdout.contains(**text)).collect();
        ensure!(missing.is_empty(), "{missing:?} in {self:?}");
        Ok(())
    }

    fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("{self:?}"))
    }
}

/// The program with these arguments, without standard input.
fn probe(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slotwork-probe"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs the program to its end.
fn end_of(mut command: Command) -> Result<Outcome> {
    let output = command.output()?;
    Ok(Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    })
}

/// The same while this thread's loop serves it.
fn run(arguments: &[&str]) -> Result<Outcome> {
    let command = probe(arguments);
    serve(move || end_of(command))
}
