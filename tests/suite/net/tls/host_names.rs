//! Which names in a server's certificate are those of a host (RFC 9525 §6).
//!
//! The cases are those of public suites. Where `openssl verify -verify_hostname` decides otherwise, the
//! case says so.

use std::net::IpAddr;

use anyhow::{Context, Result};
use rcgen::{DnType, SanType};

use support::certificates::Authority;
use support::verdicts::{in_words, verdict_at};

const WELL: &str = "";
const MISMATCH: &str = "the certificate is not valid for this host name";

/// Names of DNS in the certificate, the host, and the error.
const OF_DNS: [(&[&str], &str, &str); 32] = [
    (&["chat.example"], "chat.example", WELL),
    (&["other.example", "chat.example"], "chat.example", WELL),
    (&["chat.example"], "chat.example.org", MISMATCH),
    (&["chat.example"], "xchat.example", MISMATCH),
    (&["chat.example"], "example", MISMATCH),
    (&[], "chat.example", MISMATCH),
    // RFC 9525 §6.3: a wildcard is the whole of the left-most label, and stands for one label.
    (&["*.rooms.example"], "a.rooms.example", WELL),
    (&["*.rooms.example"], "xn--bcher-kva.rooms.example", WELL),
    (&["*.rooms.example"], "a.b.rooms.example", MISMATCH),
    (&["*.rooms.example"], "rooms.example", MISMATCH),
    (&["*.rooms.example"], "xrooms.example", MISMATCH),
    // These are accepted by `openssl verify`.
    (&["a*.rooms.example"], "ab.rooms.example", MISMATCH),
    (&["*b.rooms.example"], "ab.rooms.example", MISMATCH),
    (&["*a.rooms.example"], "a.rooms.example", MISMATCH),
    // These by neither.
    (&["a*c.rooms.example"], "abc.rooms.example", MISMATCH),
    (&["**.rooms.example"], "a.rooms.example", MISMATCH),
    (&["a.*.example"], "a.rooms.example", MISMATCH),
    (&["*.*.example"], "a.rooms.example", MISMATCH),
    (&["rooms.*"], "rooms.example", MISMATCH),
    (&["*"], "localhost", MISMATCH),
    (&["*"], "a.example", MISMATCH),
    // Directly below a top-level domain.
    (&["*.example"], "a.example", MISMATCH),
    (&["xn--*.example"], "xn--bcher-kva.example", MISMATCH),
    // RFC 5280 §4.2.1.6: in the preferred syntax, which has no dot at either end, and no blanks.
    (&["chat.example."], "chat.example", MISMATCH),
    (&[".chat.example"], "a.chat.example", MISMATCH),
    (&[".chat.example"], "chat.example", MISMATCH),
    (&[" chat.example"], "chat.example", MISMATCH),
    (&["chat.example "], "chat.example", MISMATCH),
    (&["chat..example"], "chat.example", MISMATCH),
    // What C programs took for the end.
    (&["chat.example\0.evil.example"], "chat.example", MISMATCH),
    (&["chat.example\0"], "chat.example", MISMATCH),
    (&["a_b.example"], "a_b.example", WELL),
];

/// Names of all kinds: of DNS, or beginning with `ip:`, `uri:`, `mail:` or `cn:`.
const OF_ALL_KINDS: [(&[&str], &str, &str); 17] = [
    (&["ip:127.0.0.1"], "127.0.0.1", WELL),
    (&["ip:127.0.0.2"], "127.0.0.1", MISMATCH),
    // RFC 9110 §4.3.5: addresses are not compared with names of DNS, nor the other way round.
    (&["127.0.0.1"], "127.0.0.1", MISMATCH),
    (&["*.0.0.1"], "127.0.0.1", MISMATCH),
    (&["cn:127.0.0.1"], "127.0.0.1", MISMATCH),
    (&["ip:::ffff:127.0.0.1"], "127.0.0.1", MISMATCH),
    (&["ip:127.0.0.1"], "[::ffff:127.0.0.1]", MISMATCH),
    (&["ip:::ffff:127.0.0.1"], "[::ffff:127.0.0.1]", WELL),
    (&["ip:::1"], "[0:0:0:0:0:0:0:1]", WELL),
    (&["ip:127.0.0.1"], "localhost", MISMATCH),
    (&["ip:127.0.0.1", "localhost"], "localhost", WELL),
    // RFC 9525 §2: the common name is not looked at; `openssl verify` does where there is no other.
    (&["cn:chat.example"], "chat.example", MISMATCH),
    (&["cn:chat.example", "other.example"], "chat.example", MISMATCH),
    (&["cn:chat.example", "mail:a@chat.example"], "chat.example", MISMATCH),
    (&["uri:https://chat.example"], "chat.example", MISMATCH),
    (&["mail:chat.example"], "chat.example", MISMATCH),
    (&["uri:https://chat.example", "mail:a@b", "chat.example"], "chat.example", WELL),
];

#[test]
fn only_names_that_match_are_those_of_the_host() -> Result<()> {
    let authority = Authority::new()?;
    for (names, host, error) in OF_DNS.into_iter().chain(OF_ALL_KINDS) {
        let mut subject = None;
        let mut alternatives = Vec::new();
        for name in names {
            alternatives.push(match name.split_once(':') {
                Some(("ip", address)) => SanType::IpAddress(address.parse::<IpAddr>()?),
                Some(("uri", uri)) => SanType::URI(uri.try_into()?),
                Some(("mail", mail)) => SanType::Rfc822Name(mail.try_into()?),
                Some(("cn", name)) => {
                    subject = Some(name);
                    continue;
                }
                _ => SanType::DnsName((*name).try_into()?),
            });
        }
        let shown = authority.sign(&[], |params| {
            params.subject_alt_names = alternatives;
            if let Some(name) = subject {
                params.distinguished_name.push(DnType::CommonName, name);
            }
        })?;

        let found = verdict_at(host, &[authority.certificate()], &shown);

        let found = found.with_context(|| format!("{names:?} for {host}"))?;
        assert_eq!(in_words(found.as_ref()), error, "{names:?} for {host}");
        // The error is of this certificate, and may be ignored for it alone.
        let certificate = found.as_ref().and_then(|error| error.certificate());
        assert_eq!(certificate.is_some(), error == MISMATCH);
    }
    Ok(())
}
