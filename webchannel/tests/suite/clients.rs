//! Clients: rude ones, several loops, connecting and disconnecting.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use slotwork::signals::SignalSpy;
use slotwork::{EventThread, HostAddress, SslMode, WebSocket, WebSocketServer};
use slotwork_webchannel::{Publish, Publisher, WebChannel};
use support::raw_peer::{BINARY, CLOSE, masked};
use support::{logged, serve, wait_until};

use crate::device::{Device, Fixture};
use crate::page::{Page, invoke};

/// 100 messages in a row that make no sense end a connection (1008); one that does counts anew.
#[test]
fn a_client_without_sense_is_disconnected() -> Result<()> {
    let Fixture { port, channel: _channel, device: _device, server: _server } = Fixture::new()?;

    serve(move || {
        for count in [100, 150] {
            let mut page = Page::connect(port)?;
            for _ in 0..3 {
                let text = r#"{"type":7,"object":"none","signal":1}"#;
                (0..99).try_for_each(|_| page.send_text(text))?;
                page.expect_nothing()?;
            }
            (0..count).try_for_each(|_| page.send_text("{"))?;
            let frame = page.peer.read_frame()?;
            ensure!(frame.opcode == CLOSE && frame.close_code()? == 1008, "{frame:?}");
            page.peer.close_back()?;
        }
        Page::open(port)?.expect_nothing()
    })
}

/// A flood of rubbish, and of failed calls, is one warning a second at most.
#[test]
fn rude_clients_do_not_fill_the_log() -> Result<()> {
    let Fixture { port, channel: _channel, device: _device, server: _server } = Fixture::new()?;

    let warnings = logged::warnings_of(|| {
        let start = std::time::Instant::now();
        serve(move || {
            let mut page = Page::connect(port)?;
            for _ in 0..20 {
                (0..50).try_for_each(|_| page.send_text("rubbish"))?;
                (0..50).try_for_each(|_| page.call_in_vain("none", "none", &json!([])))?;
            }
            Ok(())
        })?;
        // As many as seconds have passed, and one.
        SECONDS.set(usize::try_from(start.elapsed().as_secs())? + 1);
        Ok(())
    })?;

    ensure!((1..=SECONDS.get()).contains(&warnings.len()), "{warnings:#?}");
    Ok(())
}

