//! What certificates may be used for: basic constraints, key usage, extended key usage, extensions.
//!
//! The cases are those of public suites, each at every certificate of a chain. Where `openssl verify`
//! decides otherwise, the case says so.

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose as Purpose, IsCa,
    KeyUsagePurpose, SerialNumber,
};
use slotwork::TlsError;

use support::certificates::{Authority, Pem, as_authority, expired};
use support::verdicts::{BOTH, Judge, in_words, verdict_but};

type Change = fn(&mut CertificateParams, Judge);
type Verdicts = &'static [(Link, &'static str)];

/// A certificate of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Own,
    Between,
    Root,
}

use Link::{Between, Own, Root};

const HOSTS: [&str; 1] = ["127.0.0.1"];
const WELL: &str = "";
const PURPOSE: &str = "the certificate is not valid for this purpose";
const UNTRUSTED: &str = "the issuer of the certificate is not trusted";
const NO_AUTHORITY: &str = "the certificate is invalid: EndEntityUsedAsCa";
const CRITICAL: &str = "the certificate is invalid: UnsupportedCriticalExtension";

/// The purpose of the peer's certificate, and the other one.
fn purposes(judge: Judge) -> [Purpose; 2] {
    match judge {
        Judge::Client => [Purpose::ServerAuth, Purpose::ClientAuth],
        Judge::Server => [Purpose::ClientAuth, Purpose::ServerAuth],
    }
}

/// An extension that no program knows, 1.2.3.4.
fn unknown(is_critical: bool) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    extension.set_criticality(is_critical);
    extension
}

/// An extension of the arc id-ce (RFC 5280 §4.2.1) that is critical.
fn critical(number: u64, content: &[u8]) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, number], content.to_vec());
    extension.set_criticality(true);
    extension
}

/// What is special about one certificate, which one it is, and the error.
const CASES: [(&str, Verdicts, Change); 19] = [
    ("as usual", &[(Own, WELL), (Between, WELL), (Root, WELL)], |_, _| ()),
    // RFC 5280 §4.2.1.9; `openssl verify` accepts the first one.
    ("CA:TRUE", &[(Own, PURPOSE), (Between, WELL), (Root, WELL)], |params, _| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }),
    ("CA:FALSE", &[(Own, WELL), (Between, NO_AUTHORITY), (Root, UNTRUSTED)], |params, _| {
        params.is_ca = IsCa::ExplicitNoCa;
    }),
    (
        "no basic constraints",
        &[(Own, WELL), (Between, NO_AUTHORITY), (Root, UNTRUSTED)],
        |params, _| params.is_ca = IsCa::NoCa,
    ),
    (
        "pathlen:0",
        &[(Between, WELL), (Root, "the certificate is invalid: PathLenConstraintViolated")],
        |params, _| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)),
    ),
    ("pathlen:1", &[(Between, WELL), (Root, WELL)], |params, _| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    }),
    // RFC 5280 §4.2.1.3 and §6.1.4 (n), RFC 8446 §4.4.2.2.
    ("no key usage", &[(Own, WELL), (Between, WELL), (Root, WELL)], |params, _| {
        params.key_usages.clear();
    }),
    (
        "digitalSignature",
        &[(Own, WELL), (Between, NO_AUTHORITY), (Root, UNTRUSTED)],
        |params, _| params.key_usages = vec![KeyUsagePurpose::DigitalSignature],
    ),
    // `openssl verify` accepts the peer's own, for the key exchange of RSA that TLS 1.3 has not.
    (
        "keyEncipherment",
        &[(Own, PURPOSE), (Between, NO_AUTHORITY), (Root, UNTRUSTED)],
        |params, _| params.key_usages = vec![KeyUsagePurpose::KeyEncipherment],
    ),
    ("keyCertSign", &[(Own, PURPOSE), (Between, WELL), (Root, WELL)], |params, _| {
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    }),
    ("cRLSign", &[(Own, PURPOSE), (Between, NO_AUTHORITY), (Root, UNTRUSTED)], |params, _| {
        params.key_usages = vec![KeyUsagePurpose::CrlSign];
    }),
    // RFC 5280 §4.2.1.12.
    ("for this", &[(Own, WELL), (Between, WELL), (Root, WELL)], |params, judge| {
        params.extended_key_usages = vec![purposes(judge)[0].clone()];
    }),
    ("for another", &[(Own, PURPOSE), (Between, PURPOSE), (Root, PURPOSE)], |params, judge| {
        params.extended_key_usages = vec![purposes(judge)[1].clone()];
    }),
    ("for both", &[(Own, WELL), (Between, WELL), (Root, WELL)], |params, judge| {
        params.extended_key_usages = purposes(judge).into();
    }),
    // RFC 5280 lets programs demand the very purpose; `openssl verify` does, of roots as well.
    ("for any", &[(Own, PURPOSE), (Between, PURPOSE), (Root, WELL)], |params, _| {
        params.extended_key_usages = vec![Purpose::Any];
    }),
    // RFC 5280 §4.2.
    ("unknown", &[(Own, WELL), (Between, WELL), (Root, WELL)], |params, _| {
        params.custom_extensions = vec![unknown(false)];
    }),
    (
        "unknown, critical",
        &[(Own, CRITICAL), (Between, CRITICAL), (Root, CRITICAL)],
        |params, _| params.custom_extensions = vec![unknown(true)],
    ),
    // certificatePolicies with anyPolicy, which `openssl verify` knows.
    ("policies, critical", &[(Own, CRITICAL), (Between, CRITICAL), (Root, WELL)], |params, _| {
        let any = &[0x30, 8, 0x30, 6, 6, 4, 0x55, 0x1D, 0x20, 0];
        params.custom_extensions = vec![critical(32, any)];
    }),
    // RFC 5280 §4.1.2.2: longer than 20 octets, which programs should handle.
    ("long serial number", &[(Own, WELL), (Between, WELL), (Root, WELL)], |params, _| {
        params.serial_number = Some(SerialNumber::from(vec![0x7F; 40]));
    }),
];

