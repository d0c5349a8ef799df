//! Web origins, as browsers send them: `https://example.org:8443` (RFC 6454 §6.2).

use std::net::Ipv4Addr;

use crate::protocol::handshake::authority;

/// An origin that names a host.
///
/// Equal are origins with the same scheme, host and port, where upper and lower case are the same
/// and a port may be left out if it is that of the scheme.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'o> {
    scheme: &'o str,
    host: &'o str,
    port: Option<u16>,
}

impl<'o> Origin<'o> {
    /// Splits an origin; `None` for `null` and for other texts that are not an origin.
    pub(crate) fn parse(origin: &'o str) -> Option<Self> {
        let (scheme, authority) = origin.split_once("://")?;
        if !is_scheme(scheme) || !authority::is_authority(authority) {
            return None;
        }
        let (host, port) = split(authority);
        Some(Self { scheme, host, port: port.or_else(|| default_port(scheme)) })
    }

    /// Returns whether the scheme is one of the web, not of a program's own.
    pub(crate) fn is_of_web(&self) -> bool {
        default_port(self.scheme).is_some()
    }

    /// Returns whether pages of this origin come over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        default_port(self.scheme) == Some(443)
    }

    /// Returns whether a page of this origin is of the host of the request.
    ///
    /// The scheme does not count: it is `https` also when the connection comes through a proxy that
    /// ends TLS.
    pub(crate) fn is_of_host(&self, authority: &str) -> bool {
        let (host, port) = split(authority);
        let port = port.or_else(|| default_port(self.scheme));
        self.host.eq_ignore_ascii_case(host) && self.port == port
    }

    /// Returns whether a page of this origin comes from the machine that shows it.
    pub(crate) fn is_loopback(&self) -> bool {
        let name = self.host.to_ascii_lowercase();
        // RFC 6761 §6.3: these names never leave the machine.
        name == "localhost"
            || name.ends_with(".localhost")
            || name == "[::1]"
            || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
    }
}

impl PartialEq for Origin<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.host.eq_ignore_ascii_case(other.host)
            && self.port == other.port
    }
}

/// RFC 3986 §3.1.
fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Takes a valid authority apart; an empty port is none.
fn split(authority: &str) -> (&str, Option<u16>) {
    match authority.rsplit_once(':') {
        // The colons of an IPv6 address are in brackets.
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
        _ => (authority, None),
    }
}

/// Returns the port of a scheme of the web; `None` for any other scheme.
fn default_port(scheme: &str) -> Option<u16> {
    let is = |known: &str| scheme.eq_ignore_ascii_case(known);
    match () {
        () if is("http") || is("ws") => Some(80),
        () if is("https") || is("wss") => Some(443),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(origin: &str) -> Origin<'_> {
        Origin::parse(origin).unwrap_or_else(|| panic!("{origin}"))
    }

    /// RFC 6454 §5 and §6.2.
    #[test]
    fn equal_origins_have_the_same_scheme_host_and_port() {
        for (one, other) in [
            ("https://example.org", "https://example.org:443"),
            ("http://example.org:80", "HTTP://Example.ORG"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ] {
            assert_eq!(parse(one), parse(other));
        }
        for other in [
            "http://example.org",
            "https://example.org:444",
            "https://www.example.org",
            "https://example.org.",
            "https://example.com",
        ] {
            assert_ne!(parse("https://example.org"), parse(other));
        }
    }

    /// RFC 6454 §7: `null` and lists name no host that could be allowed.
    #[test]
    fn what_names_no_host_is_no_origin() {
        for origin in [
            "",
            "null",
            "example.org",
            "//example.org",
            "://example.org",
            "https://",
            "https://:443",
            "https://example.org/",
            "https://example.org/path",
            "https://user@example.org",
            "https://example.org https://example.com",
            "https://example.org:99999",
            "1http://example.org",
            "ht tp://example.org",
            "*",
        ] {
            assert!(Origin::parse(origin).is_none(), "{origin:?}");
        }
    }

    /// RFC 6455 §10.2.
    #[test]
    fn an_origin_is_of_the_host_that_the_request_names() {
        for (origin, host) in [
            ("http://example.org", "example.org"),
            ("https://example.org", "example.org"),
            ("https://example.org", "EXAMPLE.org:443"),
            ("http://example.org:8080", "example.org:8080"),
            ("http://[::1]:8080", "[::1]:8080"),
            ("http://[::1]", "[::1]"),
        ] {
            assert!(parse(origin).is_of_host(host), "{origin} {host}");
        }
        for (origin, host) in [
            ("http://example.org", "example.com"),
            ("http://example.org", "example.org:8080"),
            ("http://example.org:8080", "example.org"),
            ("http://example.org", "www.example.org"),
            ("http://example.org.evil.com", "example.org"),
            ("http://[::1]:1", "[::1]:2"),
            ("https://example.org", "example.org:80"),
        ] {
            assert!(!parse(origin).is_of_host(host), "{origin} {host}");
        }
    }

    /// RFC 6454 §4; RFC 6455 §3 for the last two.
    #[test]
    fn schemes_of_the_web_are_known() {
        for (origin, of_web, secure) in [
            ("http://a", true, false),
            ("HTTPS://a", true, true),
            ("ws://a", true, false),
            ("wss://a", true, true),
            ("file://localhost", false, false),
            ("https-app://a", false, false),
        ] {
            let found = parse(origin);
            assert_eq!((found.is_of_web(), found.is_secure()), (of_web, secure), "{origin}");
        }
    }

    /// RFC 6761 §6.3; RFC 6890 §2.2.2.
    #[test]
    fn loopback_names_and_addresses_are_known() {
        for origin in [
            "http://localhost",
            "https://LOCALHOST:3000",
            "http://app.localhost",
            "http://127.0.0.1:80",
            "http://127.1.2.3",
            "http://[::1]:8080",
        ] {
            assert!(parse(origin).is_loopback(), "{origin}");
        }
        for origin in [
            "http://localhost.evil.com",
            "http://notlocalhost",
            "http://127.0.0.1.evil.com",
            "http://128.0.0.1",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://[::2]",
            "http://[::ffff:10.0.0.1]",
        ] {
            assert!(!parse(origin).is_loopback(), "{origin}");
        }
    }
}
