//! Hosts and ports of the URLs that a client opens (RFC 3986 §3.2, RFC 6874, UTS 46).

use std::net::{Ipv6Addr, TcpListener};

use anyhow::{Context, Result, ensure};
use slotwork::{Error, NetworkProxy, WebSocket};

use support::raw_peer::RawPeer;
use support::raw_server::{RawClient, RawServer};
use support::{has_ipv6, recorded_client, serve};

/// Opens a URL through an HTTP proxy, which returns the host that it was asked for and that of the
/// request.
fn hosts_of(url: &str) -> Result<(String, String, String)> {
    let server = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    socket.set_proxy(Some(NetworkProxy::http("127.0.0.1", server.port)));
    socket.open(url).with_context(|| url.to_owned())?;
    let (target, host) = serve(move || {
        let mut client = server.read_request()?;
        let target = client.request.split(' ').nth(1).unwrap_or_default().to_owned();
        ensure!(client.header("Host") == Some(&target), "{}", client.request);
        client.peer.send("HTTP/1.1 200 OK\r\n\r\n")?;
        client.request = client.peer.read_head()?;
        let host = client.header("Host").unwrap_or_default().to_owned();
        client.accept("")?;
        client.close(1000, "")?;
        Ok((target, host))
    })?;
    recorder.wait_for_disconnected(1)?;
    Ok((target, host, socket.peer_name()))
}

/// UTS 46 and RFC 3986 §3.2.2, as `QUrl` and browsers have them; RFC 6455 §4.1 item 5.
#[test]
fn the_host_of_a_url_is_encoded_and_the_default_port_left_out() -> Result<()> {
    for (url, target, host, name) in [
        ("ws://bücher.example/", "xn--bcher-kva.example:80", "xn--bcher-kva.example", ""),
        ("ws://BÜCHER.Example:81/", "xn--bcher-kva.example:81", "xn--bcher-kva.example:81", ""),
        ("ws://xn--bcher-kva.example/", "xn--bcher-kva.example:80", "xn--bcher-kva.example", ""),
        ("ws://b%C3%BCcher.example/", "xn--bcher-kva.example:80", "xn--bcher-kva.example", ""),
        ("ws://straße.example/", "xn--strae-oqa.example:80", "xn--strae-oqa.example", ""),
        ("ws://例え。テスト/", "xn--r8jz45g.xn--zckzah:80", "xn--r8jz45g.xn--zckzah", ""),
        ("ws://a%2Eexample/", "a.example:80", "a.example", ""),
        ("ws://my_service:8080/", "my_service:8080", "my_service:8080", ""),
        ("ws://a.example:80/", "a.example:80", "a.example", ""),
        ("ws://a.example:443/", "a.example:443", "a.example:443", ""),
        ("ws://a.example:/", "a.example:80", "a.example", ""),
        ("ws://a.example:0000081/", "a.example:81", "a.example:81", ""),
        ("ws://a.example:080/", "a.example:80", "a.example", ""),
        ("ws://[2001:db8::1]:80/", "[2001:db8::1]:80", "[2001:db8::1]", "2001:db8::1"),
        ("ws://[fe80::1%25lo]:81/", "[fe80::1]:81", "[fe80::1]:81", "fe80::1%lo"),
    ] {
        let name = if name.is_empty() { host.split(':').next().unwrap_or_default() } else { name };

        let found = hosts_of(url)?;

        ensure!(found == (target.into(), host.into(), name.into()), "{found:?} for {url}");
    }
    Ok(())
}

/// RFC 6455 §4.1 item 5, for `wss`: what the request would say.
#[cfg(feature = "tls")]
#[test]
fn the_default_port_of_wss_is_left_out_too() -> Result<()> {
    for (url, expected) in [
        ("wss://a.invalid:443/", "wss://a.invalid/"),
        ("wss://a.invalid:0443/", "wss://a.invalid/"),
        ("wss://a.invalid:80/", "wss://a.invalid:80/"),
    ] {
        let socket = WebSocket::new();
        socket.open(url)?;
        ensure!(socket.request_url() == expected, "{}", socket.request_url());
        socket.abort();
    }
    Ok(())
}

