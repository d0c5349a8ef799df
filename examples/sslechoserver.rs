//! Echoes every message back to its sender, over TLS: Qt's `sslechoserver` example.
//!
//! Run `cargo run --example sslechoserver`, then `cargo run --example sslechoclient`. The first run
//! makes a certificate, `localhost.cert`, and its key. For `examples/sslechoclient.html`, let the
//! browser accept it at `https://localhost:1234` first.

use std::fs::{self, OpenOptions};
use std::io::Write;
#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use slotwork::{EventLoop, HostAddress, SslMode, TlsConfig, TlsIdentity, WebSocketServer};

/// Slotwork example: sslechoserver
#[derive(Parser)]
struct Options {
    /// Port for sslechoserver
    #[arg(short, long, default_value_t = 1234)]
    port: u16,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let (certificate, key) = (Path::new("localhost.cert"), Path::new("localhost.key"));
    if !certificate.exists() {
        make_certificate(certificate, key).context("cannot make a certificate")?;
    }

    let server = WebSocketServer::new("SSL Echo Server", SslMode::Secure);
    let identity = TlsIdentity::from_pem_files(certificate, key)?;
    server.set_tls_config(TlsConfig::new().add_identity(identity))?;
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            let origin = socket.origin().unwrap_or_default();
            println!("Client connected: {:?} {origin:?}", socket.peer_name());
            socket.text_message_received().connect(|socket, text| {
                socket.send_text_message(text);
            });
            socket.binary_message_received().connect(|socket, bytes| {
                socket.send_binary_message(bytes);
            });
            socket.disconnected().connect(|_socket, ()| println!("Client disconnected"));
        }
    });
    server.tls_errors().connect(|_server, _errors| println!("Ssl errors occurred"));
    server.server_error().connect(|server, _error| eprintln!("{}", server.error_string()));
    server.closed().connect(|_server, ()| EventLoop::current().quit());

    server.listen(HostAddress::Any, options.port).context("cannot start the echo server")?;
    println!("SSL Echo Server listening on port {}", server.server_port());
    EventLoop::current().quit_on_signals()?;
    EventLoop::current().exec();
    server.shutdown(Duration::from_secs(3));
    EventLoop::current().exec();
    Ok(())
}

fn make_certificate(certificate: &Path, key: &Path) -> Result<()> {
    let hosts = ["localhost", "127.0.0.1", "::1"].map(String::from);
    let made = rcgen::generate_simple_self_signed(hosts)?;
    let mut only_mine = OpenOptions::new();
    #[cfg(unix)]
    only_mine.mode(0o600);
    let file = only_mine.write(true).create_new(true).open(key);
    let mut file = file.with_context(|| key.display().to_string())?;
    file.write_all(made.signing_key.serialize_pem().as_bytes())?;
    Ok(fs::write(certificate, made.cert.pem())?)
}