thread_local! {
    static SECONDS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// What clients send is cut in the log, and stays on its line.
#[test]
fn clients_write_no_lines_of_the_log() -> Result<()> {
    #[derive(serde::Deserialize)]
    enum Mode {
        On,
    }
    struct Switch;
    impl Publish for Switch {
        fn publish(with: &mut Publisher<Self>) {
            with.method("set", |_: &Rc<Self>, _: Mode| {});
        }
    }
    let Fixture { channel, device: _device, server: _server, port } = Fixture::new()?;
    let switch = Rc::new(Switch);
    channel.register("switch", &switch)?;

    let lines = logged::everything_of(|| {
        serve(move || {
            let mut page = Page::connect(port)?;
            page.send_text("{\"type\":5,\"data\":[1,\n2]}")?;
            let mode = format!("a\n{}", "b".repeat(10_000));
            page.call_in_vain("switch", "set", &json!([mode]))?;
            page.expect_nothing()
        })
    })?;

    ensure!(lines.iter().any(|line| line.ends_with(r"sends [1,\n2]")), "{lines:#?}");
    let warning = lines.iter().find(|line| line.starts_with("web channel: "));
    let warning = warning.ok_or_else(|| anyhow::anyhow!("no warning"))?;
    ensure!(warning.contains(r"`a\nbbb") && warning.len() < 1100, "{warning}");
    Ok(())
}

/// What the documentation of the setters says.
#[test]
fn limits_have_their_defaults() -> Result<()> {
    let channel = WebChannel::new();

    ensure!(channel.max_calls() == 64 && channel.max_objects() == 10_000);
    ensure!(channel.property_update_interval() == Duration::from_millis(50));
    ensure!(!channel.block_updates());
    channel.set_max_calls(0);
    ensure!(channel.max_calls() == 1);
    Ok(())
}

/// Binary messages, deep and long ones end at most their connection.
#[test]
fn strange_messages_are_survived() -> Result<()> {
    let Fixture { port, channel: _channel, device: _device, server: _server } = Fixture::new()?;

    serve(move || {
        let mut page = Page::connect(port)?;
        page.peer.send(masked(BINARY, b"\x00\x01"))?;
        page.send_text(&"[".repeat(1_000_000))?;
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let call = r#"{"type":6,"object":"device","method":"echo","id":5,"args":"#;
        page.send_text(&format!("{call}[{deep}]}}"))?;
        ensure!(page.read()? == json!({"type": 10, "id": 5}));
        page.send_text(&format!(r#"{{"type":5,"data":{deep}}}"#))?;
        page.send_text(r#"{"type":5}"#)?;
        page.send_text(&format!(r#"{{"type":9,"object":"device","property":0,"value":{deep}}}"#))?;
        page.expect_nothing()
    })
}

/// Qt: `connectTo()`, `disconnectFrom()`; the signals that Qt does not have.
#[test]
fn a_socket_is_served_until_it_is_disconnected_from() -> Result<()> {
    let Fixture { channel, device, server, port } = Fixture::new()?;
    let lines = Rc::new(RefCell::new(Vec::new()));
    channel.client_connected().connect_to(&lines, |lines, channel, socket| {
        lines.borrow_mut().push(format!("+{}", channel.clients().len()));
        // A second time is ignored.
        channel.connect_to(socket);
    });
    channel.client_disconnected().connect_to(&lines, |lines, channel, _socket| {
        lines.borrow_mut().push(format!("-{}", channel.clients().len()));
    });
    let leaving = channel.clone();
    device.set_hook(move |_| {
        if let Some(socket) = WebChannel::caller() {
            leaving.disconnect_from(&socket);
        }
        json!("the last answer")
    });

    serve(move || {
        let mut page = Page::open(port)?;
        ensure!(page.call_hook()? == "the last answer");
        page.send(&invoke("device", "add", &json!([1, 2])))?;
        page.idle()?;
        page.peer.expect_silence()?;
        page.peer.close(1000, "").map(|_| ())
    })?;

    wait_until(|| server.clients().is_empty())?;
    ensure!(lines.take() == ["+1", "-0"]);
    // A socket without a connection is none of its clients.
    channel.connect_to(&WebSocket::new());
    ensure!(channel.clients().is_empty() && lines.take().is_empty());
    Ok(())
}

/// The sockets live on another thread's loop, the channel and its objects on this one.
#[test]
fn sockets_of_another_loop_are_served() -> Result<()> {
    let (channel, device) = (WebChannel::new(), Device::new("first"));
    channel.register("device", &device)?;
    device.set_hook(|device| {
        device.set_level(7);
        device.pressed.emit(&1);
        json!(null)
    });
    // Sockets come here by the queue of this thread.
    let arrived = std::sync::Arc::new(slotwork::signals::Signal::<WebSocket>::new());
    arrived.connect_to(&channel, WebChannel::connect_to);
    let (port_known, port) = std::sync::mpsc::channel();
    let arriving = std::sync::Arc::clone(&arrived);
    let thread = EventThread::spawn("sockets", move || {
        let server = WebSocketServer::new("Sockets", SslMode::NonSecure);
        server.new_connection().connect(move |server, ()| {
            while let Some(socket) = server.next_pending_connection() {
                // Nothing is read before the channel's slots are connected.
                socket.pause_reading();
                arriving.emit(&socket);
            }
        });
        let listening = server.listen(HostAddress::LocalHost, 0);
        _ = port_known.send(listening.map(|()| server.server_port()));
        server
    })?;
    let port = port.recv()??;
    channel.client_connected().connect(|_channel, socket| socket.resume_reading());
    let gone = SignalSpy::new(&channel.client_disconnected());

    serve(move || {
        let mut page = Page::open(port)?;
        page.connect_signal("device", 4)?;
        page.call_hook()?;
        ensure!(page.next_of(1)?["args"] == json!([1]));
        ensure!(page.next_of(2)?["data"][0]["properties"]["1"] == 7);
        page.peer.close(1000, "").map(|_| ())
    })?;

    gone.wait_for(1)?;
    ensure!(channel.clients().is_empty());
    thread.quit();
    Ok(())
}
