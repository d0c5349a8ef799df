//! HTTP proxies: `CONNECT` (RFC 9110 §9.3.6).

use std::future::poll_fn;

use crate::net::proxy::Failure;
use crate::net::stream::Stream;
use crate::protocol::handshake::basic_auth;
use crate::protocol::handshake::request_head::HeadLimits;
use crate::protocol::handshake::response::HandshakeResponse;
use crate::protocol::handshake::response_head::ResponseReader;
use crate::types::authenticator::Credentials;

/// The reason of a failed connection through an HTTP proxy.
pub(crate) enum HttpFailure {
    /// It requires authentication for this realm (407).
    ///
    /// The connection cannot be used again.
    Unauthorized(String),
    Other(Failure),
}

/// Requests a connection to a host, which is a name or an IP address.
pub(crate) async fn connect(
    stream: &mut Stream,
    host: &str,
    port: u16,
    credentials: Option<&Credentials>,
    limits: HeadLimits,
) -> Result<(), HttpFailure> {
    let request = request(host, port, credentials);
    let written = stream.write_all(request.as_bytes()).await;
    written.map_err(|error| HttpFailure::Other(error.into()))?;

    let answer = read_answer(stream, limits).await.map_err(HttpFailure::Other)?;
    match answer.status() {
        200..=299 => Ok(()),
        407 => match basic_auth::realm(answer.raw_values("Proxy-Authenticate")) {
            Some(realm) => Err(HttpFailure::Unauthorized(realm)),
            None => Err(refused("it asks for an authentication other than Basic")),
        },
        status => Err(refused(&format!("HTTP status {status} {}", answer.reason_phrase()))),
    }
}

fn request(host: &str, port: u16, credentials: Option<&Credentials>) -> String {
    // An IPv6 address has brackets here, as in a URL.
    let target =
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let authorization = credentials.map_or_else(String::new, |Credentials { user, password }| {
        format!("Proxy-Authorization: {}\r\n", basic_auth::credentials(user, password))
    });
    format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n")
}

async fn read_answer(
    stream: &mut Stream,
    limits: HeadLimits,
) -> Result<HandshakeResponse, Failure> {
    let mut reader = ResponseReader::of_proxy(limits);
    let mut buffer = [0; READ_SIZE];
    loop {
        let count = poll_fn(|cx| stream.poll_read(cx, &mut buffer)).await?;
        if count == 0 {
            return Err(Failure::Refused("it ended the connection".into()));
        }
        let read = reader.read(buffer.get(..count).unwrap_or_default());
        let read =
            read.map_err(|reason| Failure::Refused(format!("its answer is wrong: {reason}")));
        match read? {
            // A WebSocket or TLS server sends nothing before the client does.
            Some((answer, behind)) if behind.is_empty() || answer.status() >= 300 => {
                return Ok(answer);
            }
            Some(_) => return Err(Failure::Refused("it sent more than its answer".into())),
            None => {}
        }
    }
}

fn refused(reason: &str) -> HttpFailure {
    HttpFailure::Other(Failure::Refused(reason.into()))
}

/// The size of a read, in bytes; a usual answer fits.
const READ_SIZE: usize = 2048;
