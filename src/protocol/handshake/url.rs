//! URLs of WebSocket servers (RFC 6455 §3).

#[cfg(unix)]
use std::ffi::OsString;
use std::net::Ipv6Addr;
#[cfg(unix)]
use std::os::unix::ffi::{OsStrExt, OsStringExt};
#[cfg(unix)]
use std::path::PathBuf;

use idna::AsciiDenyList;

use crate::protocol::handshake::authority::is_name_byte;
#[cfg(unix)]
use crate::types::unix_address::UnixAddress;

/// A `ws`, `wss` or `ws+unix` URL, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) is_secure: bool,
    /// The path of the server's Unix socket, of which the host is `localhost`.
    #[cfg(unix)]
    pub(crate) socket_path: Option<PathBuf>,
    /// The host for DNS, TLS and HTTP: an ASCII name, or an address without brackets.
    pub(crate) host: String,
    /// The zone of an IPv6 address, which is for this machine alone (RFC 6874 §4).
    zone: Option<String>,
    /// The port, or the default one of the scheme.
    pub(crate) port: u16,
    /// Host and port as the `Host` header has them.
    pub(crate) authority: String,
    /// User name and password, still percent-encoded.
    pub(crate) user_info: Option<String>,
    /// Path and query, percent-encoded.
    pub(crate) resource: String,
}

/// The reason why a text is not the URL of a WebSocket server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UrlError {
    Scheme,
    Invalid,
}

impl Url {
    /// Takes a URL apart. What stands behind a `#` is not sent (Qt: CLI-08).
    pub(crate) fn parse(url: &str) -> Result<Self, UrlError> {
        #[cfg(unix)]
        if let Some(rest) = unix_part(url) {
            return Self::parse_unix(rest);
        }
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Invalid)?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "ws" => false,
            "wss" => true,
            _ => return Err(UrlError::Scheme),
        };
        let (rest, _fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, resource) = rest.split_at(end);
        let (user_info, authority) = match authority.rsplit_once('@') {
            Some((user_info, authority)) => (Some(user_info), authority),
            None => (None, authority),
        };
        // A line break in a URL is an attack or a mistake (Qt: CLI-04).
        if user_info.is_some_and(is_ambiguous) || resource.contains(['\r', '\n', '\0']) {
            return Err(UrlError::Invalid);
        }
        let (host, port) = split_port(authority);
        let (host, zone) = parse_host(host).ok_or(UrlError::Invalid)?;
        let default_port = if is_secure { 443 } else { 80 };
        let port = if port.is_empty() { default_port } else { parse_port(port)? };
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        // RFC 6455 §4.1 item 5.
        let authority =
            if port == default_port { bracketed } else { format!("{bracketed}:{port}") };
        let slash = if resource.starts_with('/') { "" } else { "/" };
        Ok(Self {
            is_secure,
            #[cfg(unix)]
            socket_path: None,
            host,
            zone,
            port,
            authority,
            user_info: user_info.map(str::to_owned),
            resource: format!("{slash}{}", encode(resource)),
        })
    }

    /// Takes the part behind `ws+unix:` apart.
    ///
    /// The form is that of Node's ws: `/path/of/socket:/path/of/request?query`. `@` begins an abstract
    /// name.
    #[cfg(unix)]
    fn parse_unix(rest: &str) -> Result<Self, UrlError> {
        let (rest, _fragment) = rest.split_once('#').unwrap_or((rest, ""));
        // RFC 3986 §3: an authority may be empty.
        let rest = rest.strip_prefix("//").filter(|path| path.starts_with('/')).unwrap_or(rest);
        let end = rest.find([':', '?']).unwrap_or(rest.len());
        let (path, resource) = rest.split_at(end);
        let resource = resource.strip_prefix(':').unwrap_or(resource);
        let socket_path = decode_bytes(path);
        let is_path =
            matches!(&*socket_path, [b'/', ..] | [b'@', _, ..]) && !socket_path.contains(&0);
        let is_resource = resource.is_empty() || resource.starts_with(['/', '?']);
        if !is_path || !is_resource || path.starts_with("//") || rest.contains(['\r', '\n', '\0']) {
            return Err(UrlError::Invalid);
        }
        let slash = if resource.starts_with('/') { "" } else { "/" };
        Ok(Self {
            is_secure: false,
            socket_path: Some(OsString::from_vec(socket_path).into()),
            host: LOCAL_HOST.into(),
            zone: None,
            port: 0,
            authority: LOCAL_HOST.into(),
            user_info: None,
            resource: format!("{slash}{}", encode(resource)),
        })
    }

    /// Returns the host for the system's resolver, with the zone of an address.
    ///
    /// That is `fe80::1%eth0`, for example.
    pub(crate) fn name(&self) -> String {
        match &self.zone {
            Some(zone) => format!("{}%{zone}", self.host),
            None => self.host.clone(),
        }
    }
}

