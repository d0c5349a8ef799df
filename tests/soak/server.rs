//! The server of the soak test: `soak-server`, run by `tests/soak/run`.
//!
//! It echoes over TCP and over TLS, and sends a text to all clients every five seconds. The
//! certificate `localhost.cert` and its key are those of the folder that it runs in.

use std::time::Duration;

use anyhow::Result;
use slotwork::{EventLoop, HostAddress, SslMode, Timer, TlsConfig, TlsIdentity, WebSocketServer};

use bench_support::server::raise_descriptor_limit;

fn main() -> Result<()> {
    raise_descriptor_limit()?;
    let plain = WebSocketServer::new("Soak", SslMode::NonSecure);
    let secure = WebSocketServer::new("Soak, secure", SslMode::Secure);
    let identity = TlsIdentity::from_pem_files("localhost.cert", "localhost.key")?;
    secure.set_tls_config(TlsConfig::new().add_identity(identity))?;
    let timer = Timer::new();
    for server in [&plain, &secure] {
        server.new_connection().connect(|server, ()| {
            while let Some(socket) = server.next_pending_connection() {
                socket.text_message_received().connect(|socket, text| {
                    socket.send_text_message(text);
                });
            }
        });
        timer.timeout().connect_to(server, |server, _timer, ()| {
            server.broadcast_text("broadcast");
        });
        server.listen(HostAddress::LocalHost, 0)?;
    }
    timer.start(INTERVAL);
    EventLoop::current().quit_on_signals()?;
    println!("listening on {} {}", plain.server_url(), secure.server_url());
    EventLoop::current().exec();
    Ok(())
}

const INTERVAL: Duration = Duration::from_secs(5);
