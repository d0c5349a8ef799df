//! Whom a certificate makes trusted, and until when.

use anyhow::Result;
use rcgen::{CertificateParams, IsCa};
use slotwork::signals::SignalSpy;
use slotwork::{PeerVerifyMode, TlsConfig, TlsError, WebSocket};

use crate::support::certificates::Authority;
use crate::support::recorder::Recorder;
use crate::support::secure_client::{check_open, open, refusal};
use crate::support::{secure_echo_server, wait_until};

/// RFC 5280 §4.2.1.9: a certificate that is trusted by itself, and is not that of an authority,
/// makes nobody else trusted.
#[test]
fn who_is_trusted_by_itself_signs_nobody() -> Result<()> {
    let hosts = ["127.0.0.1"];
    let names = CertificateParams::new(hosts.map(String::from))?.subject_alt_names;
    let known = Authority::new()?.authority(|params| {
        params.is_ca = IsCa::ExplicitNoCa;
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
            socket.set_tls_config(authority.client_config().identity(pem.identity()?));
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
