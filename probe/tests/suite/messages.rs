//! Sending, receiving, waiting, pings.

use std::io::Write;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use slotwork::Compression;

use support::certificates::Authority;
use support::raw_server::{RawServer, unmasked};
use support::{compressing_server, echo_server, secure_echo_server, serve};

use crate::{Outcome, end_of, probe, run};

#[test]
fn a_message_is_sent_and_its_echo_is_shown() -> Result<()> {
    let server = echo_server()?;

    let outcome = run(&[&server.server_url(), "hello", "-n1"])?.ended_with(0)?;

    let rows =
        ["connected    ws://127.0.0.1:", "look-up ", "> hello\n< hello\n", "closed       1000"];
    outcome.shows(&rows)?;
    outcome.shows(&["sent         1 message, 5 bytes", "received     1 message, 5 bytes"])?;
    ensure!(outcome.stderr.is_empty(), "{outcome:?}");
    Ok(())
}

/// Without anything to wait for, the closing handshake is the end of the exchange (RFC 6455 §7.1.2).
#[test]
fn without_waiting_it_closes_behind_the_last_message() -> Result<()> {
    let server = echo_server()?;

    let outcome = run(&["-q", &server.server_url(), "a", "b"])?.ended_with(0)?;

    ensure!(outcome.stdout == "a\nb\n", "{outcome:?}");
    Ok(())
}

/// A script gets the number of messages that it wants, whatever the server sends.
#[test]
fn no_message_is_printed_behind_the_last_one() -> Result<()> {
    let server = echo_server()?;
    let url = server.server_url();

    ensure!(run(&["-q", &url, "a", "b", "c", "-n2"])?.ended_with(0)?.stdout == "a\nb\n");
    ensure!(run(&["-q", &url, "a", "b", "c", "-ub"])?.ended_with(0)?.stdout == "a\nb\n");
    Ok(())
}

#[test]
fn lines_of_standard_input_are_messages() -> Result<()> {
    let server = echo_server()?;
    let outcome = with_input(&["-q", &server.server_url(), "first", "-"], b"a\r\n\nb\nlast")?;

    ensure!(outcome.ended_with(0)?.stdout == "first\na\n\nb\nlast\n");
    Ok(())
}

/// More than the high-water mark: the server is waited for, and no message is lost.
#[test]
fn a_long_input_is_sent_as_fast_as_the_server_reads() -> Result<()> {
    let server = echo_server()?;
    let lines = format!("{}\n", "x".repeat(999)).repeat(3000);

    let outcome = with_input(&["-q", &server.server_url(), "-"], lines.as_bytes())?;

    ensure!(outcome.ended_with(0)?.stdout == lines);
    Ok(())
}

#[test]
fn files_are_messages_text_or_binary() -> Result<()> {
    let server = echo_server()?;
    let url = server.server_url();
    let path = std::env::temp_dir().join(format!("slotwork-probe-{}-file", std::process::id()));
    let name = path.to_string_lossy().into_owned();
    std::fs::write(&path, b"two\nlines")?;

    let text = run(&["-q", &url, "-f", &name, "-n1"])?.ended_with(0)?;
    std::fs::write(&path, [0xFF, 0x00])?;
    let binary = run(&["-b", &url, "--file", &name, "-n1"])?.ended_with(0)?;
    let refused = run(&[&url, "-f", &name])?.ended_with(2)?;
    std::fs::remove_file(&path)?;
    let lost = run(&[&url, "-f", &name])?.ended_with(2)?;

    ensure!(text.stdout == "two\nlines\n", "{text:?}");
    binary.shows(&["> 2 bytes: ff 00", "< 2 bytes: ff 00"])?;
    ensure!(refused.stderr.contains("not UTF-8: send it with --binary"), "{refused:?}");
    ensure!(lost.stderr.contains("cannot read"), "{lost:?}");
    Ok(())
}

