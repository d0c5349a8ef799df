//! Sends one message to an echo server and shows the answer: Qt's `echoclient` example.
//!
//! Run `cargo run --example echoserver`, then `cargo run --example echoclient -- --debug`.

use std::io::Write;

use anyhow::{Context, Result};
use clap::{Parser, value_parser};
use log::{LevelFilter, debug};
use slotwork::{EventLoop, WebSocket};

/// Slotwork example: echoclient
#[derive(Parser)]
struct Options {
    /// Debug output [default: off]
    #[arg(short, long)]
    debug: bool,
    /// Hostname
    #[arg(short = 'n', long, default_value = "localhost")]
    hostname: String,
    /// Port
    #[arg(short, long, default_value_t = 1234, value_parser = value_parser!(u16).range(1..))]
    port: u16,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let level = if options.debug { LevelFilter::Debug } else { LevelFilter::Warn };
    let mut logger = env_logger::builder();
    logger.filter_module("echoclient", level).format(|out, line| writeln!(out, "{}", line.args()));
    logger.init();

    let socket = WebSocket::new();
    socket.connected().connect(|socket, ()| {
        debug!("WebSocket connected");
        socket.send_text_message("Hello, world!");
    });
    socket.text_message_received().connect(|socket, text| {
        debug!("Message received: {text:?}");
        socket.close_normally();
    });
    socket.disconnected().connect(|_socket, ()| EventLoop::current().quit());

    let url = format!("ws://{}:{}", options.hostname, options.port);
    debug!("WebSocket server: {url:?}");
    socket.open(url)?;
    EventLoop::current().exec();
    socket.error().map_or(Ok(()), Err).context("cannot talk to the echo server")
}
