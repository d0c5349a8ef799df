//! An echo server, for trying clients.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use slotwork::{
    Compression, EventLoop, HandshakeRequest, HostAddress, Message, SslMode, TlsConfig, WebSocket,
    WebSocketServer,
};

use crate::options::Options;
use crate::output::{Output, printable};
use crate::report::Exit;
use crate::text;

/// The server's log.
struct Log {
    output: Rc<Output>,
    is_quiet: bool,
    is_verbose: bool,
}

/// Echoes every message until Ctrl-C, and prints what happens.
pub(crate) fn run(address: SocketAddr, options: &Options, output: &Rc<Output>) -> Result<Exit> {
    let mode = if options.tls.cert.is_some() { SslMode::Secure } else { SslMode::NonSecure };
    let server = WebSocketServer::new("slotwork-probe", mode);
    if let Some(path) = &options.tls.cert {
        server.set_tls_config(TlsConfig::new().add_identity(options.tls.identity(path)?))?;
    }
    server.set_supported_subprotocols(&options.handshake.subprotocols)?;
    server.set_compression(options.handshake.compress.then(Compression::new));
    let log = Rc::new(Log {
        output: Rc::clone(output),
        is_quiet: options.report.quiet,
        is_verbose: options.report.verbose,
    });
    server.new_connection().connect_to(&log, Log::on_new_connection);
    server.server_error().connect_to(&log, |log: &Rc<Log>, _server, error| {
        log.line(&printable(&format!("{:#}", anyhow::Error::new(error.clone()))));
    });
    server.closed().connect(|_server, ()| EventLoop::current().quit());

    server.listen(HostAddress::Ip(address.ip()), address.port())?;
    output.line(&format!("listening on {}", server.server_url()));
    EventLoop::current().quit_on_signals()?;
    EventLoop::current().exec();
    server.shutdown(Duration::from_secs(3));
    EventLoop::current().exec();
    Ok(Exit::Success)
}

impl Log {
    fn on_new_connection(self: &Rc<Self>, server: &WebSocketServer, (): &()) {
        while let Some(socket) = server.next_pending_connection() {
            self.show_client(&socket);
            socket.text_message_received().connect_to(self, |log, socket, text: &str| {
                log.show_message(socket, || text.into());
                socket.send_text_message(text);
            });
            socket.binary_message_received().connect_to(self, |log, socket, bytes: &[u8]| {
                log.show_message(socket, || bytes.into());
                socket.send_binary_message(bytes);
            });
            socket.disconnected().connect_to(self, |log: &Rc<Self>, socket, ()| {
                let code = socket.close_code().map(|code| format!(" {code}")).unwrap_or_default();
                let reason = printable(&socket.close_reason());
                let reason = if reason.is_empty() { reason } else { format!(": {reason}") };
                log.line(&format!("{} closed{code}{reason}", name(socket)));
            });
        }
    }

    fn show_client(&self, socket: &WebSocket) {
        let agreed = [
            socket.subprotocol().map(|name| format!(", subprotocol {}", printable(&name))),
            socket.compression().map(|_| ", compression".to_owned()),
        ];
        let agreed: String = agreed.into_iter().flatten().collect();
        let target = printable(&socket.resource_name());
        self.line(&format!("{} connected: {target}{agreed}", name(socket)));
        if self.is_verbose {
            self.show_headers(&socket.request());
        }
    }

    fn show_headers(&self, request: &HandshakeRequest) {
        for (name, value) in request.raw_headers() {
            let value = String::from_utf8_lossy(value);
            self.line(&format!("  {}: {}", printable(name), printable(&value)));
        }
    }

    fn show_message(&self, socket: &WebSocket, message: impl FnOnce() -> Message) {
        if !self.is_quiet {
            self.line(&format!("{} {}", name(socket), text::received(&message())));
        }
    }

    fn line(&self, line: &str) {
        if !self.is_quiet {
            self.output.line(line);
        }
    }
}

/// Returns the address of a client, as the name of its lines.
fn name(socket: &WebSocket) -> String {
    let address = socket.peer_address().map(|ip| SocketAddr::new(ip, socket.peer_port()));
    address.map(|address| address.to_string()).unwrap_or_default()
}
