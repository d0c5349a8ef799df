//! The opening handshake of a server (RFC 6455 §4.2).

#[cfg(feature = "testing")]
mod deadline;
mod extensions;
mod head_limits;
mod requests;
mod secrets;
mod unfinished;

use anyhow::{Context, Result, ensure};

use support::raw_peer::{self, RawPeer, Response, check_good_client};
use support::recorder::Recorder;
use support::{echo_server, serve};

/// The answer to a request that is refused, and the error that is reported.
struct Refusal {
    status: u16,
    close_code: u16,
    headers: &'static [(&'static str, &'static str)],
}

impl Refusal {
    fn check(&self, answer: &Response) -> Result<()> {
        ensure!(answer.head.starts_with(&format!("HTTP/1.1 {} ", self.status)), "{answer:?}");
        for (name, value) in self.headers {
            ensure!(answer.has_header(name, value), "{answer:?}");
        }
        let connection = if self.status == 426 { "Upgrade, close" } else { "close" };
        ensure!(answer.has_header("Connection", connection), "{answer:?}");
        ensure!(answer.body.len() < 200, "{answer:?}");
        let length = answer.body.len().to_string();
        let is_whole = answer.has_header("Content-Length", &length);
        ensure!(is_whole || answer.body.is_empty(), "{answer:?}");
        Ok(())
    }
}

/// Sends each request in a connection of its own: each is refused in this way, reported once, and
/// a good client behind it is served.
fn check_refused(refusal: &Refusal, requests: Vec<Vec<u8>>) -> Result<()> {
    let server = echo_server()?;
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let port = server.server_port();
    let expected = [&*format!("refused {} {}", refusal.status, refusal.close_code), GOOD];
    let expected = expected.repeat(requests.len());

    let answers: Vec<_> =
        serve(move || requests.into_iter().map(|request| ask(port, request)).collect())?;

    for (request, answer) in answers {
        refusal.check(&answer).context(request)?;
    }
    recorder.wait_for(&expected)
}

/// Sends a bad request and returns it with its answer, once a good client was served.
fn ask(port: u16, request: Vec<u8>) -> Result<(String, Response)> {
    let text = request.get(..400).unwrap_or(&request).escape_ascii().to_string();
    let mut peer = RawPeer::connect(port)?;
    let answer = peer.send(request).and_then(|()| peer.read_response());
    let answer = answer.with_context(|| text.clone())?;
    check_good_client(port).with_context(|| format!("after {text}"))?;
    Ok((text, answer))
}

/// Sends each request in a connection of its own: each is accepted and its messages are echoed.
fn check_accepted(requests: Vec<String>) -> Result<()> {
    check_answered(requests, |peer, _request| peer.expect_upgrade())
}

/// The same with answers that `read_answer` reads and checks.
fn check_answered(
    requests: Vec<String>,
    read_answer: impl Fn(&mut RawPeer, &str) -> Result<()> + Send + 'static,
) -> Result<()> {
    let server = echo_server()?;
    let port = server.server_port();

    serve(move || {
        for request in requests {
            let mut peer = RawPeer::connect(port)?;
            peer.send(&request)?;
            let outcome = read_answer(&mut peer, &request).and_then(|()| peer.check_echo("hello"));
            outcome.with_context(|| request.chars().take(400).collect::<String>())?;
        }
        Ok(())
    })
}

/// The good request with one part of it changed.
fn changed(from: &str, to: &str) -> Result<String> {
    let request = raw_peer::request();
    ensure!(request.contains(from), "{from:?} is not in the request");
    Ok(request.replacen(from, to, 1))
}

const GOOD: &str = "new connection";