/// Returns the part of a URL behind `ws+unix:`, if it has that scheme.
#[cfg(unix)]
fn unix_part(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once(':')?;
    scheme.eq_ignore_ascii_case("ws+unix").then_some(rest)
}

/// Returns the URL of a Unix socket, without the path of a request behind it.
#[cfg(unix)]
pub(crate) fn unix_url(address: &UnixAddress) -> String {
    let mut url = String::from("ws+unix:");
    for byte in address.to_path().as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/@-._~+,=".contains(byte) {
            url.push(char::from(*byte));
        } else {
            push_escape(&mut url, *byte);
        }
    }
    url.push(':');
    url
}

/// Returns the ASCII form of a host name (UTS 46); `None` when it is not one.
pub(crate) fn ascii_name(name: &str) -> Option<String> {
    // What ASCII must not contain is looked at here: less of it is a host than of a web page's URL.
    let encoded = idna::domain_to_ascii_cow(name.as_bytes(), AsciiDenyList::EMPTY).ok()?;
    let is_host = !encoded.is_empty() && encoded.bytes().all(is_name_byte);
    is_host.then(|| encoded.into_owned())
}

/// Returns a URL without its possible secrets, for errors.
///
/// These are user information, query and fragment.
pub(crate) fn without_secrets(url: &str) -> String {
    // What is not well-formed may have them anywhere before the last `@`.
    let (start, rest) = match url.rsplit_once('@') {
        Some((secret, rest)) => {
            let scheme = secret.find("://").map_or(0, |place| place + 3);
            (secret.get(..scheme).unwrap_or_default().to_owned() + "…@", rest)
        }
        None => (String::new(), url),
    };
    start + &without_query(rest)
}

/// Returns a path as it may be shown: a query may be a secret.
pub(crate) fn without_query(path: &str) -> String {
    match path.split_once(['?', '#']) {
        Some((path, _)) => format!("{path}?…"),
        None => path.to_owned(),
    }
}

/// Returns whether other parsers may find another host behind the user information.
///
/// Browsers take a backslash for a slash.
fn is_ambiguous(user_info: &str) -> bool {
    user_info.contains(|character: char| {
        matches!(character, '\\' | '[' | ']') || character.is_whitespace() || character.is_control()
    })
}

/// Returns a host as the network has it, and the zone of an address (RFC 6874 §2).
fn parse_host(host: &str) -> Option<(String, Option<String>)> {
    let Some(literal) = host.strip_prefix('[') else {
        return Some((ascii_name(&decode(host))?, None));
    };
    let (address, zone) = match literal.strip_suffix(']')?.split_once("%25") {
        Some((address, zone)) => (address, Some(decode(zone))),
        None => (literal.strip_suffix(']')?, None),
    };
    let is_zone_byte = |byte: u8| byte.is_ascii_graphic() && !b"/\\%".contains(&byte);
    let is_zone = |zone: &String| !zone.is_empty() && zone.bytes().all(is_zone_byte);
    let is_well = address.parse::<Ipv6Addr>().is_ok() && zone.iter().all(is_zone);
    is_well.then(|| (address.to_owned(), zone))
}

/// Returns user name and password of user information, decoded (RFC 3986 §3.2.1).
pub(crate) fn user_and_password(user_info: &str) -> (String, String) {
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    (decode(user), decode(password))
}

fn decode(encoded: &str) -> String {
    String::from_utf8_lossy(&decode_bytes(encoded)).into_owned()
}

fn decode_bytes(encoded: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        let escaped = behind.split_at_checked(2).filter(|_| *byte == b'%');
        let decoded = escaped.and_then(|(digits, behind)| {
            let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'));
            Some((u8::from_str_radix(digits?, 16).ok()?, behind))
        });
        let (byte, behind) = decoded.unwrap_or((*byte, behind));
        bytes.push(byte);
        rest = behind;
    }
    bytes
}

