//! The server of `benches/budget/run`: echoes messages, or sends each to all clients.
//!
//! `budget-server` echoes, `budget-server --broadcast` sends each message to all clients, and
//! `budget-server --tls` echoes with the certificate `localhost.cert` of the working directory.
//! Every socket has three slots. A signal ends it, without a closing handshake.

use std::env;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use slotwork::{EventLoop, HostAddress, SslMode, TlsConfig, TlsIdentity, WebSocketServer};

fn main() -> Result<()> {
    let options: Vec<String> = env::args().skip(1).collect();
    let has = |name: &str| options.iter().any(|option| option == name);

    let server = if has("--tls") {
        let server = WebSocketServer::new("Budget", SslMode::Secure);
        let files = (Path::new("localhost.cert"), Path::new("localhost.key"));
        let identity = TlsIdentity::from_pem_files(files.0, files.1)?;
        server.set_tls_config(TlsConfig::new().add_identity(identity))?;
        server
    } else {
        WebSocketServer::new("Budget", SslMode::NonSecure)
    };
    // Keepalive would visit all sockets in some of the runs. The handshake deadlines are later: each
    // wait is for the same timer, and the alarm is set once.
    server.set_keepalive_interval(Some(Duration::from_secs(3600)));
    server.set_handshake_timeout(Some(Duration::from_secs(2 * 3600)));
    let connect_slots = if has("--broadcast") { broadcast } else { echo };
    server.new_connection().connect(move |server, ()| connect_slots(server));
    server.server_error().connect(|_server, error| eprintln!("{error}"));

    server.listen(HostAddress::LocalHost, 0).context("cannot start the server")?;
    println!("listening on {}", server.server_url());
    EventLoop::current().exec();
    Ok(())
}

fn echo(server: &WebSocketServer) {
    while let Some(socket) = server.next_pending_connection() {
        socket.text_message_received().connect(|socket, text| {
            socket.send_text_message(text);
        });
        socket.binary_message_received().connect(|socket, bytes| {
            socket.send_binary_message(bytes);
        });
        socket.disconnected().connect(|_socket, ()| {});
    }
}

fn broadcast(server: &WebSocketServer) {
    while let Some(socket) = server.next_pending_connection() {
        socket.text_message_received().connect_to(server, |server, _socket, text| {
            server.broadcast_text(text);
        });
        socket.binary_message_received().connect_to(server, |server, _socket, bytes| {
            server.broadcast_binary(bytes);
        });
        socket.disconnected().connect(|_socket, ()| {});
    }
}
