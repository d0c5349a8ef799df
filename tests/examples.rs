//! The examples do what their Qt counterparts do, also beside clients that misbehave.

use std::io::{BufRead, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::process::{Command, Output};

use anyhow::{Result, ensure};

use support::example::{Example, program};
use support::raw_peer::{RawPeer, TEXT, check_good_client, masked, request, request_with};

/// Qt: the `echoserver` example, with `--debug`.
#[test]
fn echoserver_echoes_and_prints_what_happens() -> Result<()> {
    let mut server = Example::run(&mut command(&["--port", "0", "--debug"]))?;
    let port = server.port_behind(LISTENING)?;

    RawPeer::connect(port)?.send("GARBAGE\r\n\r\n")?;
    RawPeer::open(port)?.send(masked(TEXT, &[0xFF]))?;
    let _silent = RawPeer::connect(port)?;
    check_good_client(port)?;
    // When this one is served, the end of the one before has been reported.
    check_good_client(port)?;

    let lines = server.stop()?;
    let has = |line: &str| lines.lines().any(|found| found.starts_with(line));
    ensure!(has(&format!("Echoserver listening on port {port}")), "{lines}");
    ensure!(has(r#"Message received: "still there?""#), "{lines}");
    ensure!(has("socketDisconnected: WebSocket(127.0.0.1:"), "{lines}");
    ensure!(has("serverError: refused 127.0.0.1:"), "{lines}");
    Ok(())
}

/// Qt: CLS-15: a signal cuts off the clients of Qt's examples; those of ours are sent 1001 (RFC 6455
/// §7.4.1), and the program ends well.
#[cfg(unix)]
#[test]
fn a_server_that_is_interrupted_closes_its_connections() -> Result<()> {
    use rustix::process::Signal;

    for signal in [Signal::INT, Signal::TERM] {
        for (name, arguments, words) in [
            ("echoserver", &["--port", "0"][..], LISTENING),
            ("porting", &["0"], LISTENING),
            ("simplechat", &["--port", "0"], "Chat Server listening on port "),
            ("simplechat", &["--port", "0", "--threads=2"], "Chat Server listening on port "),
            ("rooms", &["--port", "0"], ROOMS),
            ("httpserver", &["0"], HTTP),
            #[cfg(feature = "tls")]
            ("service", &["0"], LISTENING),
        ] {
            let mut server = Example::run(program(name).args(arguments))?;
            let mut peer = RawPeer::open(server.port_behind(words)?)?;

            server.send_signal(signal)?;

            // The list of rooms may come first.
            let mut frame = peer.read_frame()?;
            while frame.opcode == TEXT {
                frame = peer.read_frame()?;
            }
            ensure!(frame.close_code()? == 1001, "{name}");
            peer.close_back()?;
            ensure!(server.process.wait()?.success(), "{name}");
        }
    }
    Ok(())
}

/// The same over TLS.
#[cfg(all(unix, feature = "tls"))]
#[test]
fn an_sslechoserver_that_is_interrupted_closes_its_connections() -> Result<()> {
    use slotwork::signals::SignalSpy;
    use slotwork::{CloseCode, TlsCertificate, TlsConfig, WebSocket};

    let folder = std::env::temp_dir().join(format!("slotwork-{}-sslend", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let mut command = program("sslechoserver");
    let mut server = Example::run(command.args(["--port", "0"]).current_dir(&folder))?;
    let port = server.port_behind("SSL Echo Server listening on port ")?;
    let socket = WebSocket::new();
    let trusted = TlsCertificate::from_pem_file(folder.join("localhost.cert"))?;
    socket.set_tls_config(TlsConfig::new().ca_certificates(trusted));
    let connected = SignalSpy::new(&socket.connected());
    let disconnected = SignalSpy::new(&socket.disconnected());
    socket.open(format!("wss://localhost:{port}"))?;
    connected.wait_for(1)?;

    server.send_signal(rustix::process::Signal::TERM)?;

    disconnected.wait_for(1)?;
    ensure!(socket.close_code() == Some(CloseCode::GOING_AWAY), "{:?}", socket.close_code());
    ensure!(server.process.wait()?.success());
    Ok(std::fs::remove_dir_all(folder)?)
}

/// Without `--debug` it prints nothing but its address.
#[test]
fn echoserver_is_silent_without_debug() -> Result<()> {
    let mut server = Example::run(&mut command(&["-p0"]))?;

    check_good_client(server.port_behind(LISTENING)?)?;

    let lines = server.stop()?;
    ensure!(lines.is_empty(), "{lines}");
    Ok(())
}

/// A busy port ends it with an error; Qt's example reports nothing and runs.
#[test]
fn echoserver_reports_when_its_port_is_busy() -> Result<()> {
    let busy = TcpListener::bind(("0.0.0.0", 0))?;
    let port = busy.local_addr()?.port().to_string();

    let Output { status, stderr, .. } = command(&["--port", &port]).output()?;

    let stderr = String::from_utf8(stderr)?;
    ensure!(status.code() == Some(1), "{status}");
    ensure!(stderr.contains("cannot start the echo server"), "{stderr}");
    ensure!(stderr.contains(&format!("cannot listen on port {port} (all addresses)")), "{stderr}");
    Ok(())
}

/// The port of `porting.cpp`: a struct with methods as slots, beside clients that misbehave.
#[test]
fn porting_echoes_and_counts() -> Result<()> {
    let mut server = Example::run(program("porting").arg("0"))?;
    let port = server.port_behind(LISTENING)?;

    RawPeer::connect(port)?.send("GARBAGE\r\n\r\n")?;
    RawPeer::open(port)?.send(masked(TEXT, &[0xFF]))?;
    let _silent = RawPeer::connect(port)?;
    check_good_client(port)?;
    // When this one is served, the end of the one before has been reported.
    check_good_client(port)?;

    let lines = server.stop()?;
    ensure!(lines.lines().any(|line| line.starts_with("1 messages, ")), "{lines}");
    Ok(())
}

/// Qt: the `echoclient` example, with `--debug`, which ends by itself.
#[test]
fn echoclient_talks_to_echoserver() -> Result<()> {
    let mut server = Example::run(&mut command(&["--port", "0", "--debug"]))?;
    let port = server.port_behind(LISTENING)?.to_string();

    let options = ["--debug", "-n", "127.0.0.1", "-p", &port];
    let Output { status, stdout, stderr } = program("echoclient").args(options).output()?;
    let quiet = program("echoclient").args(["--hostname=127.0.0.1", "--port", &port]).output()?;

    let stderr = String::from_utf8(stderr)?;
    let expected = format!(
        "WebSocket server: \"ws://127.0.0.1:{port}\"\n\
         WebSocket connected\n\
         Message received: \"Hello, world!\"\n"
    );
    ensure!(status.success() && stdout.is_empty(), "{status}");
    ensure!(stderr == expected, "{stderr}");
    ensure!(quiet.status.success() && quiet.stdout.is_empty() && quiet.stderr.is_empty());
    let lines = server.stop()?;
    ensure!(lines.matches("Message received: \"Hello, world!\"").count() == 2, "{lines}");
    Ok(())
}

/// A refused connection and a wrong port are reported; Qt's example ends without a message.
#[test]
fn echoclient_reports_what_goes_wrong() -> Result<()> {
    let free = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port().to_string();

    for (port, told) in [(&*free, "cannot connect to"), ("0", "0 is not in 1..=65535")] {
        let options = ["--hostname", "127.0.0.1", "--port", port];
        let Output { status, stderr, .. } = program("echoclient").args(options).output()?;
        let stderr = String::from_utf8(stderr)?;
        ensure!(!status.success() && stderr.contains(told), "{status}: {stderr}");
    }
    Ok(())
}

/// Qt: the `sslechoserver` and `sslechoclient` examples; the server makes its certificate itself.
#[test]
#[cfg(feature = "tls")]
fn sslechoclient_talks_to_sslechoserver() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("slotwork-{}-sslecho", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let here = |name: &str| {
        let mut command = program(name);
        command.current_dir(&folder);
        command
    };
    let said = |command: &mut Command| -> Result<(bool, String)> {
        let output = command.output()?;
        Ok((output.status.success(), String::from_utf8(output.stdout)?))
    };
    let mut server = Example::run(here("sslechoserver").args(["--port", "0"]))?;
    let port = server.port_behind("SSL Echo Server listening on port ")?.to_string();
    RawPeer::connect(port.parse()?)?.send("GARBAGE\r\n\r\n")?;

    let talk = said(here("sslechoclient").args(["--port", &port]))?;
    // With the certificate of another server there is no connection.
    std::fs::remove_file(folder.join("localhost.key"))?;
    std::fs::remove_file(folder.join("localhost.cert"))?;
    let mut other = Example::run(here("sslechoserver").args(["--port", "0"]))?;
    other.port_behind("SSL Echo Server listening on port ")?;
    let refused = said(here("sslechoclient").args(["-n127.0.0.1", "-p", &port]))?;

    assert_eq!(talk, (true, "WebSocket connected\nMessage received: \"Hello, world!\"\n".into()));
    ensure!(!refused.0 && refused.1.starts_with("SSL errors: [\"the certificate"), "{refused:?}");
    let mut lines = String::new();
    while !lines.contains("Client disconnected") {
        ensure!(server.stdout.read_line(&mut lines)? > 0, "{lines}");
    }
    assert_eq!(lines, "Client connected: \"\" \"\"\nClient disconnected\n");
    let errors = server.stop()?;
    ensure!(errors.contains("the peer does not speak TLS"), "{errors}");
    // Windows keeps the folder that a process is in.
    drop(other);
    Ok(std::fs::remove_dir_all(folder)?)
}

/// Qt: the example of a controller and its worker in the documentation of `QThread`.
#[test]
fn worker_works_in_its_own_thread() -> Result<()> {
    let Output { status, stdout, .. } = program("worker").output()?;

    let stdout = String::from_utf8(stdout)?;
    ensure!(status.success(), "{status}");
    let expected =
        "worker works on \"parameter\"\nmain got \"the result of parameter\" from worker\n";
    ensure!(stdout == expected, "{stdout}");
    Ok(())
}

/// Qt: the `simplechat` example: each client receives the texts of the others, not its own.
#[test]
fn simplechat_forwards_texts_to_all_others() -> Result<()> {
    check_simplechat(&["--port", "0"])
}

/// The same with clients on several threads, each with its chat object.
#[test]
fn simplechat_forwards_texts_between_threads() -> Result<()> {
    check_simplechat(&["--port", "0", "--threads", "2"])
}

fn check_simplechat(arguments: &[&str]) -> Result<()> {
    let mut chat = Example::run(program("simplechat").args(arguments))?;
    let port = chat.port_behind("Chat Server listening on port ")?;
    let mut alice = RawPeer::open(port)?;
    let mut bob = RawPeer::open(port)?;
    let mut rude = RawPeer::open(port)?;
    // Behind its 101, a thread may not have taken a client yet.
    for _ in 0..3 {
        let mut line = String::new();
        chat.stdout.read_line(&mut line)?;
        ensure!(line.ends_with(" connected!\n"), "{line}");
    }
    rude.send(masked(TEXT, b"rude: hello"))?;
    alice.expect_texts(&["rude: hello"])?;
    bob.expect_texts(&["rude: hello"])?;

    rude.send(masked(TEXT, &[0xFF]))?;
    ensure!(rude.read_frame()?.close_code()? == 1007);
    alice.send(masked(TEXT, b"alice: hi"))?;
    bob.expect_texts(&["alice: hi"])?;
    bob.send(masked(TEXT, b"bob: you too"))?;

    // The first text that she receives is not her own.
    alice.expect_texts(&["bob: you too"])
}

/// Rooms with the people in them and the last messages; a client that speaks another protocol is
/// closed, and the others are not.
#[test]
fn rooms_show_their_people_and_last_messages() -> Result<()> {
    let mut example = Example::run(program("rooms").args(["--port", "0"]))?;
    let port = example.port_behind(ROOMS)?;
    let mut ada = RawPeer::open(port)?;
    ada.expect_texts(&[r#"{"rooms":[["Lobby",0],["Rust",0],["Qt",0],["Off topic",0]]}"#])?;
    ada.send(masked(TEXT, br#"{"join":{"room":"Rust","name":" Ada "}}"#))?;
    ada.expect_texts(&[
        r#"{"joined":{"room":"Rust","last":[]}}"#,
        r#"{"people":["Ada"]}"#,
        r#"{"rooms":[["Lobby",0],["Rust",1],["Qt",0],["Off topic",0]]}"#,
    ])?;
    ada.send(masked(TEXT, br#"{"say":"hello"}"#))?;
    ada.expect_texts(&[r#"{"said":{"from":"Ada","text":"hello"}}"#])?;

    let mut rude = RawPeer::open(port)?;
    rude.expect_texts(&[r#"{"rooms":[["Lobby",0],["Rust",1],["Qt",0],["Off topic",0]]}"#])?;
    rude.send(masked(TEXT, b"hello"))?;
    ensure!(rude.read_frame()?.close_code()? == 1008);
    let mut bob = RawPeer::open(port)?;
    bob.expect_texts(&[r#"{"rooms":[["Lobby",0],["Rust",1],["Qt",0],["Off topic",0]]}"#])?;
    bob.send(masked(TEXT, br#"{"join":{"room":"Rust","name":"Bob"}}"#))?;

    bob.expect_texts(&[
        r#"{"joined":{"room":"Rust","last":[{"from":"Ada","text":"hello"}]}}"#,
        r#"{"people":["Ada","Bob"]}"#,
    ])?;
    ada.expect_texts(&[r#"{"people":["Ada","Bob"]}"#])?;
    bob.reset()?;
    ada.expect_texts(&[
        r#"{"rooms":[["Lobby",0],["Rust",2],["Qt",0],["Off topic",0]]}"#,
        r#"{"people":["Ada"]}"#,
        r#"{"rooms":[["Lobby",0],["Rust",1],["Qt",0],["Off topic",0]]}"#,
    ])
}

/// RFC 3986 §3.2.2: an address of IPv6 with a port has brackets, as in a URL.
#[test]
fn simplechat_shows_peers_with_their_address_and_port() -> Result<()> {
    let mut chat = Example::run(program("simplechat").args(["--port", "0"]))?;
    let port = chat.port_behind("Chat Server listening on port ")?;
    let mut peers = Vec::new();
    for address in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        if TcpListener::bind((address, 0)).is_err() {
            // This machine has no IPv6.
            continue;
        }
        let mut peer = TcpStream::connect((address, port))?;
        peer.write_all(request().as_bytes())?;

        let mut line = String::new();
        chat.stdout.read_line(&mut line)?;

        assert_eq!(line, format!("{} connected!\n", peer.local_addr()?));
        // The end of a client would be printed as well.
        peers.push(peer);
    }
    Ok(())
}

/// Qt: `QHttpServer`: a page, metrics and the WebSocket on one port, beside clients that misbehave.
#[test]
fn httpserver_serves_a_page_and_its_websocket_on_one_port() -> Result<()> {
    let mut server = Example::run(program("httpserver").arg("0"))?;
    let port = server.port_behind(HTTP)?;
    let mut silent = RawPeer::connect(port)?;
    let mut endless = RawPeer::connect(port)?;
    endless.send([b'a'; 9000])?;
    let mut slow = RawPeer::connect(port)?;
    slow.send("GET / HTTP/1.1\r\nHost: localhost\r")?;

    let mut browser = RawPeer::connect(port)?;
    browser.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let page = browser.read_response()?;
    let mut socket = RawPeer::connect(port)?;
    socket.send([request().as_bytes(), &masked(TEXT, b"sent with the request")].concat())?;
    socket.expect_upgrade()?;
    socket.expect_texts(&["sent with the request"])?;
    check_good_client(port)?;
    let mut foreign = RawPeer::connect(port)?;
    foreign.send(request_with("Origin: http://example.org\r\n"))?;

    assert_eq!(page.body, include_str!("../examples/httpserver.html"));
    ensure!(page.head.starts_with("HTTP/1.1 200 OK\r\n"), "{}", page.head);
    ensure!(page.has_header("Content-Type", "text/html"), "{}", page.head);
    ensure!(foreign.read_status()? == 403);
    ensure!(endless.read_status()? == 414);
    slow.send("\n\r\n")?;
    ensure!(slow.read_status()? == 200);
    for (path, body) in [("/health", "ok\n"), ("/metrics", "chat_clients 1\nchat_unsent_bytes 0\n")]
    {
        let mut monitor = RawPeer::connect(port)?;
        monitor.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))?;
        assert_eq!(monitor.read_response()?.body, body);
    }
    silent.expect_silence()
}

/// The health page, the metrics and the limits of a service, without TLS and with it.
#[cfg(feature = "tls")]
#[test]
fn a_service_has_a_health_page_metrics_and_limits() -> Result<()> {
    let mut server = Example::run(program("service").arg("0"))?;
    let port = server.port_behind(LISTENING)?;
    let get = |path: &str| -> Result<String> {
        let mut peer = RawPeer::connect(port)?;
        peer.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))?;
        Ok(peer.read_response()?.body)
    };
    check_good_client(port)?;
    let mut big = RawPeer::open(port)?;
    big.send(masked(TEXT, &vec![b'x'; 70_000]))?;
    ensure!(big.read_frame()?.close_code()? == 1009);
    RawPeer::connect(port)?.send("GARBAGE\r\n\r\n")?;

    ensure!(get("/health")? == "ok\n");
    let metrics = get("/metrics")?;
    ensure!(metrics.contains("messages_received_total 1\n"), "{metrics}");
    ensure!(metrics.contains("refused_total{reason=\"verifier\"} 0\n"), "{metrics}");
    ensure!(get("/other")?.contains("upgrade to websocket"));
    Ok(())
}

/// The same service with a certificate of its own.
#[cfg(feature = "tls")]
#[test]
fn a_service_with_a_certificate_serves_wss() -> Result<()> {
    use support::certificates::Authority;
    use support::tls_peer::check_good_tls_client;

    let authority = Authority::new()?;
    let folder = std::env::temp_dir().join(format!("slotwork-{}-service", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let pem = authority.sign(&["localhost", "127.0.0.1"], |_| ())?;
    let (certificate, key) = (folder.join("chat.pem"), folder.join("chat.key"));
    std::fs::write(&certificate, &pem.certificate)?;
    std::fs::write(&key, &pem.key)?;

    let mut command = program("service");
    let mut server = Example::run(command.arg("0").args([&certificate, &key]))?;
    let port = server.port_behind("listening on wss://127.0.0.1:")?;

    check_good_tls_client(port, &authority.certificate())?;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// README shows the example as it is.
#[test]
fn readme_shows_the_whole_echoserver() {
    let (readme, example) =
        (include_str!("../README.md"), include_str!("../examples/echoserver.rs"));

    assert!(readme.contains(&format!("```rust,no_run\n{example}```")));
}

/// The guide for Qt programs counts the examples as they are.
#[test]
fn the_porting_guide_counts_the_examples_right() {
    let guide = include_str!("../docs/porting.md");
    let counterpart = code_of(include_str!("../examples/porting.cpp")).len();
    // Qt's own were counted once; they are not ours to keep here.
    let examples = [
        ("porting", Some(counterpart), include_str!("../examples/porting.rs")),
        ("echoserver", Some(103), include_str!("../examples/echoserver.rs")),
        ("echoclient", Some(66), include_str!("../examples/echoclient.rs")),
        ("simplechat", Some(79), include_str!("../examples/simplechat.rs")),
        ("sslechoserver", Some(118), include_str!("../examples/sslechoserver.rs")),
        ("sslechoclient", Some(95), include_str!("../examples/sslechoclient.rs")),
        ("worker", None, include_str!("../examples/worker.rs")),
        ("httpserver", None, include_str!("../examples/httpserver.rs")),
    ];
    for (name, of_qt, text) in examples {
        let code = code_of(text);
        let [clones, weaks, cells] = ["clone(", "Weak", "RefCell"]
            .map(|word| code.iter().map(|line| line.matches(word).count()).sum::<usize>());

        let before = of_qt.map_or("no whole program".into(), |lines| lines.to_string());
        let lines = code.len();
        let row =
            format!("| {before} | `examples/{name}.rs` | {lines} | {clones} | {weaks} | {cells} |");
        assert!(guide.contains(&row), "{row}");
        assert!(of_qt.is_none_or(|of_qt| lines < of_qt), "{row}");
    }
}

/// The lines of a program without those that are empty or comments.
fn code_of(text: &str) -> Vec<&str> {
    let is_code = |line: &&str| !line.is_empty() && !line.starts_with("//");
    text.lines().map(str::trim).filter(is_code).collect()
}

/// What `echoserver`, `porting` and `service` print in front of their port.
const LISTENING: &str = "listening on ws://127.0.0.1:";

/// What `rooms` says in front of its port.
const ROOMS: &str = "Rooms listening on port ";

/// What `httpserver` says in front of its port.
const HTTP: &str = "listening on http://127.0.0.1:";

/// The example `echoserver`.
fn command(arguments: &[&str]) -> Command {
    let mut command = program("echoserver");
    command.args(arguments);
    command
}