#[test]
fn a_text_that_is_expected_ends_the_run_and_one_that_is_missing_fails_it() -> Result<()> {
    let server = echo_server()?;
    let url = server.server_url();

    run(&[&url, "one", "two", "-e", "tw", "-e", "ne"])?.ended_with(0)?;
    let missing = run(&[&url, "one", "-e", "two", "-t", "0.1"])?.ended_with(1)?;
    let counted = run(&[&url, "one", "two", "-n1", "-e", "two"])?.ended_with(1)?;

    ensure!(missing.stderr == "error: missing: a message with \"two\"\n", "{missing:?}");
    ensure!(counted.stderr == missing.stderr, "{counted:?}");
    Ok(())
}

#[test]
fn pings_are_measured() -> Result<()> {
    let server = echo_server()?;

    let outcome = run(&[&server.server_url(), "-p3", "-i0", "-v"])?.ended_with(0)?;

    outcome.shows(&["pong         1 after ", "pong         3 after ", "3 of 3 answered, min "])
}

/// The timeout decides, also when the server does not answer the close frame either.
#[test]
fn a_server_that_is_silent_after_the_handshake_fails_the_run() -> Result<()> {
    let server = RawServer::listen()?;
    let command = probe(&[&server.url(), "-n1", "-t0.2"]);
    let peer = std::thread::spawn(move || server.open());

    let outcome = end_of(command)?.ended_with(1)?;

    let _open = peer.join().map_err(|_| anyhow::anyhow!("the server panicked"))??;
    ensure!(outcome.stderr.contains("missing: 1 more message\n"), "{outcome:?}");
    Ok(())
}

/// RFC 6455 §5.5.3: a pong that nothing has asked for is no answer.
#[test]
fn a_ping_without_an_answer_fails() -> Result<()> {
    let server = RawServer::listen()?;
    let command = probe(&[&server.url(), "-p2", "-t0.2", "--json"]);
    let silent = std::thread::spawn(move || -> Result<()> {
        let mut client = server.open()?;
        client.peer.send(unmasked(0xA, b"unasked"))?;
        client.read_frame()?;
        client.read_frame()?;
        client.close(1000, "")
    });

    let outcome = end_of(command)?;
    silent.join().map_err(|_| anyhow::anyhow!("the server panicked"))?.ok();

    let outcome = outcome.ended_with(1)?;
    let found = outcome.json()?;
    ensure!(found["pings"]["sent"] == 1 && found["pings"]["received"] == 0, "{found}");
    ensure!(found["missing"] == json!(["2 of 2 pongs"]), "{found}");
    Ok(())
}

#[test]
fn the_request_has_what_the_options_say() -> Result<()> {
    let server = RawServer::listen()?;
    let options = ["-H", "X-Token: a:b", "-o", "https://a.example", "-s", "v2", "-s", "v1", "-c"];
    let command = probe(&[&options[..], &[&server.url(), "-v"]].concat());
    let peer = std::thread::spawn(move || -> Result<String> {
        let mut client = server.read_request()?;
        client.accept("Sec-WebSocket-Protocol: v1\r\n")?;
        client.read_frame()?;
        client.peer.send(unmasked(8, &1000_u16.to_be_bytes()))?;
        Ok(client.request)
    });

    let outcome = end_of(command)?.ended_with(0)?;

    let request = peer.join().map_err(|_| anyhow::anyhow!("the server panicked"))??;
    for line in ["X-Token: a:b", "Origin: https://a.example", "Sec-WebSocket-Protocol: v2, v1"] {
        ensure!(request.contains(line), "{request}");
    }
    ensure!(request.contains("permessage-deflate"), "{request}");
    outcome.shows(&["subprotocol  v1", "response     101 ", "Upgrade: websocket"])?;
    ensure!(!outcome.stdout.contains("compression"), "{outcome:?}");
    Ok(())
}

#[test]
fn compression_is_used_where_the_server_agrees() -> Result<()> {
    let server = compressing_server(Compression::new())?;
    let url = server.server_url();

    run(&["-c", &url, "-n1", "hello"])?.ended_with(0)?.shows(&["permessage-deflate", "< hello"])?;
    ensure!(!run(&[&url, "-n1", "hello"])?.stdout.contains("compression"));
    Ok(())
}

