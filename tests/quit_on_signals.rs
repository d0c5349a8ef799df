//! Signals of the operating system that end a program, in processes of their own.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use slotwork::{EventLoop, EventThread, NestedLoop, Timer};

/// The first signal ends `exec`, with `about_to_quit`, also from inside a nested loop.
#[test]
fn the_first_signal_ends_the_loop_in_good_order() -> Result<()> {
    for (signal, mode) in [(Signal::INT, "exec"), (Signal::TERM, "exec"), (Signal::INT, "nested")] {
        let mut program = Program::start(mode)?;

        program.send(signal)?;

        ensure!(program.line()? == "about to quit");
        ensure!(program.line()? == "exec returned 0");
        ensure!(program.end()?.success());
    }
    Ok(())
}

/// A signal that comes before `exec` is not lost; that of a loop in another thread is that loop's.
#[test]
fn a_signal_may_come_before_exec_or_be_for_another_thread() -> Result<()> {
    for mode in ["before", "thread"] {
        let mut program = Program::start(mode)?;

        program.send(Signal::TERM)?;

        ensure!(program.line()? == "exec returned 0", "{mode}");
        ensure!(program.end()?.success(), "{mode}");
    }
    Ok(())
}

/// The second signal ends the program at once, whichever of the two it is.
#[test]
fn the_second_signal_ends_the_program() -> Result<()> {
    let mut program = Program::start("busy")?;

    program.send(Signal::INT)?;
    ensure!(program.line()? == "about to quit");
    program.send(Signal::TERM)?;

    ensure!(program.end()?.signal() == Some(Signal::TERM.as_raw()));
    Ok(())
}

/// A second call of the same loop opens no descriptors, and posts no second end.
#[test]
fn a_loop_may_make_the_call_twice() -> Result<()> {
    let mut program = Program::start("twice")?;

    program.send(Signal::TERM)?;

    ensure!(program.line()? == "exec returned 0");
    ensure!(program.line()? == "the next exec returned 3");
    ensure!(program.end()?.success());
    Ok(())
}

/// The program that the tests above run.
#[test]
#[ignore = "it is run by the other tests, with MODE set"]
fn program() -> Result<()> {
    let Ok(mode) = std::env::var("MODE") else { return Ok(()) };
    if mode == "thread" {
        let thread = EventThread::spawn("thread", || EventLoop::current().quit_on_signals())?;
        say("ready");
        say(&format!("exec returned {}", thread.wait()?));
        return Ok(());
    }
    let event_loop = EventLoop::current();
    event_loop.quit_on_signals()?;
    if mode == "twice" {
        return run_twice(&event_loop);
    }
    event_loop.about_to_quit().connect(move |_, ()| match mode.as_str() {
        "before" => {}
        "busy" => {
            say("about to quit");
            loop {
                std::thread::park();
            }
        }
        _ => say("about to quit"),
    });
    match std::env::var("MODE")?.as_str() {
        "before" => {
            say("ready");
            // The signal is there when this reads the end.
            std::io::stdin().read_line(&mut String::new())?;
        }
        "nested" => event_loop.defer_to((), |()| {
            say("ready");
            NestedLoop::new().exec();
        }),
        _ => event_loop.defer_to((), |()| say("ready")),
    }
    say(&format!("exec returned {}", event_loop.exec()));
    Ok(())
}

fn run_twice(event_loop: &EventLoop) -> Result<()> {
    let open = descriptors()?;
    event_loop.quit_on_signals()?;
    ensure!(descriptors()? == open, "the second call opened descriptors");
    event_loop.defer_to((), |()| say("ready"));
    say(&format!("exec returned {}", event_loop.exec()));
    Timer::single_shot(Duration::from_millis(1), || EventLoop::current().exit(3));
    say(&format!("the next exec returned {}", event_loop.exec()));
    Ok(())
}

fn descriptors() -> Result<usize> {
    Ok(fs::read_dir("/dev/fd")?.count())
}

fn say(line: &str) {
    println!("> {line}");
}

/// This test binary, running `program`.
struct Program {
    process: Child,
    stdout: BufReader<ChildStdout>,
}

impl Program {
    fn start(mode: &str) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--exact", "program", "--ignored", "--nocapture"])
            .env("MODE", mode)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = BufReader::new(process.stdout.take().context("no stdout")?);
        let mut program = Self { process, stdout };
        ensure!(program.line()? == "ready");
        Ok(program)
    }

    /// Reads the next line that the program prints, between those of the test harness.
    fn line(&mut self) -> Result<String> {
        loop {
            let mut line = String::new();
            ensure!(self.stdout.read_line(&mut line)? > 0, "it said nothing more");
            if let Some((_, said)) = line.trim_end().split_once("> ") {
                return Ok(said.to_owned());
            }
        }
    }

    fn send(&mut self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.process.id())?).context("no process")?;
        kill_process(pid, signal)?;
        drop(self.process.stdin.take());
        Ok(())
    }

    fn end(mut self) -> Result<ExitStatus> {
        Ok(self.process.wait()?)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It fails only when the process has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