/// Opens a URL, in which `PORT` stands for that of a server, and returns the `Host` that it gets.
fn host_at(listener: &TcpListener, url: &str) -> Result<String> {
    let port = listener.local_addr()?.port().to_string();
    let listener = listener.try_clone()?;
    let (socket, recorder) = recorded_client();
    socket.open(url.replace("PORT", &port)).with_context(|| url.to_owned())?;
    let host = serve(move || {
        let mut peer = RawPeer::of(listener.accept()?.0)?;
        let request = peer.read_head()?;
        let mut client = RawClient { peer, request };
        client.accept("")?;
        let host = client.header("Host").unwrap_or_default().to_owned();
        client.close(1000, "")?;
        Ok(host.replace(&port, "PORT"))
    })?;
    recorder.wait_for_disconnected(1)?;
    ensure!(socket.error().is_none(), "{:?} for {url}", socket.error());
    Ok(host)
}

/// RFC 3986 §3.2.2 and §3.2.3: they are looked up as they are meant.
#[test]
fn escapes_in_the_host_and_zeros_before_the_port_do_not_matter() -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    for (url, host) in [
        ("ws://127.0.0%2E1:PORT/", "127.0.0.1:PORT"),
        ("ws://127.0.0.1:000PORT/", "127.0.0.1:PORT"),
        ("ws://%6C%6fcalhos%74:PORT/", "localhost:PORT"),
        ("ws://LocalHost:PORT/", "localhost:PORT"),
        ("ws://１２７.0.0.1:PORT/", "127.0.0.1:PORT"),
    ] {
        ensure!(host_at(&listener, url)? == host, "{url}");
    }
    Ok(())
}

/// RFC 6874 §2 and §4: the zone is for this machine alone.
#[test]
fn the_zone_of_an_address_is_used_to_connect_and_not_sent() -> Result<()> {
    if !has_ipv6() {
        return Ok(());
    }
    let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0))?;
    let zones: &[&str] = if cfg!(windows) {
        // Zones have numbers alone.
        &["1"]
    } else if cfg!(target_os = "linux") {
        &["1", "lo", "%6Co"]
    } else {
        &["1", "lo0", "%6Co0"]
    };
    for zone in zones {
        let host = host_at(&listener, &format!("ws://[::1%25{zone}]:PORT/"))?;
        ensure!(host == "[::1]:PORT", "{host} for {zone}");
    }
    Ok(())
}

/// A zone that this machine does not have is an error of the connection, not of the URL.
#[test]
fn a_zone_that_is_not_there_is_an_error() -> Result<()> {
    let (socket, recorder) = recorded_client();

    socket.open("ws://[fe80::1%25nosuchzone]:9/")?;
    recorder.wait_for_disconnected(1)?;

    assert_eq!(socket.peer_name(), "fe80::1%nosuchzone");
    let error = socket.error().context("no error")?;
    ensure!(matches!(&error, Error::HostNotFound { host, .. } if host == "fe80::1%nosuchzone"));
    Ok(())
}

/// RFC 3986 §3.2: hosts that are not valid when decoded, and those that others read differently.
#[test]
fn what_is_no_host_is_refused() {
    for url in [
        "ws://a%00b/",
        "ws://a%20b/",
        "ws://a%2Fb/",
        "ws://a%5Cb/",
        "ws://a%40b/",
        "ws://a%3A80/",
        "ws://a%25b/",
        "ws://a%0D%0Ab/",
        "ws://a%FFb/",
        "ws://%/",
        "ws://%C2%AD/",
        "ws://\u{2100}.example/",
        "ws://xn--/",
        "ws://a\u{3000}b/",
        "ws://[fe80::1%25]/",
        "ws://[fe80::1%lo]/",
        "ws://[fe80::1%25a%2Fb]/",
        "ws://[fe80::1%25a%00]/",
        "ws://[%25lo]/",
        "ws://[127.0.0.1%25lo]/",
        // Browsers take a backslash for a slash.
        "wss://good.example\\@localhost/",
        "ws://good.example\\@127.0.0.1/",
        "ws://good.example\\/",
        "ws://user:pass\\word@localhost/",
        "ws://good.example\t@localhost/",
        "ws://good.example @localhost/",
        "ws://[good.example]@localhost/",
    ] {
        let error = WebSocket::new().open(url).err();
        assert!(matches!(error, Some(Error::InvalidUrl(_))), "{error:?} for {url:?}");
    }
}
