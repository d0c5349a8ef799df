//! The names in a server's certificate: host names, addresses, and the target behind a proxy.

use anyhow::{Context, Result};
use slotwork::{HostAddress, NetworkProxy, TlsError, WebSocket};

use support::certificates::Authority;
use support::relay::proxy;
use support::secure_client::{check_open, open, refusal};
use support::{has_ipv6, secure_echo_server, secure_echo_server_at};

/// RFC 9110 §4.3.5 and RFC 5280 §4.2.1.6: an address is one of 16 bytes, in whatever way written.
#[test]
fn an_ipv6_address_has_to_be_in_the_certificate() -> Result<()> {
    if !has_ipv6() {
        return Ok(());
    }
    let authority = Authority::new()?;
    for (names, is_well) in
        [(&["::1"][..], true), (&["127.0.0.1", "localhost", "::2"], false), (&["0.0.0.1"], false)]
    {
        let pem = authority.sign(names, |_| ())?;
        let server = secure_echo_server_at(HostAddress::LocalHostIPv6, pem.config()?)?;
        for host in ["[::1]", "[0:0:0:0:0:0:0:1]", "[::0001]"] {
            let socket = WebSocket::new();
            socket.set_tls_config(authority.client_config());
            open(&socket, &server, host)?;
            if is_well {
                check_open(&socket).context(host)?;
            } else {
                assert_eq!(refusal(&socket)?, TlsError::HostNameMismatch(pem.certificate()?));
            }
        }
    }
    Ok(())
}

/// RFC 9110 §9.3.6: a proxy that agrees to everything.
const HTTP: &[(usize, &[u8])] = &[(0, b"HTTP/1.1 200 OK\r\n\r\n")];
/// RFC 1928: the same, for a client that wants to go to `chat.example`.
const SOCKS: &[(usize, &[u8])] = &[(4, &[5, 0]), (4 + 1 + 12 + 2, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])];

/// RFC 4343 and RFC 6066 §3: capitals and a dot at the end are the same name, which SNI has without.
#[test]
fn capitals_and_a_dot_at_the_end_change_no_name() -> Result<()> {
    let authority = Authority::new()?;
    for (name, host, is_well) in [
        ("chat.example", "CHAT.Example", true),
        ("Chat.EXAMPLE", "chat.example", true),
        ("chat.example", "chat.example.", true),
        ("chat.example", "CHAT.EXAMPLE.", true),
        ("*.rooms.example", "Chat.Rooms.Example", true),
        ("*.rooms.example", "Chat.Rooms.Example.", true),
        // A wildcard directly below a top-level domain is not valid.
        ("*.example", "chat.example", false),
        ("chat.example", "chat.example.org", false),
        ("chat.example", "other.chat.example.", false),
        ("*.rooms.example", "rooms.example.", false),
    ] {
        let pem = authority.sign(&[name], |_| ())?;
        let server = secure_echo_server(pem.config()?)?;
        let socket = WebSocket::new();
        socket.set_tls_config(authority.client_config());
        socket.set_proxy(Some(NetworkProxy::http("127.0.0.1", proxy(HTTP, server.server_port())?)));

        open(&socket, &server, host)?;

        if is_well {
            check_open(&socket).with_context(|| format!("{name} for {host}"))?;
            let session = server.clients()[0].tls_session().context("no TLS")?;
            let expected = host.trim_end_matches('.').to_lowercase();
            assert_eq!(session.server_name(), Some(&*expected), "{host}");
        } else {
            assert_eq!(refusal(&socket)?, TlsError::HostNameMismatch(pem.certificate()?));
        }
    }
    Ok(())
}

/// UTS 46 and RFC 6066 §3: SNI and the certificate have the encoded form of a name.
#[test]
fn an_international_name_is_that_of_the_certificate_in_its_encoded_form() -> Result<()> {
    let authority = Authority::new()?;
    let pem = authority.sign(&["xn--bcher-kva.example"], |_| ())?;
    for host in ["bücher.example", "B%C3%9CCHER.example", "xn--bcher-kva.example"] {
        let server = secure_echo_server(pem.config()?)?;
        let socket = WebSocket::new();
        socket.set_tls_config(authority.client_config());
        socket.set_proxy(Some(NetworkProxy::http("127.0.0.1", proxy(HTTP, server.server_port())?)));

        open(&socket, &server, host)?;

        check_open(&socket).context(host)?;
        let session = server.clients()[0].tls_session().context("no TLS")?;
        assert_eq!(session.server_name(), Some("xn--bcher-kva.example"));
    }
    Ok(())
}

/// RFC 9110 §9.3.6 and RFC 1928: the certificate is that of the target, not of the proxy.
#[test]
fn the_name_of_the_proxy_is_not_that_of_the_target() -> Result<()> {
    let authority = Authority::new()?;
    for (names, is_well) in [(&["127.0.0.1", "localhost"][..], false), (&["chat.example"], true)] {
        let pem = authority.sign(names, |_| ())?;
        let server = secure_echo_server(pem.config()?)?;
        let port = server.server_port();
        for proxy in [
            NetworkProxy::http("127.0.0.1", proxy(HTTP, port)?),
            NetworkProxy::socks5("127.0.0.1", proxy(SOCKS, port)?),
        ] {
            let socket = WebSocket::new();
            socket.set_proxy(Some(proxy));
            socket.set_tls_config(authority.client_config());
            open(&socket, &server, "chat.example")?;
            if is_well {
                check_open(&socket)?;
            } else {
                assert_eq!(refusal(&socket)?, TlsError::HostNameMismatch(pem.certificate()?));
            }
        }
    }
    Ok(())
}
