//! Echoes every message back to its sender: Qt's `echoserver` example.
//!
//! Run `cargo run --example echoserver`, then `cargo run --example echoclient -- --debug`, or open
//! `examples/echoclient.html` in a browser.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use log::{LevelFilter, debug};
use slotwork::{EventLoop, HostAddress, SslMode, WebSocketServer};

/// Slotwork example: echoserver
#[derive(Parser)]
struct Options {
    /// Debug output [default: off]
    #[arg(short, long)]
    debug: bool,
    /// Port for echoserver
    #[arg(short, long, default_value_t = 1234)]
    port: u16,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let level = if options.debug { LevelFilter::Debug } else { LevelFilter::Warn };
    let mut logger = env_logger::builder();
    logger.filter_module("echoserver", level).format(|out, line| writeln!(out, "{}", line.args()));
    logger.init();

    let server = WebSocketServer::new("Echo Server", SslMode::NonSecure);
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            socket.text_message_received().connect(|socket, text| {
                debug!("Message received: {text:?}");
                socket.send_text_message(text);
            });
            socket.binary_message_received().connect(|socket, bytes| {
                debug!("Binary Message received: \"{}\"", bytes.escape_ascii());
                socket.send_binary_message(bytes);
            });
            socket.disconnected().connect(|socket, ()| debug!("socketDisconnected: {socket:?}"));
        }
    });
    server.server_error().connect(|_server, error| debug!("serverError: {error}"));
    server.closed().connect(|_server, ()| EventLoop::current().quit());

    server.listen(HostAddress::Any, options.port).context("cannot start the echo server")?;
    println!("listening on {}", server.server_url());
    debug!("Echoserver listening on port {}", server.server_port());

    // Until Ctrl-C or SIGTERM; then clients are sent 1001, and have 3 s to answer.
    EventLoop::current().quit_on_signals()?;
    EventLoop::current().exec();
    server.shutdown(Duration::from_secs(3));
    EventLoop::current().exec();
    Ok(())
}
