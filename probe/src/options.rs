//! The command line.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use http::Uri;
use percent_encoding::percent_decode_str;
use slotwork::NetworkProxy;

/// Tries a WebSocket server: connects, sends, receives, pings, closes, and reports each step.
#[derive(Parser)]
#[command(name = "slotwork-probe", version, after_help = EXIT_CODES)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(disable_help_subcommand = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// URL of the server: ws://…, wss://…, or on Unix `ws+unix:/path/of/socket:/path/of/request`
    #[arg(required_unless_present = "listen")]
    pub(crate) url: Option<String>,
    /// Messages to send, in this order; `-` sends each line of standard input
    #[arg(value_name = "MESSAGE")]
    pub(crate) messages: Vec<String>,
    #[command(flatten)]
    pub(crate) exchange: Exchange,
    #[command(flatten)]
    pub(crate) handshake: Handshake,
    #[command(flatten)]
    pub(crate) tls: Tls,
    #[command(flatten)]
    pub(crate) report: Reporting,
    /// Runs an echo server for trying clients; over TLS with --cert
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = parse_address)]
    #[arg(conflicts_with_all = CLIENT_OPTIONS, help_heading = "Server")]
    pub(crate) listen: Option<SocketAddr>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Prints the completion script of a shell
    Completion {
        /// The shell
        shell: Shell,
    },
}

#[derive(clap::Args)]
#[command(next_help_heading = "Messages")]
pub(crate) struct Exchange {
    /// Sends the contents of a file as one message, behind the other messages
    #[arg(short, long = "file", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Sends binary messages instead of text
    #[arg(short, long)]
    pub(crate) binary: bool,
    /// Receives this number of messages, and no more
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// Receives messages up to one that contains this text
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) until: Option<String>,
    /// Waits for a message that contains this text; may be repeated
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) expect: Vec<String>,
    /// Stays connected until the server closes, or until Ctrl-C
    #[arg(short = 'F', long, conflicts_with_all = ["count", "until"])]
    pub(crate) follow: bool,
    /// Sends this number of pings, one after the other, and measures the answers
    #[arg(short, long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) ping: u32,
    /// The time between a pong and the next ping
    #[arg(short, long, value_name = "SECONDS", default_value = "0.2", value_parser = parse_seconds)]
    pub(crate) interval: Duration,
    /// Ends when nothing of what is waited for arrives for this time
    #[arg(short, long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub(crate) timeout: Duration,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Handshake {
    /// Offers a subprotocol, or supports it with --listen; may be repeated
    #[arg(short, long = "subprotocol", value_name = "NAME")]
    pub(crate) subprotocols: Vec<String>,
    /// Adds a header to the request; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = parse_header)]
    pub(crate) headers: Vec<(String, String)>,
    /// Sets the Origin header
    #[arg(short, long)]
    pub(crate) origin: Option<String>,
    /// Offers compression (permessage-deflate), or accepts it with --listen
    #[arg(short, long)]
    pub(crate) compress: bool,
    /// Connects through a proxy: http://HOST:PORT or socks5://USER:PASSWORD@HOST:PORT
    #[arg(long, value_name = "URL", value_parser = parse_proxy)]
    pub(crate) proxy: Option<NetworkProxy>,
    /// The time for look-up, TCP, TLS and opening handshake together
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub(crate) connect_timeout: Duration,
}

#[derive(clap::Args)]
#[command(next_help_heading = "TLS")]
pub(crate) struct Tls {
    /// Trusts the certificates of this PEM file instead of the system's trust store
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Sends the certificate of this PEM file, with the chain behind it
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key of that certificate [default: in the same file]
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Accepts a certificate that is not trusted or not valid, with a warning
    #[arg(short = 'k', long)]
    pub(crate) insecure: bool,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Reporting {
    /// Prints one JSON object at the end, and nothing else
    #[arg(short, long)]
    pub(crate) json: bool,
    /// Prints the received messages alone, as they are
    #[arg(short, long, conflicts_with_all = ["json", "verbose"])]
    pub(crate) quiet: bool,
    /// Prints headers and each pong too
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn parse_header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("a header is NAME: VALUE")?;
    Ok((name.to_owned(), value.trim().to_owned()))
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    match text.parse() {
        Ok(port) => Ok(SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port)),
        Err(_) => text.parse().map_err(|_| "neither a port nor an IP address with a port".into()),
    }
}

fn parse_proxy(text: &str) -> Result<NetworkProxy, String> {
    let uri: Uri = text.parse().map_err(|_| "not a valid URL".to_owned())?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = uri.port_u16().ok_or("the proxy has no port")?;
    let proxy = match uri.scheme_str() {
        Some("http") => NetworkProxy::http(host, port),
        Some("socks5" | "socks5h") => NetworkProxy::socks5(host, port),
        _ => return Err("neither http nor socks5".to_owned()),
    };
    let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    let Some((login, _)) = authority.rsplit_once('@') else { return Ok(proxy) };
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let decode = |text| percent_decode_str(text).decode_utf8().map_err(|error| error.to_string());
    Ok(proxy.credentials(decode(user)?, decode(password)?))
}

/// Options that have no meaning for a server.
const CLIENT_OPTIONS: [&str; 14] = [
    "binary", "ca", "count", "expect", "files", "follow", "headers", "insecure", "json", "origin",
    "ping", "proxy", "until", "url",
];

const EXIT_CODES: &str = "\
Without --count, --until, --expect and --follow the connection is closed when everything is sent; \
messages in front of the server's close frame are received.

Exit codes:
  0  what was waited for has arrived, and the connection was closed in order
  1  a message or a pong that was waited for did not arrive
  2  an option, a URL, a file, or the output is not usable
  3  no connection: look-up, TCP, proxy or timeout
  4  TLS failed
  5  the server refused the opening handshake, or its answer is not valid
  6  the connection ended without a closing handshake, or with another close code than 1000 or 1001";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_proxy_has_a_kind_a_port_and_perhaps_credentials() {
        let http = NetworkProxy::http("proxy.example", 8080);
        let table = [
            ("http://proxy.example:8080", Ok(http.clone())),
            ("http://proxy.example:8080/", Ok(http.clone())),
            ("http://me:a%40b@proxy.example:8080", Ok(http.credentials("me", "a@b"))),
            ("socks5://[::1]:1080", Ok(NetworkProxy::socks5("::1", 1080))),
            ("socks5h://me@h:1", Ok(NetworkProxy::socks5("h", 1).credentials("me", ""))),
            ("http://proxy.example", Err("the proxy has no port".to_owned())),
            ("ftp://proxy.example:21", Err("neither http nor socks5".to_owned())),
            ("http://a b:1", Err("not a valid URL".to_owned())),
        ];
        for (text, proxy) in table {
            assert_eq!(parse_proxy(text), proxy, "{text}");
        }
    }

    #[test]
    fn seconds_are_a_number_that_a_duration_can_hold() {
        assert_eq!(parse_seconds("0.25"), Ok(Duration::from_millis(250)));
        assert!(["-1", "NaN", "inf", "1e30", "soon"].iter().all(|it| parse_seconds(it).is_err()));
    }
}
