//! Trust anchors: what a certificate that is trusted by name may sign, and until when.

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};
use slotwork::signals::SignalSpy;
use slotwork::{PeerVerifyMode, TlsCertificate, TlsConfig, TlsError, WebSocket};

use support::certificates::{Authority, Pem, as_authority, expired};
use support::recorder::Recorder;
use support::secure_client::{check_open, open, refusal};
use support::{secure_echo_server, wait_until};

/// RFC 5280 §4.2.1.9: a trust anchor that is not the certificate of an authority signs no other.
#[test]
fn a_certificate_trusted_by_itself_signs_nothing() -> Result<()> {
    let hosts = ["127.0.0.1"];
    let names = CertificateParams::new(hosts.map(String::from))?.subject_alt_names;
    let known = Authority::new()?.authority(|params| {
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages.push(KeyUsagePurpose::DigitalSignature);
        params.subject_alt_names = names;
    })?;
    for (pem, is_well) in [(known.itself(), true), (known.sign(&hosts, |_| ())?, false)] {
        for trusts_more in [false, true] {
            let mut trusted = vec![known.certificate()];
            if trusts_more {
                trusted.push(Authority::new()?.certificate());
            }

            let server = secure_echo_server(pem.config()?)?;
            let socket = WebSocket::new();
            socket.set_tls_config(TlsConfig::new().ca_certificates(trusted.clone()));
            open(&socket, &server, "127.0.0.1")?;
            if is_well {
                check_open(&socket)?;
            } else {
                refusal(&socket)?;
            }

            let authority = Authority::new()?;
            let config = authority.server_config()?.ca_certificates(trusted);
            let server = secure_echo_server(config.peer_verify_mode(PeerVerifyMode::Required))?;
            let outcomes = Recorder::default();
            outcomes.watch_server(&server);
            let problems = SignalSpy::new(&server.peer_verify_error());
            let socket = WebSocket::new();
            socket.set_tls_config(authority.client_config().add_identity(pem.identity()?));
            open(&socket, &server, "127.0.0.1")?;
            wait_until(|| !outcomes.lines().is_empty())?;
            assert_eq!(outcomes.lines() == ["new connection"], is_well, "{outcomes:?}");
            let expected = TlsError::UntrustedCertificate(pem.certificate()?);
            let expected = if is_well { vec![] } else { vec![expected] };
            assert_eq!(problems.values(), expected);
        }
    }
    Ok(())
}

const HOSTS: [&str; 1] = ["127.0.0.1"];

/// What is trusted, what is shown, and what is wrong with it.
struct Case {
    what: &'static str,
    trusted: TlsCertificate,
    shown: Pem,
    error: Option<TlsError>,
}

impl Case {
    /// A certificate that an authority signs, directly or through another one.
    fn signed(
        what: &'static str,
        authority: &Authority,
        length: usize,
        error: Option<fn(TlsCertificate) -> TlsError>,
    ) -> Result<Self> {
        let mut between = Vec::<Authority>::new();
        for _ in 0..length {
            let next = between.last().unwrap_or(authority).authority(|_| ())?;
            between.push(next);
        }
        let own = between.last().unwrap_or(authority).sign(&HOSTS, |_| ())?;
        let error = match error {
            Some(error) => Some(error(own.certificate()?)),
            None => None,
        };
        let shown = between.iter().rev().fold(own, Pem::with);
        Ok(Self { what, trusted: authority.certificate(), shown, error })
    }

    /// A self-signed certificate that is a trust anchor.
    fn itself(
        what: &'static str,
        change: impl FnOnce(&mut CertificateParams),
        error: Option<fn(TlsCertificate) -> TlsError>,
    ) -> Result<Self> {
        let shown = Pem::self_signed_with(&HOSTS, change)?;
        let certificate = shown.certificate()?;
        let error = error.map(|error| error(certificate.clone()));
        Ok(Self { what, trusted: certificate, shown, error })
    }
}

