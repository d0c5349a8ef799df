//! A service as it is deployed: limits, a health page, metrics, and a restart that refuses no client.
//!
//! Run `cargo run --example service`, or with TLS `… -- 8443 CERTIFICATE KEY`; see docs/deployment.md.

use std::time::Duration;

use anyhow::{Context, Result};
use slotwork::{EventLoop, HttpAnswer, SslMode, TlsConfig, TlsIdentity, WebSocketServer};

mod systemd;

fn main() -> Result<()> {
    let mut files: Vec<_> = std::env::args().skip(1).collect();
    let port = files.drain(..files.len().min(1)).next().map_or(Ok(8080), |port| port.parse())?;
    let mode = if files.is_empty() { SslMode::NonSecure } else { SslMode::Secure };
    let server = WebSocketServer::new("Service", mode);
    if let [certificate, key] = &files[..] {
        let identity = TlsIdentity::from_pem_files(certificate, key)?;
        server.set_tls_config(TlsConfig::new().add_identity(identity))?;
    }
    server.set_max_connections(Some(50_000));
    server.set_max_allowed_incoming_message_size(64 * 1024);
    server.set_max_connections_per_address(Some(1000));
    server.set_max_messages_per_second(Some(1000));
    server.limit_reached().connect(|_server, it| {
        eprintln!("{}: limit of {}", it.client.unwrap_or(it.peer.ip()), it.limit);
    });
    server.set_page_handler(|server, request| match request.path() {
        "/health" => Some(HttpAnswer::new(200).body("ok\n")),
        "/metrics" => Some(HttpAnswer::new(200).body(metrics(server))),
        _ => None,
    });
    server.new_connection().connect(|server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            let received = socket.text_message_received();
            received.connect(|socket, text| _ = socket.send_text_message(text));
        }
    });

    // From systemd, which keeps it open while the service restarts: clients wait, none is refused.
    systemd::listen(&server, port).context("cannot start")?;
    println!("listening on {}", server.server_url());
    EventLoop::current().quit_on_signals()?;
    #[cfg(unix)]
    let _watchdog = systemd::report_ready()?;
    EventLoop::current().exec();
    server.shutdown(Duration::from_secs(10));
    EventLoop::current().run_until(server.closed().next());
    Ok(())
}

/// The text format of Prometheus.
fn metrics(server: &WebSocketServer) -> String {
    let stats = server.stats();
    let sums = [("messages_received", stats.messages_received), ("bytes_sent", stats.bytes_sent)];
    let sums = sums.map(|(name, sum)| format!("{name}_total {sum}\n")).concat();
    let refused = |(reason, count)| format!("refused_total{{reason=\"{reason}\"}} {count}\n");
    let refused: String = stats.refused.by_reason().map(refused).collect();
    format!("connections {}\n{sums}{refused}", stats.connections)
}
