//! Signature algorithms and keys that are too weak, in each certificate of a chain.
//!
//! `rcgen` cannot make them. Those of `legacy/` were made with openssl, for the one key of `own.key.pem`
//! and the address 127.0.0.1, and are valid for a hundred years.

use anyhow::Result;
use slotwork::{TlsCertificate, TlsError};

use support::certificates::{Authority, Pem};
use support::verdicts::{BOTH, in_words};

/// The signature of a trust anchor itself, here with SHA-1, is not checked: it is trusted by name.
const ROOT: &str = include_str!("legacy/root.pem");
const KEY: &str = include_str!("legacy/own.key.pem");

/// RFC 8446 §4.4.2.4 and RFC 9155: `openssl verify` refuses them from level 2 on.
#[test]
fn weak_signatures_and_keys_of_authorities_are_refused() -> Result<()> {
    for (what, certificate, error) in [
        ("SHA-256", include_str!("legacy/sha256.pem"), ""),
        ("SHA-1", include_str!("legacy/sha1.pem"), "UnsupportedSignatureAlgorithm"),
        ("RSA of 1024 bits", include_str!("legacy/short_authority.pem"), "InvalidSignature"),
    ] {
        let shown = Pem { certificate: certificate.into(), key: KEY.into() };
        for judge in BOTH {
            let found = judge.verdict(&TlsCertificate::from_pem(ROOT)?, &shown)?;
            let words = in_words(found.as_ref());
            assert_eq!(words.is_empty(), error.is_empty(), "{judge:?}, {what}: {words}");
            assert!(words.contains(error), "{judge:?}, {what}: {words}");
            assert!(found.is_none_or(|error| !error.is_ignorable()), "{judge:?}, {what}");
        }
    }
    Ok(())
}

/// A short key is reported at both ends, before the signature that it makes is looked at.
#[test]
fn the_short_key_of_a_peer_is_refused() -> Result<()> {
    let authority = Authority::new()?;
    let shown = authority.weak_key()?;
    let own = TlsCertificate::from_der(shown.cert[0].as_ref());
    for trusted in [authority.certificate(), own.clone()] {
        for judge in BOTH {
            let found = judge.verdict_of_key(std::slice::from_ref(&trusted), shown.clone())?;
            assert_eq!(found, Some(TlsError::WeakKey(own.clone())), "{judge:?}");
        }
    }
    Ok(())
}
