//! The case study `examples/gateway` works, also beside devices and pages that misbehave.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use support::DEADLINE;
use support::example::{Example, program};
use support::raw_peer::{BINARY, Frame, RawPeer, TEXT, masked, request, request_with};

/// Qt: a page and the `QWebSocketServer` on the port of a `QTcpServer`.
#[test]
fn the_page_is_served_on_the_port_of_the_devices() -> Result<()> {
    let gateway = Gateway::start("page")?;

    let mut browser = RawPeer::connect(gateway.port)?;
    browser.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut curious = RawPeer::connect(gateway.port)?;
    curious.send("GET /etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n")?;

    let page = browser.read_response()?;
    ensure!(page.head.starts_with("HTTP/1.1 200 OK\r\n"), "{}", page.head);
    assert_eq!(page.body, include_str!("../examples/gateway/page.html"));
    ensure!(curious.read_status()? == 404);
    Ok(())
}

/// Names and roles are checked before a connection is opened.
#[test]
fn requests_of_neither_a_device_nor_a_page_are_refused() -> Result<()> {
    let gateway = Gateway::start("requests")?;
    let foreign = request_to("/page", "Origin: http://example.org\r\n");

    for (request, status) in [
        (request(), 404),
        (request_to("/devices/", ""), 400),
        (request_to("/devices/a%20b", ""), 400),
        (request_to(&format!("/devices/{}", "a".repeat(33)), ""), 400),
        (foreign, 403),
    ] {
        let mut peer = RawPeer::connect(gateway.port)?;
        peer.send(&request)?;
        ensure!(peer.read_status()? == status, "{request}");
    }
    Ok(())
}

#[test]
fn a_page_gets_the_reports_of_devices() -> Result<()> {
    let gateway = Gateway::start("reports")?;
    let mut page = gateway.page()?;
    assert_eq!(page.receive()?, json!({ "type": "devices", "devices": [] }));

    let mut lamp = gateway.device("lamp")?;
    lamp.report("temperature", 21.5)?;

    let state = page.state_with("lamp", |state| state["values"] != json!({}))?;
    assert_eq!(state["values"], json!({ "temperature": 21.5 }));
    assert_eq!(state["presence"], "online");
    lamp.peer.close(1000, "")?;
    page.state_with("lamp", |state| state["presence"] == "offline")?;
    Ok(())
}

/// Qt: `QTimer::singleShot()` for the answer, `QPointer<QWebSocket>` for the page.
#[test]
fn the_outcome_of_a_command_reaches_the_page_that_sent_it() -> Result<()> {
    let gateway = Gateway::start("commands")?;
    let mut lamp = gateway.device("lamp")?;
    let mut other = gateway.page()?;
    let mut page = gateway.page()?;

    page.send(&json!({ "type": "command", "device": "lamp", "command": "blink" }))?;
    let command = lamp.receive()?;
    lamp.send(&json!({ "type": "answer", "id": command["id"], "text": "blinked" }))?;
    // An answer to nothing is ignored.
    lamp.send(&json!({ "type": "answer", "id": 99, "text": "what?" }))?;

    ensure!(command["type"] == "command" && command["command"] == "blink", "{command}");
    assert_eq!(page.outcome()?, ["lamp", "blink", "blinked", "true"]);
    other.send(&json!({ "type": "command", "device": "kettle", "command": "boil" }))?;
    assert_eq!(other.outcome()?, ["kettle", "boil", "the device is offline", "false"]);
    Ok(())
}

#[test]
fn a_command_ends_without_an_answer() -> Result<()> {
    let gateway = Gateway::start_with("unanswered", &["--answer-timeout", "0"])?;
    let mut patient = Gateway::start("disconnecting")?;
    let blink = json!({ "type": "command", "device": "lamp", "command": "blink" });

    let (_lamp, mut page) = (gateway.device("lamp")?, gateway.page()?);
    page.send(&blink)?;
    assert_eq!(page.outcome()?, ["lamp", "blink", "no answer within 0 s", "false"]);

    // Once by its disconnection, and once by a newer connection of the same name.
    let (mut lamp, mut page) = (patient.device("lamp")?, patient.page()?);
    page.send(&blink)?;
    lamp.receive()?;
    lamp.peer.reset()?;
    assert_eq!(page.outcome()?, ["lamp", "blink", "the device has disconnected", "false"]);
    let mut lamp = patient.device("lamp")?;
    page.send(&blink)?;
    lamp.receive()?;
    let mut newer = patient.device("lamp")?;
    ensure!(lamp.peer.read_frame()?.close_code()? == 1008);
    assert_eq!(page.outcome()?, ["lamp", "blink", "replaced by a newer connection", "false"]);
    lamp.peer.close_back()?;
    newer.report("temperature", 1.0)?;
    page.state_with("lamp", |state| state["values"] == json!({ "temperature": 1.0 }))?;
    patient.stop()
}