/// Splits at the colon before the port, which is not one of an address in brackets.
fn split_port(authority: &str) -> (&str, &str) {
    let host_end = authority.rfind(']').unwrap_or(0);
    match authority.get(host_end..).and_then(|rest| rest.split_once(':')) {
        Some((rest, port)) => (authority.get(..host_end + rest.len()).unwrap_or_default(), port),
        None => (authority, ""),
    }
}

fn parse_port(port: &str) -> Result<u16, UrlError> {
    // `parse` alone would accept a plus sign.
    let digits = Some(port).filter(|port| !port.starts_with('+'));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(port) if port > 0 => Ok(port),
        _ => Err(UrlError::Invalid),
    }
}

/// Encodes bytes that a request line must not contain; the others stay unchanged.
fn encode(resource: &str) -> String {
    let mut encoded = String::with_capacity(resource.len());
    for byte in resource.bytes() {
        if byte.is_ascii_graphic() && !br#""<>\^`{|}"#.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            push_escape(&mut encoded, byte);
        }
    }
    encoded
}

/// Encodes what no ASCII character is, and nothing else.
pub(crate) fn encode_non_ascii(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if byte.is_ascii() {
            encoded.push(char::from(byte));
        } else {
            push_escape(&mut encoded, byte);
        }
    }
    encoded
}

fn push_escape(encoded: &mut String, byte: u8) {
    encoded.push('%');
    for digit in [byte >> 4, byte & 0xF] {
        let digit = char::from_digit(digit.into(), 16).unwrap_or_default();
        encoded.push(digit.to_ascii_uppercase());
    }
}