/// Makes a chain of three with one special certificate: the root, and what the peer shows.
fn chain(link: Link, change: Change, judge: Judge) -> Result<(Authority, Pem)> {
    let change_if = |own: Link| {
        move |params: &mut CertificateParams| {
            if own == link {
                change(params, judge);
            }
        }
    };
    let root = Authority::special(change_if(Root))?;
    let between = root.authority(change_if(Between))?;
    let shown = between.sign(&HOSTS, change_if(Own))?.with(&between);
    Ok((root, shown))
}

/// RFC 5280 §6.1.3 and §6.1.4.
#[test]
fn each_certificate_of_a_chain_is_used_as_it_says() -> Result<()> {
    for judge in BOTH {
        for (what, links, change) in CASES {
            for (link, error) in links {
                let (root, shown) = chain(*link, change, judge)?;

                let found = judge.verdict(&[root.certificate()], &shown);

                let found = found.with_context(|| format!("{judge:?}: {what}, {link:?}"))?;
                assert_eq!(in_words(found.as_ref()), *error, "{judge:?}: {what}, {link:?}");
            }
        }
    }
    Ok(())
}

/// The same for certificates that are trusted themselves: there is nothing above them.
#[test]
fn a_certificate_that_is_trusted_itself_is_used_as_it_says() -> Result<()> {
    for judge in BOTH {
        for (what, links, change) in CASES {
            let Some((_, error)) = links.iter().find(|(link, _)| *link == Own) else { continue };
            // What `openssl req -x509` makes.
            let error = if what == "CA:TRUE" { WELL } else { error };
            let shown = Pem::self_signed_with(&HOSTS, |params| change(params, judge))?;
            let certificate = shown.certificate()?;

            let found = judge.verdict(&[certificate], &shown).context(what)?;

            assert_eq!(in_words(found.as_ref()), error, "{judge:?}: {what}");
        }
    }
    Ok(())
}

/// A self-signed certificate that a program ignores: what else is wrong with it counts.
#[test]
fn no_error_hides_the_use_of_a_certificate() -> Result<()> {
    let purpose: Change = |params, judge| {
        params.extended_key_usages = vec![purposes(judge)[1].clone()];
    };
    let usage: Change = |params, _| params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let more: [fn(&mut CertificateParams); 3] = [|_| (), as_authority, expired];
    for change in [purpose, usage] {
        for more in more {
            let shown = Pem::self_signed_with(&HOSTS, |params| {
                change(params, Judge::Client);
                more(params);
            })?;
            let certificate = shown.certificate()?;
            let ignored = vec![
                TlsError::SelfSignedCertificate(certificate.clone()),
                TlsError::CertificateExpired(certificate.clone()),
            ];

            let found = verdict_but(&[], &shown, ignored)?;

            assert_eq!(found, Some(TlsError::InvalidPurpose(certificate)));
        }
    }
    Ok(())
}

/// What is ignored is one certificate's date: that of another one, however strange, counts.
#[test]
fn an_expired_peer_does_not_hide_an_expired_authority() -> Result<()> {
    let strange: [fn(&mut CertificateParams); 2] =
        [|_| (), |params| params.serial_number = Some(SerialNumber::from(vec![0x7F; 40]))];
    for change in strange {
        let root = Authority::new()?;
        let between = root.authority(|params| {
            expired(params);
            change(params);
        })?;
        let shown = between.sign(&HOSTS, expired)?.with(&between);
        let own = TlsError::CertificateExpired(shown.certificate()?);
        let other = TlsError::CertificateExpired(between.certificate());

        for (ignored, error) in [(vec![own.clone()], Some(other.clone())), (vec![own, other], None)]
        {
            let found = verdict_but(&[root.certificate()], &shown, ignored)?;
            assert_eq!(found, error);
        }
    }
    Ok(())
}
