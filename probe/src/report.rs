//! The findings about a connection, as `--json` prints them.

use std::time::Duration;

use serde::Serialize;
use slotwork::{ConnectTimings, Error, HandshakeResponse, TlsProtocol, TlsSession};

use crate::certificate::Certificate;

/// The outcome of a run; the number is the exit code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Exit {
    #[default]
    Success = 0,
    /// Something that was waited for did not arrive.
    Unmet = 1,
    Usage = 2,
    NoConnection = 3,
    Tls = 4,
    Refused = 5,
    /// The connection was not closed in order.
    Broken = 6,
}

/// All findings.
#[derive(Default, Serialize)]
pub(crate) struct Report {
    pub(crate) url: String,
    pub(crate) is_connected: bool,
    /// The address of the server or the proxy, with its port.
    pub(crate) peer: Option<String>,
    pub(crate) timings_ms: Timings,
    pub(crate) tls: Option<Tls>,
    /// The server's answer to the opening handshake.
    pub(crate) response: Option<Response>,
    pub(crate) subprotocol: Option<String>,
    pub(crate) is_compressed: bool,
    pub(crate) sent: Traffic,
    pub(crate) received: Traffic,
    /// The first messages.
    pub(crate) messages: Vec<Message>,
    pub(crate) pings: Option<Pings>,
    pub(crate) close: Option<Close>,
    /// What was waited for and did not arrive.
    pub(crate) missing: Vec<String>,
    pub(crate) error: Option<String>,
    pub(crate) exit_code: u8,
}

/// Durations in milliseconds.
#[derive(Clone, Copy, Default, Serialize)]
pub(crate) struct Timings {
    pub(crate) look_up: Option<f64>,
    pub(crate) tcp: Option<f64>,
    pub(crate) proxy: Option<f64>,
    pub(crate) tls: Option<f64>,
    pub(crate) opening_handshake: Option<f64>,
    /// From the opened connection to the first message.
    pub(crate) first_message: Option<f64>,
}

#[derive(Serialize)]
pub(crate) struct Tls {
    pub(crate) protocol: &'static str,
    pub(crate) cipher: String,
    /// Errors of the certificate; with `--insecure` they are ignored.
    pub(crate) errors: Vec<String>,
    /// The server's certificate and its intermediates, as sent.
    pub(crate) certificates: Vec<Certificate>,
}

#[derive(Serialize)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

#[derive(Clone, Copy, Default, Serialize)]
pub(crate) struct Traffic {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

/// A received message; bytes are hexadecimal.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Message {
    Text(String),
    Binary(String),
}

#[derive(Serialize)]
pub(crate) struct Pings {
    pub(crate) sent: u32,
    pub(crate) received: usize,
    pub(crate) min_ms: Option<f64>,
    pub(crate) median_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    pub(crate) max_ms: Option<f64>,
}

#[derive(Serialize)]
pub(crate) struct Close {
    pub(crate) code: u16,
    /// The code with its name.
    pub(crate) meaning: String,
    pub(crate) reason: String,
}

impl Exit {
    /// Returns the exit code for an error of a socket.
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::HostNotFound { .. }
            | Error::Connect { .. }
            | Error::ConnectUnix { .. }
            | Error::ConnectTimeout(_)
            | Error::Proxy { .. } => Self::NoConnection,
            Error::TlsHandshake { .. } => Self::Tls,
            Error::UpgradeRefused { .. } | Error::InvalidAnswer(_) => Self::Refused,
            Error::InvalidUrl(_)
            | Error::UnsupportedScheme(_)
            | Error::InvalidHeaderName(_)
            | Error::InvalidHeaderValue(_)
            | Error::InvalidSubprotocol(_)
            | Error::InvalidTlsConfig { .. } => Self::Usage,
            _ => Self::Broken,
        }
    }
}

impl Timings {
    pub(crate) fn set_steps(&mut self, steps: &ConnectTimings) {
        self.look_up = steps.look_up.map(milliseconds);
        self.tcp = steps.tcp.map(milliseconds);
        self.proxy = steps.proxy.map(milliseconds);
        self.tls = steps.tls.map(milliseconds);
        self.opening_handshake = steps.opening_handshake.map(milliseconds);
    }

    /// Returns the steps of connecting with their names.
    pub(crate) fn steps(&self) -> Vec<(&'static str, f64)> {
        let steps = [
            ("look-up", self.look_up),
            ("TCP", self.tcp),
            ("proxy", self.proxy),
            ("TLS", self.tls),
            ("opening handshake", self.opening_handshake),
        ];
        steps.into_iter().filter_map(|(name, time)| Some((name, time?))).collect()
    }
}

impl Tls {
    pub(crate) fn of(session: &TlsSession) -> Self {
        Self {
            protocol: match session.protocol() {
                TlsProtocol::V1_2 => "TLS 1.2",
                TlsProtocol::V1_3 => "TLS 1.3",
                _ => "TLS",
            },
            cipher: session.cipher().to_owned(),
            errors: Vec::new(),
            certificates: session.peer_certificates().iter().map(Certificate::of).collect(),
        }
    }
}

impl Response {
    pub(crate) fn of(response: &HandshakeResponse) -> Self {
        let lossy = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Self {
            status: response.status(),
            reason: response.reason_phrase().to_owned(),
            headers: response
                .raw_headers()
                .map(|(name, value)| (name.to_owned(), lossy(value)))
                .collect(),
            body: lossy(response.body()),
        }
    }
}

impl Traffic {
    pub(crate) fn add(&mut self, length: usize) {
        self.messages += 1;
        self.bytes = self.bytes.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
    }
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    // Whole microseconds: what is behind them is noise.
    let microseconds = duration.as_secs_f64() * 1e6;
    microseconds.round() / 1e3
}

/// Returns a URL without user name and password.
pub(crate) fn without_login(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password() {
        let table = [
            ("wss://me:secret@a.example/x?y=@", "wss://a.example/x?y=@"),
            ("ws://a.example/@x", "ws://a.example/@x"),
            ("nonsense", "nonsense"),
        ];
        for (url, shown) in table {
            assert_eq!(without_login(url), shown);
        }
    }
}