#[test]
fn the_steps_of_connecting_are_measured() -> Result<()> {
    let authority = Authority::new()?;
    let server = secure_echo_server(authority.server_config()?)?;
    let proxy = RawServer::listen()?;
    let through = format!("http://me:pass@127.0.0.1:{}", proxy.port);

    let direct = run(&["-k", "-j", &server.server_url(), "a", "-n1"])?.ended_with(0)?.json()?;
    let command = probe(&["-j", "--proxy", &through, "ws://server.example/"]);
    let peer = std::thread::spawn(move || -> Result<String> {
        let mut client = proxy.read_request()?;
        let tunnel = client.request.clone();
        client.peer.send("HTTP/1.1 200 OK\r\n\r\n")?;
        client.request = client.peer.read_head()?;
        client.accept("")?;
        client.read_frame()?;
        client.peer.send(unmasked(8, &1000_u16.to_be_bytes()))?;
        Ok(tunnel)
    });
    let tunneled = end_of(command)?.ended_with(0)?.json()?;
    let tunnel = peer.join().map_err(|_| anyhow::anyhow!("the proxy panicked"))??;

    let has = |found: &serde_json::Value, step: &str| found["timings_ms"][step].is_f64();
    for step in ["look_up", "tcp", "tls", "opening_handshake", "first_message"] {
        ensure!(has(&direct, step), "{step}: {direct}");
    }
    ensure!(has(&tunneled, "proxy") && !has(&tunneled, "tls"), "{tunneled}");
    ensure!(tunnel.starts_with("CONNECT server.example:80 "), "{tunnel}");
    Ok(())
}

/// A message that comes late is waited for.
#[test]
fn a_slow_server_is_waited_for() -> Result<()> {
    let server = RawServer::listen()?;
    let command = probe(&["-q", &server.url(), "-n1"]);
    let peer = std::thread::spawn(move || -> Result<()> {
        let mut client = server.read_request()?;
        for byte in client.upgrade()?.into_bytes() {
            client.peer.send([byte])?;
        }
        for byte in unmasked(1, b"late") {
            smol::block_on(smol::Timer::after(std::time::Duration::from_millis(20)));
            client.peer.send([byte])?;
        }
        client.read_frame()?;
        client.peer.send(unmasked(8, &1000_u16.to_be_bytes()))
    });

    let outcome = end_of(command)?.ended_with(0)?;

    peer.join().map_err(|_| anyhow::anyhow!("the server panicked"))??;
    ensure!(outcome.stdout == "late\n", "{outcome:?}");
    Ok(())
}

/// Runs the program with this standard input, which is written while the server's loop runs.
fn with_input(arguments: &[&str], input: &[u8]) -> Result<Outcome> {
    let (mut command, input) = (probe(arguments), input.to_vec());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    serve(move || {
        let mut process = command.spawn()?;
        let mut stdin = process.stdin.take().context("no stdin")?;
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = process.wait_with_output()?;
        writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
        Ok(Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
        })
    })
}

/// The URL of Node's ws for a Unix socket.
#[test]
#[cfg(unix)]
fn a_unix_socket_is_tried_too() -> Result<()> {
    let path = std::env::temp_dir().join(format!("slotwork-probe-{}.sock", std::process::id()));
    let server = slotwork::WebSocketServer::new("", slotwork::SslMode::NonSecure);
    server.listen_unix(&path, 0o600)?;
    support::echo_all(&server);
    let url = &*format!("ws+unix:{}:/chat", path.display());

    let outcome = run(&[url, "hello", "--count", "1"])?.ended_with(0)?;
    outcome.shows(&[
        &format!("connected    {url} (no address)\n"),
        "< hello\n",
        "closed       1000 (normal)",
    ])?;
    drop(server);

    let outcome = run(&[url])?.ended_with(3)?;
    ensure!(outcome.stderr.contains("cannot connect to \"/"), "{outcome:?}");
    Ok(())
}