/// A watchdog: a single-shot `QTimer` that each report restarts.
#[test]
fn a_device_without_reports_is_shown_as_silent() -> Result<()> {
    let gateway = Gateway::start_with("silence", &["--silence", "0"])?;

    let _lamp = gateway.device("lamp")?;

    gateway.page()?.state_with("lamp", |state| state["presence"] == "silent")?;
    Ok(())
}

/// Each is closed with a code and a reason, and no other device notices.
#[test]
fn a_device_that_misbehaves_is_closed_alone() -> Result<()> {
    let gateway = Gateway::start("misbehaviour")?;
    let (mut lamp, mut page) = (gateway.device("lamp")?, gateway.page()?);
    let mut silent = RawPeer::connect(gateway.port)?;
    let values: Value = (0..17).map(|number| (number.to_string(), json!(number))).collect();
    let too_many = json!({ "type": "report", "values": values }).to_string();
    let report = json!({ "type": "report", "values": { "a": 1 } }).to_string();
    let flood = masked(TEXT, report.as_bytes()).repeat(2000);

    for (name, bytes, code) in [
        ("garbage", masked(TEXT, b"{]"), 1008),
        ("unknown", masked(TEXT, br#"{"type":"explode"}"#), 1008),
        ("many-values", masked(TEXT, too_many.as_bytes()), 1008),
        ("binary", masked(BINARY, b"12"), 1003),
        ("not-utf-8", masked(TEXT, &[0xFF]), 1007),
        ("too-long", masked(TEXT, &b"1".repeat(20_000)), 1009),
        ("flood", flood, 1008),
    ] {
        let mut bad = gateway.device(name)?;
        bad.peer.send(bytes)?;
        let frame = bad.peer.read_frame()?;
        ensure!(frame.close_code()? == code, "{name}: {frame:?}");
        bad.peer.close_back()?;
        drop(bad);
        page.state_with(name, |state| state["presence"] == "offline")?;
    }

    lamp.report("temperature", 21.5)?;
    page.state_with("lamp", |state| state["values"] == json!({ "temperature": 21.5 }))?;
    page.send(&json!("nonsense"))?;
    ensure!(page.next_close_code()? == 1008);
    silent.expect_silence()
}

/// What waits for a device is bounded.
#[test]
fn a_device_that_answers_nothing_gets_no_further_command() -> Result<()> {
    let gateway = Gateway::start_with("deaf", &["--answer-timeout", "3600"])?;
    let (_deaf, mut lamp) = (gateway.device("deaf")?, gateway.device("lamp")?);
    let mut page = gateway.page()?;
    let beep = json!({ "type": "command", "device": "deaf", "command": "beep" });

    (0..21).try_for_each(|_| page.send(&beep))?;

    let expected = ["deaf", "beep", "too many commands without an answer", "false"];
    assert_eq!(page.outcome()?, expected);
    page.send(&json!({ "type": "command", "device": "lamp", "command": "blink" }))?;
    let command = lamp.receive()?;
    lamp.send(&json!({ "type": "answer", "id": command["id"], "text": "blinked" }))?;
    assert_eq!(page.outcome()?, ["lamp", "blink", "blinked", "true"]);
    page.send(&json!({ "type": "command", "device": "lamp", "command": "x".repeat(201) }))?;
    ensure!(page.next_close_code()? == 1008);
    Ok(())
}

/// Back-pressure: what a page does not read is bounded.
#[test]
fn a_page_that_reads_nothing_is_closed_alone() -> Result<()> {
    let mut gateway = Gateway::start("slow-page")?;
    gateway.stop()?;
    let values: Value = (0..16).map(|number| (format!("{number:032}"), json!(number))).collect();
    let line = json!({ "device": "lamp", "time": 1, "values": values }).to_string() + "\n";
    fs::write(gateway.folder.join("values.jsonl"), line.repeat(100))?;
    let log = gateway.restart_with_log()?;
    let (mut slow, mut page) = (gateway.page()?, gateway.page()?);
    let history = json!({ "type": "history", "device": "lamp" });

    // Each answer is 70 KB; the system takes some MB of them.
    let requests = masked(TEXT, history.to_string().as_bytes()).repeat(300);
    slow.peer.send(requests)?;
    while !log.recv_timeout(DEADLINE)?.contains("bytes of output wait for the peer") {}

    page.send(&history)?;
    page.receive_type("history")?;
    Ok(())
}

/// Qt: `QSqlDatabase` in a worker thread.
#[cfg(unix)]
#[test]
fn values_and_history_outlast_a_restart() -> Result<()> {
    let mut gateway = Gateway::start("restart")?;
    let (mut lamp, mut page) = (gateway.device("lamp")?, gateway.page()?);
    for temperature in 0..10 {
        lamp.report("temperature", f64::from(temperature))?;
    }
    page.state_with("lamp", |state| state["values"]["temperature"] == 9.0)?;
    gateway.stop()?;
    // Half a line, as after a power failure.
    let file = gateway.folder.join("values.jsonl");
    fs::write(&file, fs::read_to_string(&file)? + r#"{"device":"la"#)?;

    gateway.restart()?;
    let mut page = gateway.page()?;

    let state = page.state_with("lamp", |_| true)?;
    assert_eq!(
        (&state["presence"], &state["values"]["temperature"]),
        (&json!("offline"), &json!(9.0))
    );
    page.send(&json!({ "type": "history", "device": "lamp" }))?;
    let history = page.receive_type("history")?;
    let readings = history["readings"].as_array().context("no readings")?;
    let temperatures: Vec<_> =
        readings.iter().filter_map(|reading| reading["values"]["temperature"].as_f64()).collect();
    assert_eq!(temperatures, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    Ok(())
}

#[test]
fn the_history_has_the_latest_readings_and_of_one_device() -> Result<()> {
    let mut gateway = Gateway::start("history")?;
    let line = |device: &str, time: u32| {
        json!({ "device": device, "time": time, "values": { "a": 1 } }).to_string() + "\n"
    };
    gateway.stop()?;
    let lines: String =
        (0..150).flat_map(|time| [line("lamp", time), line("kettle", time)]).collect();
    fs::write(gateway.folder.join("values.jsonl"), lines)?;

    gateway.restart()?;
    let mut page = gateway.page()?;
    page.send(&json!({ "type": "history", "device": "kettle" }))?;

    let history = page.receive_type("history")?;
    let readings = history["readings"].as_array().context("no readings")?;
    assert_eq!((readings.len(), &readings[0]["time"]), (100, &json!(50)));
    ensure!(readings.iter().all(|reading| reading["device"] == "kettle"), "{history}");
    // The file was made shorter when it was opened.
    let kept = fs::read_to_string(gateway.folder.join("values.jsonl"))?.lines().count();
    assert_eq!(kept, 200);
    Ok(())
}

/// Qt: CLS-15, as for the other examples; what devices reported last is written before the end.
#[cfg(unix)]
#[test]
fn a_signal_closes_devices_and_pages_with_1001() -> Result<()> {
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        let mut gateway = Gateway::start(&format!("signal-{}", signal.as_raw()))?;
        let (mut lamp, mut page) = (gateway.device("lamp")?, gateway.page()?);
        page.state_with("lamp", |_| true)?;
        lamp.report("temperature", 21.5)?;
        page.state_with("lamp", |state| state["values"] != json!({}))?;

        gateway.example.send_signal(signal)?;

        ensure!(page.next_close_code()? == 1001);
        ensure!(lamp.peer.read_frame()?.close_code()? == 1001);
        page.peer.close_back()?;
        lamp.peer.close_back()?;
        ensure!(gateway.example.process.wait()?.success());
        let file = fs::read_to_string(gateway.folder.join("values.jsonl"))?;
        ensure!(file.contains(r#""values":{"temperature":21.5}"#), "{file}");
    }
    Ok(())
}

/// The simulated devices report, answer, and do not keep the program from its end.
#[test]
fn simulated_devices_report_and_answer() -> Result<()> {
    let mut gateway = Gateway::start_with("simulator", &["--simulate", "2"])?;
    let mut page = gateway.page()?;

    for name in ["sensor-1", "sensor-2"] {
        page.state_with(name, |state| state["values"]["humidity"].is_f64())?;
    }
    page.send(&json!({ "type": "command", "device": "sensor-2", "command": "beep" }))?;

    assert_eq!(page.outcome()?, ["sensor-2", "beep", "beep: done", "true"]);
    gateway.stop()
}

/// The chapter of the guide shows code of the program as it is.
#[test]
fn the_porting_guide_shows_the_gateway_as_it_is() -> Result<()> {
    let guide = include_str!("../docs/porting.md");
    let (_, chapter) = guide.split_once("\n## A case study").context("no chapter")?;
    let chapter = chapter.split("\n## ").next().unwrap_or_default();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/gateway");
    let mut program = String::new();
    for entry in fs::read_dir(folder)? {
        program += &fs::read_to_string(entry?.path())?;
    }
    let program: Vec<_> = program.lines().map(str::trim).collect();

    let shown: Vec<_> = chapter.split("```rust,ignore\n").skip(1).collect();

    ensure!(shown.len() > 5, "{} excerpts", shown.len());
    for excerpt in shown {
        let excerpt = excerpt.split("```").next().unwrap_or_default();
        // Parts of the program that do not follow each other have an empty line between.
        for part in excerpt.trim_end().split("\n\n") {
            let lines: Vec<_> = part.lines().map(str::trim).collect();
            ensure!(program.windows(lines.len()).any(|window| window == lines), "{part}");
        }
    }
    Ok(())
}

/// The program with a folder of its own, which is removed when the test ends.
struct Gateway {
    example: Example,
    port: u16,
    folder: PathBuf,
}

impl Gateway {
    fn start(name: &str) -> Result<Self> {
        Self::start_with(name, &[])
    }

    fn start_with(name: &str, arguments: &[&str]) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("slotwork-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let (example, port) = run(&folder, arguments, "off")?;
        Ok(Self { example, port, folder })
    }

    fn restart(&mut self) -> Result<()> {
        (self.example, self.port) = run(&self.folder, &[], "off")?;
        Ok(())
    }

    /// Returns the lines that the program logs.
    fn restart_with_log(&mut self) -> Result<mpsc::Receiver<String>> {
        (self.example, self.port) = run(&self.folder, &[], "gateway=info")?;
        let log = self.example.process.stderr.take().context("no stderr")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut log = BufReader::new(log).lines().map_while(Result::ok);
            log.try_for_each(|line| sender.send(line))
        });
        Ok(lines)
    }

    /// Ends the program, in order where there are signals.
    fn stop(&mut self) -> Result<()> {
        #[cfg(unix)]
        self.example.send_signal(rustix::process::Signal::TERM)?;
        #[cfg(not(unix))]
        self.example.process.kill()?;
        self.example.process.wait()?;
        Ok(())
    }

    fn device(&self, name: &str) -> Result<Client> {
        self.client(&format!("/devices/{name}"))
    }

    fn page(&self) -> Result<Client> {
        self.client("/page")
    }

    fn client(&self, path: &str) -> Result<Client> {
        let mut peer = RawPeer::connect(self.port)?;
        peer.send(request_to(path, ""))?;
        peer.expect_upgrade()?;
        Ok(Client { peer })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Windows keeps the file of a program that runs.
        let _ = self.example.process.kill();
        let _ = self.example.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn run(folder: &Path, arguments: &[&str], log: &str) -> Result<(Example, u16)> {
    let mut command = program("gateway");
    command.env("RUST_LOG", log);
    command.args(["--port", "0", "--file", "values.jsonl"]).args(arguments).current_dir(folder);
    let mut example = Example::run(&mut command)?;
    let port = example.port_behind("listening on http://127.0.0.1:")?;
    Ok((example, port))
}

fn request_to(path: &str, lines: &str) -> String {
    request_with(lines).replacen("/chat?room=1", path, 1)
}

/// A device or a page.
struct Client {
    peer: RawPeer,
}

impl Client {
    fn send(&mut self, message: &Value) -> Result<()> {
        self.peer.send(masked(TEXT, message.to_string().as_bytes()))
    }

    fn report(&mut self, name: &str, value: f64) -> Result<()> {
        self.send(&json!({ "type": "report", "values": { name: value } }))
    }

    fn receive(&mut self) -> Result<Value> {
        let Frame { opcode, payload } = self.peer.read_frame()?;
        ensure!(opcode == TEXT, "opcode {opcode}: {payload:?}");
        Ok(serde_json::from_slice(&payload)?)
    }

    /// Reads messages up to one of this type.
    fn receive_type(&mut self, name: &str) -> Result<Value> {
        loop {
            let message = self.receive()?;
            if message["type"] == name {
                return Ok(message);
            }
        }
    }

    /// Reads messages up to a state of this device for which `is_it` holds.
    fn state_with(&mut self, name: &str, is_it: impl Fn(&Value) -> bool) -> Result<Value> {
        loop {
            let message = self.receive_type("devices")?;
            let devices = message["devices"].as_array().context("no devices")?;
            let state = devices.iter().find(|state| state["name"] == name && is_it(state));
            if let Some(state) = state {
                return Ok(state.clone());
            }
        }
    }

    /// Reads messages up to an outcome: device, command, text and whether it succeeded.
    fn outcome(&mut self) -> Result<[String; 4]> {
        let outcome = self.receive_type("outcome")?;
        Ok(["device", "command", "text", "succeeded"].map(|name| match &outcome[name] {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        }))
    }

    /// Reads frames up to a close frame.
    fn next_close_code(&mut self) -> Result<u16> {
        loop {
            let frame = self.peer.read_frame()?;
            if frame.opcode != TEXT {
                return frame.close_code();
            }
        }
    }
}
