//! A node as a process: the path of a client's URL says what it does.
//!
//! `/send/TOPIC` publishes what the client sends, `/receive/TOPIC` subscribes it. `/flood/TOPIC`
//! takes `COUNT RATE` and publishes the numbers from 0 on, so many a second; it reports the next one
//! when the bridge is disconnected. `/events` reports the signals of the bridge.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use slotwork::{
    EventLoop, HostAddress, OutputPolicy, SslMode, Timer, Topic, WebSocket, WebSocketServer,
};
use slotwork_nats::{NatsBridge, NatsOptions};

/// Serves until the process is killed; the arguments are the URL of NATS, and perhaps `alone`.
pub(crate) fn serve(mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let url = arguments.next().context("no URL of NATS")?;
    let server = WebSocketServer::new("Node", SslMode::NonSecure);
    let bridge = NatsBridge::connect(NatsOptions::new(url))?;
    if arguments.next().as_deref() != Some("alone") {
        bridge.bridge_topics(&server, "node")?;
    }
    // Readers may be slow; what they cannot take is not what is tested.
    server.set_output_limit(1 << 30);
    server.set_output_policy(OutputPolicy::Close);
    server.new_connection().connect_to(&bridge, |bridge, server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            if let Err(error) = attend(bridge, server, &socket) {
                eprintln!("{error:#}");
            }
        }
    });
    server.listen(HostAddress::LocalHost, 0)?;
    println!("listening on {}", server.server_url());
    EventLoop::current().exec();
    Ok(())
}

fn attend(bridge: &NatsBridge, server: &WebSocketServer, socket: &WebSocket) -> Result<()> {
    let path = socket.resource_name();
    let (action, topic) = path.trim_start_matches('/').split_once('/').unwrap_or(("events", ""));
    if action == "events" {
        report_events(bridge, socket);
        socket.send_text_message("ready");
        return Ok(());
    }
    let topic = server.topic(topic)?;
    match action {
        "send" => {
            // The slot keeps the topic, which may have no subscriber here.
            socket.text_message_received().connect(move |_socket, text| {
                topic.publish_text(text);
            });
        }
        "flood" => {
            socket.text_message_received().connect_to(bridge, move |bridge, socket, text| {
                flood(bridge, &topic, socket, text);
            });
        }
        _ => _ = topic.subscribe(socket)?,
    }
    // The client knows that it is subscribed.
    socket.send_text_message("ready");
    Ok(())
}

/// Publishes numbers at a rate, then reports it.
fn flood(bridge: &NatsBridge, topic: &Topic, socket: &WebSocket, request: &str) {
    let mut numbers = request.split(' ').filter_map(|number| number.parse().ok());
    let (Some(count), Some(rate)) = (numbers.next(), numbers.next()) else { return };
    let (count, rate): (u64, u64) = (count, rate);
    let (topic, socket) = (topic.clone(), socket.clone());
    let (next, start) = (Rc::new(Cell::new(0)), Instant::now());
    bridge.disconnected().connect_to(&next, {
        let socket = socket.clone();
        move |next, _bridge, ()| send(&socket, &format!("disconnected at {}", next.get()))
    });
    let timer = Timer::new();
    // It holds itself until it is done.
    let held = Cell::new(Some(timer.clone()));
    timer.timeout().connect(move |timer, ()| {
        let due = start.elapsed().as_micros() * u128::from(rate) / 1_000_000;
        while next.get() < count && u128::from(next.get()) < due {
            topic.publish_text(next.get().to_string());
            next.set(next.get() + 1);
        }
        if next.get() == count {
            timer.stop();
            socket.send_text_message("done");
            held.take();
        }
    });
    timer.start(Duration::from_millis(1));
}

fn report_events(bridge: &NatsBridge, socket: &WebSocket) {
    bridge.connected().connect_to(socket, |socket, _bridge, ()| send(socket, "connected"));
    bridge.disconnected().connect_to(socket, |socket, _bridge, ()| send(socket, "disconnected"));
    bridge.resync_needed().connect_to(socket, |socket, _bridge, ()| send(socket, "resync"));
    bridge.lost().connect_to(socket, |socket, _bridge, count| {
        send(socket, &format!("lost {count}"));
    });
}

fn send(socket: &WebSocket, text: &str) {
    socket.send_text_message(text);
}
