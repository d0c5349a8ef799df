//! `host[:port]`, as in the `Host` header and in absolute targets (RFC 3986 §3.2).

use std::net::Ipv6Addr;

/// Returns whether the text is a host that is not empty, with or without a port.
///
/// User names are refused, as RFC 9110 §4.2.4 asks for. A port may be empty (RFC 3986 §3.2.3), but
/// not greater than 65535.
pub(crate) fn is_authority(authority: &str) -> bool {
    let (is_host_valid, port) = if let Some(literal) = authority.strip_prefix('[') {
        let Some((address, port)) = literal.split_once(']') else { return false };
        (is_ip_literal(address), port)
    } else {
        let name_length = authority.bytes().take_while(|byte| *byte != b':').count();
        let (name, port) = authority.split_at_checked(name_length).unwrap_or_default();
        (is_registered_name(name), port)
    };
    is_host_valid && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

/// IPv4 addresses are registered names too, as far as their characters go.
fn is_registered_name(host: &str) -> bool {
    if !host.is_empty() && host.bytes().all(is_name_byte) {
        return true;
    }
    let mut parts = host.split('%');
    let first = parts.next().unwrap_or_default();
    !host.is_empty() && first.bytes().all(is_name_byte) && parts.all(starts_with_two_hex_digits)
}

fn starts_with_two_hex_digits(part: &str) -> bool {
    part.split_at_checked(2).is_some_and(|(hex, rest)| {
        hex.bytes().all(|byte| byte.is_ascii_hexdigit()) && rest.bytes().all(is_name_byte)
    })
}

/// RFC 3986 §3.2.2: an IPv6 address, or a later version.
///
/// `IPv6address / "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )`.
fn is_ip_literal(address: &str) -> bool {
    match address.strip_prefix(['v', 'V']).and_then(|future| future.split_once('.')) {
        Some((version, rest)) => {
            !version.is_empty()
                && version.bytes().all(|byte| byte.is_ascii_hexdigit())
                && !rest.is_empty()
                && rest.bytes().all(|byte| is_name_byte(byte) || byte == b':')
        }
        None => address.parse::<Ipv6Addr>().is_ok(),
    }
}

fn is_port(port: &str) -> bool {
    // `parse` alone would accept a plus sign.
    port.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

/// RFC 3986 §2.3 and §2.2: `unreserved / sub-delims`.
pub(crate) const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&'..=b',' | b';' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Qt: HSR-06 and the valid rows of HSR-08.
    #[test]
    fn host_names_and_addresses_with_and_without_port_are_valid() {
        for authority in [
            "localhost:1234",
            "10.0.0.1:1234",
            "127.0.0.1:1111",
            "10.0.0.1",
            "[56:56:56:56:56:56:56:56]:1234",
            "[::ffff:129.144.52.38]:1111",
            "[56:56:56:56:56:56:56:56]",
            "[::1]",
            "foo.com:1234",
            "bar.net:1111",
            "foo.com",
            "[v7.1234]:1234",
            "[V1f.a:b]",
            "my_service:80",
            "xn--bcher-kva.example",
            "b%C3%BCcher.example",
            "foo.com:",
            "foo.com:65535",
        ] {
            assert!(is_authority(authority), "{authority}");
        }
    }

    /// Qt: the invalid rows of HSR-08. Qt accepts `localhost:1234/:1111/none`; RFC 9110 §7.2 has
    /// nothing behind the port.
    #[test]
    fn anything_around_host_and_port_is_invalid() {
        for authority in [
            "56:56:56:56:56:56:56:56]:1234",
            "abc:def@foo.com",
            ":def@foo.com",
            "abc:@foo.com",
            "abc@foo.com",
            "@foo.com",
            "foo.com/",
            "localhost:1234/:1111/none",
            "foo.com?",
            "foo.com#",
            "foo.com\\",
            "foo bar",
            "",
            ":80",
        ] {
            assert!(!is_authority(authority), "{authority}");
        }
    }

    /// RFC 3986 §3.2.2 and §3.2.3.
    #[test]
    fn malformed_addresses_ports_and_escapes_are_invalid() {
        for authority in [
            "[]",
            "[::1",
            "::1",
            "[::1]80",
            "[::1]]",
            "[[::1]]",
            "[::1%25eth0]",
            "[1.2.3.4]",
            "[56:56]",
            "[v.1]",
            "[vg.1]",
            "[v1.]",
            "[v1]",
            "foo.com:65536",
            "foo.com:+80",
            "foo.com:-1",
            "foo.com:8o",
            "foo.com:80:80",
            "foo%",
            "foo%4",
            "foo%4g",
            "foo%4ü",
            "bücher.example",
        ] {
            assert!(!is_authority(authority), "{authority}");
        }
    }
}
