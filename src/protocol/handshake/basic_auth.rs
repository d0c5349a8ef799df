//! The `Basic` scheme of HTTP authentication (RFC 7617), for servers and proxies.

use data_encoding::BASE64;

use crate::protocol::handshake::grammar;

/// Returns the realm of the `Basic` challenge; `None` when there is none.
///
/// The values are those of `WWW-Authenticate` or `Proxy-Authenticate`.
pub(crate) fn realm<'v>(values: impl Iterator<Item = &'v [u8]>) -> Option<String> {
    values.filter_map(|value| std::str::from_utf8(value).ok()).find_map(realm_in)
}

/// Returns the credentials as a header value.
pub(crate) fn credentials(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{user}:{password}").as_bytes()))
}

/// Returns the realm in a list of challenges (RFC 9110 §11.6.1).
///
/// Each challenge has a list of parameters; all are separated by commas.
fn realm_in(challenges: &str) -> Option<String> {
    let mut is_basic = false;
    let mut realm = None;
    for member in members(challenges) {
        let (name, value) = member.split_once('=').unwrap_or((member, ""));
        let parameter = match name.trim().split_once([' ', '\t']) {
            Some((scheme, parameter)) => {
                is_basic = scheme.eq_ignore_ascii_case("Basic");
                parameter
            }
            None if value.is_empty() => {
                is_basic = name.trim().eq_ignore_ascii_case("Basic");
                ""
            }
            None => name,
        };
        if is_basic {
            let found = realm.get_or_insert_default();
            if parameter.trim().eq_ignore_ascii_case("realm") {
                *found = unquote(value.trim());
            }
        }
    }
    realm
}

/// Splits at commas that are not within a quoted text.
fn members(list: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    list.split(move |character| {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
        character == ',' && !is_quoted
    })
    .map(str::trim)
    .filter(|member| !member.is_empty())
}

/// RFC 9110 §5.6.4.
fn unquote(value: &str) -> String {
    let Some(quoted) = value.strip_prefix('"') else {
        return if grammar::is_token(value.as_bytes()) { value.into() } else { String::new() };
    };
    let mut text = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => text.extend(characters.next()),
            character => text.push(character),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7617 §2 and RFC 9110 §11.6.1; Qt: CLI-19, CLI-20.
    #[test]
    fn the_basic_challenge_is_found_among_others() {
        let table = [
            ("Basic realm=\"WallyWorld\"", Some("WallyWorld")),
            ("basic REALM=x, charset=\"UTF-8\"", Some("x")),
            ("Basic charset=\"UTF-8\", realm=\"a\"", Some("a")),
            ("Basic", Some("")),
            (
                "Digest realm=\"d\", nonce=\"a, Basic realm=b\", Basic realm=\"e \\\" f\"",
                Some("e \" f"),
            ),
            ("Basic realm=\"b\", Digest realm=\"d\"", Some("b")),
            // A comma in quotes separates nothing; a backslash outside of quotes escapes nothing.
            ("Basic realm=\"a, realm=b\"", Some("a, realm=b")),
            ("Digest x=\\\", Basic realm=y\"", None),
            ("Digest realm=\"d\"", None),
            ("Basics realm=\"d\"", None),
            ("Bearer", None),
            ("", None),
        ];
        for (value, expected) in table {
            let found = realm([value.as_bytes()].into_iter());
            assert_eq!(found.as_deref(), expected, "{value}");
        }
        let two_headers = [&b"Negotiate"[..], b"Basic realm=x"];
        assert_eq!(realm(two_headers.into_iter()).as_deref(), Some("x"));
    }

    /// RFC 7617 §2 and §2.1.
    #[test]
    fn credentials_are_encoded_as_the_rfc_does() {
        assert_eq!(credentials("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(credentials("test", "123£"), "Basic dGVzdDoxMjPCow==");
    }
}
