//! Authorities between the server and whom the client trusts.

use anyhow::Result;
use rcgen::{CertificateParams, date_time_ymd};
use slotwork::{TlsCertificate, TlsConfig, TlsError, WebSocket, WebSocketServer};

use crate::support::certificates::{Authority, Pem, expired, not_yet_valid};
use crate::support::secure_client::{check_open, open, refusal};
use crate::support::secure_echo_server;

type Change = fn(&mut CertificateParams);
type Expected = fn(TlsCertificate) -> TlsError;

/// A server whose certificate an authority signs which another one signs.
struct Chain {
    root: Authority,
    between: Authority,
    own: Pem,
}

impl Chain {
    fn new(between: Change, own: Change) -> Result<Self> {
        let root = Authority::new()?;
        let between = root.authority(between)?;
        let own = between.sign(&["127.0.0.1"], own)?;
        Ok(Self { root, between, own })
    }

    /// A server that shows both certificates.
    fn server(&self) -> Result<WebSocketServer> {
        let certificate = format!("{}{}", self.own.certificate, self.between.pem());
        let shown = Pem { certificate, key: self.own.key.clone() };
        secure_echo_server(shown.config()?)
    }

    /// Connects a client that trusts the root, and ignores these errors.
    fn open(&self, server: &WebSocketServer, ignored: Vec<TlsError>) -> Result<WebSocket> {
        let socket = WebSocket::new();
        socket.set_tls_config(self.root.client_config());
        socket.ignore_tls_errors(ignored);
        open(&socket, server, "127.0.0.1")?;
        Ok(socket)
    }

    fn certificate(&self) -> Result<TlsCertificate> {
        self.own.certificate()
    }
}

/// RFC 8446 §4.4.2: a server shows those that sign it, up to the one that is trusted.
#[test]
fn authorities_between_have_to_be_shown() -> Result<()> {
    let chain = Chain::new(|_| (), |_| ())?;

    check_open(&chain.open(&chain.server()?, Vec::new())?)?;

    let alone = secure_echo_server(TlsConfig::new().identity(chain.own.identity()?))?;
    let socket = chain.open(&alone, Vec::new())?;
    assert_eq!(refusal(&socket)?, TlsError::UntrustedCertificate(chain.certificate()?));
    Ok(())
}

/// RFC 5280 §6.1.3: each certificate on the way has to be valid. What is told, and ignored, is of
/// the server's own certificate, whichever of them it is.
#[test]
fn an_authority_out_of_its_time_is_refused_and_can_be_ignored() -> Result<()> {
    let cases: [(Change, Expected); 2] = [
        (expired, TlsError::CertificateExpired),
        (not_yet_valid, TlsError::CertificateNotYetValid),
    ];
    for (change, error) in cases {
        let chain = Chain::new(change, |_| ())?;
        let server = chain.server()?;
        let expected = error(chain.certificate()?);

        assert_eq!(refusal(&chain.open(&server, Vec::new())?)?, expected);
        let of_authority = error(chain.between.certificate());
        assert_eq!(refusal(&chain.open(&server, vec![of_authority])?)?, expected);
        check_open(&chain.open(&server, vec![expected])?)?;
    }
    Ok(())
}

/// RFC 5280 §6.1.3: what was never valid at once cannot be looked at as if it were that time.
#[test]
fn certificates_that_were_never_valid_together_cannot_be_ignored() -> Result<()> {
    let later: Change = |params| {
        params.not_before = date_time_ymd(2010, 1, 1);
        params.not_after = date_time_ymd(2011, 1, 1);
    };
    for (between, own) in [(expired as Change, later), (later, expired as Change)] {
        let chain = Chain::new(between, own)?;
        let certificate = || chain.certificate();
        let ignored = vec![
            TlsError::CertificateExpired(certificate()?),
            TlsError::CertificateNotYetValid(certificate()?),
        ];

        let error = refusal(&chain.open(&chain.server()?, ignored)?)?;

        assert!(!error.is_ignorable(), "{error:?}");
    }
    Ok(())
}

/// RFC 5280 §6.1.4: whoever is no authority signs nothing, also when all that can be is ignored.
#[test]
fn who_is_no_authority_signs_nobody() -> Result<()> {
    let chain = Chain::new(|params| params.is_ca = rcgen::IsCa::ExplicitNoCa, |_| ())?;
    let certificate = || chain.certificate();
    let ignored = vec![
        TlsError::SelfSignedCertificate(certificate()?),
        TlsError::HostNameMismatch(certificate()?),
    ];

    let error = refusal(&chain.open(&chain.server()?, ignored)?)?;

    assert!(!error.is_ignorable(), "{error:?}");
    Ok(())
}
