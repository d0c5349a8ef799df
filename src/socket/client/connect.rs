//! Connects to a server: look-up, TCP, proxy, TLS and opening handshake.

use std::sync::Arc;
use std::time::Duration;

use crate::net::connector;
use crate::net::proxy::{self, HttpFailure};
use crate::net::stream::Stream;
#[cfg(any(test, fuzzing, feature = "testing"))]
use crate::net::stream::memory;
#[cfg(unix)]
use crate::net::stream::unix_stream::UnixStream;
use crate::net::upgrade;
use crate::net::upgrade::client::{Failure, Opened, Opening};
use crate::protocol::handshake::basic_auth;
#[cfg(unix)]
use crate::protocol::handshake::url::Url;
use crate::protocol::handshake::url::{ascii_name, user_and_password};
use crate::runtime::timers::Sleep;
use crate::socket::client::auth::{proxy_credentials, server_credentials};
use crate::socket::client::state::ClientEnd;
use crate::socket::client::timings::Stopwatch;
#[cfg(feature = "tls")]
use crate::socket::client::tls::{alert_error, connect_tls};
use crate::socket::state::Inner;
use crate::types::authenticator::{Credentials, Login};
use crate::types::error::Error;
use crate::types::network_proxy::{NetworkProxy, ProxyKind};
#[cfg(unix)]
use crate::types::unix_address::UnixAddress;

/// Connects to the server; returns the stream after the opening handshake.
pub(crate) async fn connect(
    inner: &Arc<Inner>,
    end: &ClientEnd,
    mut opening: Opening,
) -> Result<(Stream, Opened), Error> {
    let known = opening.url.user_info.as_deref().map(user_and_password);
    let mut login = Login::new(known.map(|(user, password)| Credentials { user, password }));
    let proxy = end.lock().proxy.as_deref().cloned();
    let mut proxy_login = Login::new(proxy.as_ref().and_then(|proxy| proxy.credentials.clone()));
    let watch = &mut Stopwatch::new(end);
    loop {
        let mut stream = match &proxy {
            #[cfg(unix)]
            _ if opening.url.socket_path.is_some() => dial_unix(&opening.url, watch).await?,
            Some(proxy) => {
                tunnel_through(inner, end, proxy, &opening, &mut proxy_login, watch).await?
            }
            None => dial(end, &opening.url.name(), opening.url.port, watch).await?,
        };
        #[cfg(feature = "tls")]
        if opening.url.is_secure {
            stream = connect_tls(inner, end, stream, &opening.url).await?;
            watch.lap(|timings| &mut timings.tls);
        }
        let failure = match upgrade::client::open(&mut stream, &opening).await {
            Ok(opened) => {
                watch.lap(|timings| &mut timings.opening_handshake);
                return Ok((stream, opened));
            }
            Err(failure) => failure,
        };
        if let Failure::Refused(response) = &failure
            && let Some(Credentials { user, password }) =
                server_credentials(inner, &opening, response, &mut login)
        {
            // On a new connection: many servers end the one on which they have refused.
            opening.authorization = Some(basic_auth::credentials(&user, &password));
            continue;
        }
        #[cfg(feature = "tls")]
        if let Failure::Broken(source) = &failure
            && let Some(error) = alert_error(&opening.url, source)
        {
            return Err(error);
        }
        return Err(handshake_error(end, &mut stream, failure).await);
    }
}

async fn dial(
    end: &ClientEnd,
    host: &str,
    port: u16,
    watch: &mut Stopwatch<'_>,
) -> Result<Stream, Error> {
    watch.restart();
    let unreachable = |source| Error::Connect { host: host.into(), port, source: Arc::new(source) };
    #[cfg(any(test, fuzzing, feature = "testing"))]
    if let Some(outcome) = memory::hosts::dial(host, port) {
        let (stream, address) = outcome.map_err(unreachable)?;
        end.lock().peer = Some(address);
        return Ok(stream);
    }
    let addresses = connector::look_up(host, port)
        .await
        .map_err(|source| Error::HostNotFound { host: host.into(), source: Arc::new(source) })?;
    watch.lap(|timings| &mut timings.look_up);
    let stream = connector::connect(addresses).await.map_err(unreachable)?;
    watch.lap(|timings| &mut timings.tcp);
    let peer = stream.peer_address().ok();
    end.lock().peer = peer;
    Ok(Stream::Tcp(stream))
}

/// Connects to the Unix socket of a URL.
#[cfg(unix)]
async fn dial_unix(url: &Url, watch: &mut Stopwatch<'_>) -> Result<Stream, Error> {
    let path = url.socket_path.clone().unwrap_or_default();
    watch.restart();
    let connected = async { UnixStream::connect(&UnixAddress::new(&path)?).await }.await;
    let stream =
        connected.map_err(|source| Error::ConnectUnix { path, source: Arc::new(source) })?;
    watch.lap(|timings| &mut timings.tcp);
    Ok(stream.into())
}

async fn tunnel_through(
    inner: &Inner,
    end: &ClientEnd,
    proxy: &NetworkProxy,
    opening: &Opening,
    login: &mut Login,
    watch: &mut Stopwatch<'_>,
) -> Result<Stream, Error> {
    let (host, port, limits) = (&opening.url.host, opening.url.port, opening.answer_limits);
    let proxy_host = ascii_name(&proxy.host).unwrap_or_else(|| proxy.host.clone());
    // Those that the proxy has accepted for an earlier tunnel of this `open`.
    let mut credentials = login.accepted();
    loop {
        let mut stream = dial(end, &proxy_host, proxy.port, watch).await?;
        let failure = match proxy.kind {
            ProxyKind::Socks5 => {
                let known = credentials.clone();
                let credentials = || known.or_else(|| proxy_credentials(inner, login, ""));
                proxy::connect_socks5(&mut stream, host, port, credentials).await.err()
            }
            ProxyKind::Http => {
                let tunnel =
                    proxy::connect_http(&mut stream, host, port, credentials.as_ref(), limits);
                match tunnel.await {
                    Ok(()) => None,
                    Err(HttpFailure::Other(failure)) => Some(failure),
                    Err(HttpFailure::Unauthorized(realm)) => {
                        credentials = proxy_credentials(inner, login, &realm);
                        if credentials.is_some() {
                            continue;
                        }
                        Some(proxy::Failure::Refused("it requires authentication".into()))
                    }
                }
            }
        };
        return match failure {
            None => {
                watch.lap(|timings| &mut timings.proxy);
                login.accept();
                Ok(stream)
            }
            Some(proxy::Failure::Refused(reason)) => {
                Err(Error::Proxy { proxy: format!("{}:{}", proxy.host, proxy.port), reason })
            }
            Some(proxy::Failure::Broken(source)) => {
                Err(Error::Connection { source: Arc::new(source) })
            }
        };
    }
}

async fn handshake_error(end: &ClientEnd, stream: &mut Stream, failure: Failure) -> Error {
    match failure {
        Failure::Refused(mut response) => {
            upgrade::client::read_body(stream, &mut response, Sleep::new(BODY_TIMEOUT)).await;
            let (status, reason) = (response.status(), response.reason_phrase().to_owned());
            end.lock().response = Some(response);
            Error::UpgradeRefused { status, reason }
        }
        Failure::Invalid(reason) => Error::InvalidAnswer(reason.to_owned()),
        Failure::Broken(source) => Error::Connection { source: Arc::new(source) },
    }
}

/// The timeout for the body of a refusal.
const BODY_TIMEOUT: Duration = Duration::from_secs(1);
