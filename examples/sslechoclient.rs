//! Sends one message to an echo server over TLS and shows the answer: Qt's `sslechoclient` example.
//!
//! Run `cargo run --example sslechoserver`, then `cargo run --example sslechoclient` beside it: it
//! trusts the certificate that the server has made, `localhost.cert`, and no other.

use anyhow::{Context, Result};
use clap::{Parser, value_parser};
use slotwork::{EventLoop, TlsCertificate, TlsConfig, WebSocket};

/// Slotwork example: sslechoclient
#[derive(Parser)]
struct Options {
    /// Hostname
    #[arg(short = 'n', long, default_value = "localhost")]
    hostname: String,
    /// Port
    #[arg(short, long, default_value_t = 1234, value_parser = value_parser!(u16).range(1..))]
    port: u16,
}

fn main() -> Result<()> {
    let options = Options::parse();

    let socket = WebSocket::new();
    let trusted = TlsCertificate::from_pem_file("localhost.cert")?;
    socket.set_tls_config(TlsConfig::new().ca_certificates(trusted));
    socket.connected().connect(|socket, ()| {
        println!("WebSocket connected");
        socket.send_text_message("Hello, world!");
    });
    socket.text_message_received().connect(|socket, text| {
        println!("Message received: {text:?}");
        socket.close_normally();
    });
    socket.tls_errors().connect(|_socket, errors| {
        let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
        println!("SSL errors: {texts:?}");
    });
    socket.disconnected().connect(|_socket, ()| EventLoop::current().quit());

    socket.open(format!("wss://{}:{}", options.hostname, options.port))?;
    EventLoop::current().exec();
    socket.error().map_or(Ok(()), Err).context("cannot talk to the echo server")
}
