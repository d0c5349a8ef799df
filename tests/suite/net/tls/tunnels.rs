//! Proxies that put bytes of their own in front of the TLS of the server behind them.

use anyhow::{Context, Result, bail, ensure};
use slotwork::{Error, NetworkProxy, WebSocket, WebSocketServer};

use support::certificates::Authority;
use support::raw_peer::TEXT;
use support::raw_server::unmasked;
use support::recorder::Recorder;
use support::relay::injecting_proxy;
use support::secure_client::{check_open, open};
use support::{recorded_client, recorded_secure_server};

type MakeProxy = fn(&'static str, u16) -> NetworkProxy;
type Answers = [(usize, &'static [u8])];

/// A proxy that accepts `CONNECT` (RFC 9110 §9.3.6), with its steps for [`injecting_proxy`].
const HTTP: (MakeProxy, &Answers) = (NetworkProxy::http, &[(0, b"HTTP/1.1 200 OK\r\n\r\n")]);
/// The same of RFC 1928, for a client that wants to go to `localhost`.
const SOCKS: (MakeProxy, &Answers) =
    (NetworkProxy::socks5, &[(4, &[5, 0]), (4 + 1 + 9 + 2, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])]);

/// Returns what a proxy could send instead of the server.
fn plain_bytes() -> Vec<(&'static str, Vec<u8>)> {
    let message = unmasked(TEXT, b"injected");
    let upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                   Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n";
    vec![
        ("a byte", vec![0x81]),
        ("a message", message.clone()),
        ("an upgrade and a message", [upgrade.as_bytes(), &message].concat()),
        ("a second answer", b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
        // RFC 8446 §5.1: application data without encryption.
        ("a message in a record", [&[23, 3, 3, 0, 10][..], &message].concat()),
    ]
}

/// A server over TLS behind the proxies.
struct Target {
    server: WebSocketServer,
    authority: Authority,
    signals: Recorder,
}

impl Target {
    fn start() -> Result<Self> {
        let authority = Authority::new()?;
        let (server, signals) = recorded_secure_server(authority.server_config()?)?;
        Ok(Self { server, authority, signals })
    }

    /// Opens a connection through a proxy that sends `behind` in one segment with its last answer,
    /// and `late` in front of what the server sends; returns the error.
    fn refusal(
        &self,
        (proxy, answers): (MakeProxy, &Answers),
        behind: &[u8],
        late: &[u8],
    ) -> Result<Error> {
        let mut steps: Vec<_> =
            answers.iter().map(|(length, answer)| (*length, answer.to_vec())).collect();
        steps.last_mut().context("no answer")?.1.extend(behind);
        let port = injecting_proxy(steps, late.to_vec(), self.server.server_port())?;
        let (socket, recorder) = recorded_client();
        socket.set_proxy(Some(proxy("127.0.0.1", port)));
        socket.set_tls_config(self.authority.client_config());

        open(&socket, &self.server, "localhost")?;

        let error = socket.error().context("it was accepted")?;
        let failed = format!("error: {error}");
        recorder.check_life(&["Connecting", &failed, "Unconnected", "disconnected Some(1006) "])?;
        Ok(error)
    }

    /// Checks that no client has reached the server so far, and that the next one is served.
    fn check(&self) -> Result<()> {
        let lines = self.signals.lines();
        ensure!(!lines.contains(&"new connection".to_owned()), "{lines:?}");
        let socket = WebSocket::new();
        socket.set_tls_config(self.authority.client_config());
        open(&socket, &self.server, "localhost")?;
        check_open(&socket)
    }
}

/// RFC 9110 §9.3.6: what follows the answer in one segment is not the server's.
#[test]
fn bytes_behind_the_answer_of_an_http_proxy_are_refused() -> Result<()> {
    let target = Target::start()?;
    for (what, bytes) in plain_bytes() {
        let error = target.refusal(HTTP, &bytes, &[])?;

        let Error::Proxy { reason, .. } = &error else { bail!("{what}: {error:?}") };
        ensure!(reason == "it sent more than its answer", "{what}: {reason}");
    }
    target.check()
}

/// RFC 1928 §6: what follows the reply belongs to the tunnel, and so to TLS.
#[test]
fn bytes_behind_the_reply_of_a_socks_proxy_end_the_tls_handshake() -> Result<()> {
    let target = Target::start()?;
    for (what, bytes) in plain_bytes() {
        let error = target.refusal(SOCKS, &bytes, &[])?;

        ensure!(matches!(error, Error::TlsHandshake { .. }), "{what}: {error:?}");
    }
    target.check()
}

/// RFC 8446 §5.1: once TLS has begun, each byte is one of TLS, also in front of the server's first.
#[test]
fn bytes_in_front_of_those_of_a_server_end_the_tls_handshake() -> Result<()> {
    let target = Target::start()?;
    for proxy in [HTTP, SOCKS] {
        for (what, bytes) in plain_bytes() {
            let error = target.refusal(proxy, &[], &bytes)?;

            ensure!(matches!(error, Error::TlsHandshake { .. }), "{what}: {error:?}");
        }
    }
    target.check()
}