/// The host of a Unix socket, for the `Host` header.
#[cfg(unix)]
const LOCAL_HOST: &str = "localhost";

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> Result<(bool, String, u16, String, String), UrlError> {
        let Url { is_secure, host, port, authority, resource, .. } = Url::parse(url)?;
        Ok((is_secure, host, port, authority, resource))
    }

    /// RFC 6455 §3; Qt: CLI-06, CLI-08.
    #[test]
    fn urls_are_taken_apart() {
        let table = [
            ("ws://a", (false, "a", 80, "a", "/")),
            ("WS://a:81?x", (false, "a", 81, "a:81", "/?x")),
            ("wss://a.example/p/q?x=1#f", (true, "a.example", 443, "a.example", "/p/q?x=1")),
            ("ws://[::1]:5/", (false, "::1", 5, "[::1]:5", "/")),
            ("ws://[::1]", (false, "::1", 80, "[::1]", "/")),
            ("ws://u:p%40@h:7/", (false, "h", 7, "h:7", "/")),
            ("ws://u@x:p@H:80/", (false, "h", 80, "h", "/")),
            ("wss://h:0443", (true, "h", 443, "h", "/")),
            ("ws://[::1]:080/", (false, "::1", 80, "[::1]", "/")),
            (
                "ws://bücher.example./",
                (false, "xn--bcher-kva.example.", 80, "xn--bcher-kva.example.", "/"),
            ),
            ("ws://h/a b/é?q=1 2", (false, "h", 80, "h", "/a%20b/%C3%A9?q=1%202")),
            ("ws://h/%41", (false, "h", 80, "h", "/%41")),
        ];
        for (url, (is_secure, host, port, authority, resource)) in table {
            let expected = (is_secure, host.into(), port, authority.into(), resource.into());
            assert_eq!(parts(url), Ok(expected), "{url}");
        }
        let zoned = Url::parse("ws://[fe80::1%25eth%30]:9/").map(|url| (url.name(), url.authority));
        assert_eq!(zoned, Ok(("fe80::1%eth0".into(), "[fe80::1]:9".into())));
        let user_info = Url::parse("ws://u:p%40@h").map(|url| url.user_info);
        assert_eq!(user_info, Ok(Some("u:p%40".into())));
    }

    /// Qt: CLI-19.
    #[test]
    fn user_names_and_passwords_are_decoded() {
        let table = [
            ("u:p", ("u", "p")),
            ("u", ("u", "")),
            ("%C3%A9%3A:p:%40%", ("é:", "p:@%")),
            ("%4:%+1%zz", ("%4", "%+1%zz")),
        ];
        for (user_info, (user, password)) in table {
            assert_eq!(user_and_password(user_info), (user.into(), password.into()), "{user_info}");
        }
    }

    /// Qt: CLI-04, CLI-06.
    #[test]
    fn what_is_no_url_of_a_websocket_server_is_refused() {
        for url in ["http://a", "ftp://a", "://a"] {
            assert_eq!(parts(url), Err(UrlError::Scheme), "{url}");
        }
        for url in [
            "",
            "a",
            "ws://",
            "ws:///p",
            "ws://a:99999",
            "ws://a:0",
            "ws://a b",
            "ws://a\r\nX: y/",
            "ws://a:+1",
            "ws://a:1:2",
            "ws://[::1",
            "ws://::1/",
            "ws://[::1]1",
            "ws://a[::1]",
            "ws://[[::1]]",
            "ws://[v7.a]",
        ] {
            assert_eq!(parts(url), Err(UrlError::Invalid), "{url}");
        }
        assert_eq!(parts("ws://a/p\r\nX: y"), Err(UrlError::Invalid));
    }

    /// The form of Node's ws.
    #[test]
    #[cfg(unix)]
    fn urls_of_unix_sockets_are_taken_apart() {
        let table = [
            ("ws+unix:/a.sock", ("/a.sock", "/")),
            ("WS+UNIX:/a.sock:", ("/a.sock", "/")),
            ("ws+unix:/a.sock:/p?q=1:2#f", ("/a.sock", "/p?q=1:2")),
            ("ws+unix:/a.sock?q=/:", ("/a.sock", "/?q=/:")),
            ("ws+unix:/a.sock:?q", ("/a.sock", "/?q")),
            ("ws+unix:///a.sock:/p", ("/a.sock", "/p")),
            ("ws+unix:/a%3Ab%20c%25:/%41 b", ("/a:b c%", "/%41%20b")),
            ("ws+unix:/%C3%A9é@:/", ("/éé@", "/")),
            ("ws+unix:@name:/p", ("@name", "/p")),
        ];
        for (url, (path, resource)) in table {
            let parsed = Url::parse(url).unwrap();
            assert_eq!(parsed.socket_path.as_deref(), Some(path.as_ref()), "{url}");
            assert_eq!((&*parsed.resource, &*parsed.authority), (resource, "localhost"), "{url}");
        }
        for url in [
            "ws+unix:",
            "ws+unix:@",
            "ws+unix:a.sock",
            "ws+unix://host/a.sock",
            "ws+unix:////a.sock",
            "ws+unix:/a.sock:p",
            "ws+unix:/a.sock:80/p",
            "ws+unix:/a%00b",
            "ws+unix:%00a",
            "ws+unix:/a:/p\r\nX: y",
            "ws+unix:/a\n",
        ] {
            assert_eq!(Url::parse(url).err(), Some(UrlError::Invalid), "{url}");
        }
        assert_eq!(Url::parse("wss+unix://a").err(), Some(UrlError::Scheme));
    }

    #[test]
    #[cfg(unix)]
    fn the_url_of_a_unix_socket_leads_to_it() {
        for path in ["/run/a.sock", "/a b:c?d#e%41é\n", "@name"] {
            let url = unix_url(&UnixAddress::new(path.as_ref()).unwrap()) + "/p?q";
            let parsed = Url::parse(&url).unwrap();
            assert_eq!(parsed.socket_path.as_deref(), Some(path.as_ref()), "{url}");
            assert_eq!(parsed.resource, "/p?q", "{url}");
        }
    }

    /// RFC 3986 §3.2.1: nothing that may be a secret is left.
    #[test]
    fn secrets_of_a_url_are_not_shown() {
        let table = [
            ("http://a/b", "http://a/b"),
            ("http://u:p@a/b?c#d", "http://…@a/b?…"),
            ("ws://u:p#x@a", "ws://…@a"),
            ("u:p@a", "…@a"),
            ("ws://a#b", "ws://a?…"),
            ("ws://a/?b=c@d", "ws://…@d"),
        ];
        for (url, shown) in table {
            assert_eq!(without_secrets(url), shown, "{url}");
        }
    }
}