/// What a named certificate says of itself; `usage` is what it is for, `other` something else.
fn cases(usage: ExtendedKeyUsagePurpose, other: ExtendedKeyUsagePurpose) -> Result<Vec<Case>> {
    let wrong_length = |certificate| TlsError::InvalidCertificate {
        certificate,
        reason: "PathLenConstraintViolated".into(),
    };
    let limited = |length| {
        Authority::special(|params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(length));
        })
    };
    let for_usage = |usages| {
        Authority::special(|params: &mut CertificateParams| params.extended_key_usages = usages)
    };
    let signs_nothing =
        Authority::special(|params| params.key_usages = vec![KeyUsagePurpose::CrlSign])?;
    let (usages, others) = (vec![usage.clone(), other.clone()], vec![other.clone()]);
    let late = Authority::special(expired)?;
    let late_root = TlsError::CertificateExpired(late.certificate());
    let (first, of_version_1) = Authority::of_version_1()?;
    Ok(vec![
        Case::signed("an authority", &Authority::new()?, 2, None)?,
        Case { error: Some(late_root), ..Case::signed("expired", &late, 0, None)? },
        Case::signed("pathlen:0, directly", &limited(0)?, 0, None)?,
        Case::signed("pathlen:0", &limited(0)?, 1, Some(wrong_length))?,
        Case::signed("pathlen:1, one", &limited(1)?, 1, None)?,
        Case::signed("pathlen:1, two", &limited(1)?, 2, Some(wrong_length))?,
        Case::signed("for this", &for_usage(usages)?, 1, None)?,
        Case::signed(
            "for another",
            &for_usage(others.clone())?,
            1,
            Some(TlsError::InvalidPurpose),
        )?,
        Case::signed("no keyCertSign", &signs_nothing, 0, Some(TlsError::UntrustedCertificate))?,
        Case {
            trusted: of_version_1,
            ..Case::signed("version 1", &first, 0, Some(TlsError::UntrustedCertificate))?
        },
        Case::itself("itself, CA:TRUE", as_authority, None)?,
        Case::itself(
            "itself, CA:TRUE, for this",
            |params| {
                as_authority(params);
                params.extended_key_usages = vec![usage];
            },
            None,
        )?,
        Case::itself(
            "itself, CA:TRUE, for another",
            |params| {
                as_authority(params);
                params.extended_key_usages = others;
            },
            Some(TlsError::InvalidPurpose),
        )?,
        Case::itself(
            "itself, for another",
            |params| params.extended_key_usages = vec![other],
            Some(TlsError::InvalidPurpose),
        )?,
    ])
}

/// RFC 5280 §6.1.4 and §4.2.1.12: a certificate that is named says until when it is valid, how many
/// authorities may follow, and what for, as `openssl verify` looks at it.
#[test]
fn clients_look_at_what_a_named_certificate_says_of_itself() -> Result<()> {
    use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    for Case { what, trusted, shown, error } in cases(ServerAuth, ClientAuth)? {
        let server = secure_echo_server(shown.config()?)?;
        let socket = WebSocket::new();
        socket.set_tls_config(TlsConfig::new().ca_certificates([trusted]));

        open(&socket, &server, "127.0.0.1")?;

        match error {
            None => check_open(&socket).context(what)?,
            Some(error) => assert_eq!(refusal(&socket).context(what)?, error, "{what}"),
        }
    }
    Ok(())
}

/// The same for servers: `QWebSocketServer::peerVerifyError()`.
#[test]
fn servers_look_at_what_a_named_certificate_says_of_itself() -> Result<()> {
    use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    let authority = Authority::new()?;
    for Case { what, trusted, shown, error } in cases(ClientAuth, ServerAuth)? {
        let config = authority.server_config()?.ca_certificates([trusted]);
        let server = secure_echo_server(config.peer_verify_mode(PeerVerifyMode::Required))?;
        let outcomes = Recorder::default();
        outcomes.watch_server(&server);
        let problems = SignalSpy::new(&server.peer_verify_error());
        let socket = WebSocket::new();
        socket.set_tls_config(authority.client_config().add_identity(shown.identity()?));

        open(&socket, &server, "127.0.0.1")?;
        wait_until(|| !outcomes.lines().is_empty())?;

        assert_eq!(outcomes.lines() == ["new connection"], error.is_none(), "{what}: {outcomes:?}");
        assert_eq!(problems.values(), error.into_iter().collect::<Vec<_>>(), "{what}");
    }
    Ok(())
}
