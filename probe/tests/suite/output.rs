//! Standard output and standard error, interruptions, JSON, completion.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use support::{echo_server, recorded_server, serve};

use crate::{end_of, probe, run};

/// Text of a server cannot change the terminal, nor imitate lines of the report.
#[test]
fn control_characters_are_shown_escaped() -> Result<()> {
    let (server, _recorder) = recorded_server(|socket, _text| {
        socket.send_text_message("\x1b[31mred \\n\nclosed       1000");
        socket.close(4000, "bell\x07");
    })?;
    let url = server.server_url();

    let outcome = run(&[&url, "go", "-F"])?;
    let quiet = run(&["-q", &url, "go", "-F"])?;

    outcome.shows(&["< \\u{1b}[31mred \\n\n  closed       1000\n", "4000: bell\\u{7}"])?;
    ensure!(!outcome.stdout.contains('\x1b'), "{outcome:?}");
    // To a pipe, quiet output is what was received.
    ensure!(quiet.stdout == "\x1b[31mred \\n\nclosed       1000\n", "{quiet:?}");
    Ok(())
}

/// `slotwork-probe … | head -1`.
#[test]
fn a_closed_output_ends_the_run_quietly() -> Result<()> {
    let server = echo_server()?;
    let messages = vec!["message"; 1000];
    let url = server.server_url();
    let mut command = probe(&[&["-F", url.as_str()][..], &messages].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());

    let (line, output) = serve(move || {
        let mut process = command.spawn()?;
        let mut line = String::new();
        let mut stdout = BufReader::new(process.stdout.take().context("no stdout")?);
        stdout.read_line(&mut line)?;
        drop(stdout);
        Ok((line, process.wait_with_output()?))
    })?;

    ensure!(line.starts_with("connected "), "{line}");
    ensure!(output.status.code() == Some(0) && output.stderr.is_empty(), "{output:?}");
    Ok(())
}

/// Ctrl-C: the server gets 1000, and the summary is printed.
#[cfg(unix)]
#[test]
fn an_interrupted_run_closes_and_prints_its_summary() -> Result<()> {
    use std::io::Read;

    use rustix::process::{Pid, Signal, kill_process};

    let (server, recorder) = recorded_server(|socket, text| _ = socket.send_text_message(text))?;
    let mut command = probe(&[&server.server_url(), "-F", "hello"]);
    command.stdout(Stdio::piped());

    let (code, output) = serve(move || {
        let mut process = command.spawn()?;
        let mut stdout = BufReader::new(process.stdout.take().context("no stdout")?);
        let mut output = String::new();
        while !output.ends_with("< hello\n") {
            ensure!(stdout.read_line(&mut output)? > 0, "{output}");
        }
        kill_process(Pid::from_child(&process), Signal::INT)?;
        stdout.read_to_string(&mut output)?;
        Ok((process.wait()?.code(), output))
    })?;

    ensure!(code == Some(0) && output.contains("closed       1000 (normal)"), "{code:?} {output}");
    ensure!(output.contains("received     1 message, 5 bytes"), "{output}");
    let events = recorder.lines();
    ensure!(events.iter().any(|event| event.contains("1000")), "{events:?}");
    Ok(())
}

#[cfg(unix)]
#[test]
fn an_interrupted_attempt_is_no_connection() -> Result<()> {
    use rustix::process::{Pid, Signal, kill_process};

    let server = support::raw_server::RawServer::listen()?;
    let mut command = probe(&[&server.url()]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let process = command.spawn()?;
    let _client = server.read_request()?;

    kill_process(Pid::from_child(&process), Signal::INT)?;

    let output = process.wait_with_output()?;
    ensure!(output.status.code() == Some(3), "{output:?}");
    ensure!(output.stderr == b"error: interrupted before the connection was open\n", "{output:?}");
    Ok(())
}

#[test]
fn json_is_one_object_with_all_findings() -> Result<()> {
    let server = echo_server()?;
    let url = format!("ws://me:secret@127.0.0.1:{}/x", server.server_port());

    let outcome = run(&["--json", &url, "hello", "-n1", "-p2", "-i0"])?.ended_with(0)?;

    let found = outcome.json()?;
    ensure!(found["url"] == format!("ws://127.0.0.1:{}/x", server.server_port()), "{found}");
    ensure!(found["messages"] == json!([{ "text": "hello" }]), "{found}");
    ensure!(found["sent"] == json!({ "messages": 1, "bytes": 5 }), "{found}");
    ensure!(found["pings"]["received"] == 2 && found["pings"]["median_ms"].is_f64(), "{found}");
    ensure!(found["close"]["code"] == 1000 && found["error"] == json!(null), "{found}");
    ensure!(found["response"]["status"] == 101 && found["exit_code"] == 0, "{found}");
    Ok(())
}

/// Also for a failure that is found before connecting.
#[test]
fn json_is_printed_for_an_unusable_url() -> Result<()> {
    let found = end_of(probe(&["-j", "http://a"]))?.ended_with(2)?.json()?;

    ensure!(found["error"] == "\"http://a\" is neither ws nor wss", "{found}");
    Ok(())
}

#[test]
fn shells_get_a_completion() -> Result<()> {
    for shell in ["bash", "zsh", "fish"] {
        let outcome = end_of(probe(&["completion", shell]))?.ended_with(0)?;
        outcome.shows(&["slotwork-probe", "insecure"])?;
    }
    Ok(())
}

/// The exit codes are documented where they are looked for.
#[test]
fn the_help_has_the_exit_codes() -> Result<()> {
    let help = end_of(probe(&["--help"]))?.ended_with(0)?;

    help.shows(&["Usage: slotwork-probe ", "Exit codes:\n  0  ", "\n  6  "])
}
