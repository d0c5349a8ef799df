//! Intermediate authorities between a server's certificate and the trust anchor.

use anyhow::Result;
use rcgen::{CertificateParams, date_time_ymd};
use slotwork::signals::SignalSpy;
use slotwork::{PeerVerifyMode, TlsCertificate, TlsConfig, TlsError, WebSocket, WebSocketServer};

use support::certificates::{Authority, Pem, expired, not_yet_valid};
use support::secure_client::{check_open, open, refusal};
use support::secure_echo_server;

type Change = fn(&mut CertificateParams);
type Expected = fn(TlsCertificate) -> TlsError;

/// A server's certificate, the intermediate authority that signs it, and the root.
struct Chain {
    root: Authority,
    between: Authority,
    own: Pem,
}

impl Chain {
    fn new(between: Change, own: Change) -> Result<Self> {
        Self::of(|_| (), between, own)
    }

    fn of(root: Change, between: Change, own: Change) -> Result<Self> {
        let root = Authority::special(root)?;
        let between = root.authority(between)?;
        let own = between.sign(&["127.0.0.1"], own)?;
        Ok(Self { root, between, own })
    }

    /// Makes one of its certificates a special one.
    fn with(link: Link, change: Change) -> Result<Self> {
        match link {
            Link::Own => Self::of(|_| (), |_| (), change),
            Link::Between => Self::of(|_| (), change, |_| ()),
            Link::Root => Self::of(change, |_| (), |_| ()),
        }
    }

    /// What a server shows: both certificates.
    fn shown(&self) -> Pem {
        let own = Pem { certificate: self.own.certificate.clone(), key: self.own.key.clone() };
        own.with(&self.between)
    }

    fn server(&self) -> Result<WebSocketServer> {
        secure_echo_server(self.shown().config()?)
    }

    /// Connects a client that trusts the root, and returns the errors that it reported.
    fn reports(&self, server: &WebSocketServer) -> Result<Vec<Vec<TlsError>>> {
        let socket = WebSocket::new();
        socket.set_tls_config(self.root.client_config());
        let reports = SignalSpy::new(&socket.tls_errors());
        open(&socket, server, "127.0.0.1")?;
        Ok(reports.values())
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

    /// All of them, in the order of [`Link`].
    fn certificates(&self) -> Result<[TlsCertificate; 3]> {
        Ok([self.certificate()?, self.between.certificate(), self.root.certificate()])
    }
}

/// A certificate of a chain.
#[derive(Clone, Copy, Debug)]
enum Link {
    Own,
    Between,
    Root,
}

const OUT_OF_TIME: [(Change, Expected); 2] =
    [(expired, TlsError::CertificateExpired), (not_yet_valid, TlsError::CertificateNotYetValid)];

/// RFC 8446 §4.4.2: a server shows those that sign it, up to the one that is trusted.
#[test]
fn authorities_between_have_to_be_shown() -> Result<()> {
    let chain = Chain::new(|_| (), |_| ())?;

    check_open(&chain.open(&chain.server()?, Vec::new())?)?;

    let alone = secure_echo_server(TlsConfig::new().add_identity(chain.own.identity()?))?;
    let socket = chain.open(&alone, Vec::new())?;
    assert_eq!(refusal(&socket)?, TlsError::UntrustedCertificate(chain.certificate()?));
    Ok(())
}

/// RFC 5280 §6.1.3: each certificate of the chain has to be valid. What is reported, and ignored, is
/// the certificate out of its time, once.
#[test]
fn a_link_out_of_its_time_is_named_once() -> Result<()> {
    for link in [Link::Own, Link::Between, Link::Root] {
        for (change, error) in OUT_OF_TIME {
            let chain = Chain::with(link, change)?;
            let server = chain.server()?;
            let certificates = chain.certificates()?;
            let expected = error(certificates[link as usize].clone());

            assert_eq!(chain.reports(&server)?, [vec![expected.clone()]], "{link:?}");
            assert_eq!(refusal(&chain.open(&server, Vec::new())?)?, expected);
            for other in certificates.into_iter().map(error).filter(|other| *other != expected) {
                assert_eq!(refusal(&chain.open(&server, vec![other])?)?, expected);
            }
            check_open(&chain.open(&server, vec![expected])?)?;
        }
    }
    Ok(())
}

/// The same, where the server's own certificate and that of the authority were never valid at once.
#[test]
fn the_link_out_of_its_time_is_named_whatever_the_time_of_the_others() -> Result<()> {
    let chain = Chain::new(expired, |params| params.not_before = date_time_ymd(2020, 1, 1))?;

    let reports = chain.reports(&chain.server()?)?;

    assert_eq!(reports, [vec![TlsError::CertificateExpired(chain.between.certificate())]]);
    Ok(())
}

/// A certificate that the server shows and the chain does not need may be out of its time.
#[test]
fn what_the_chain_does_not_need_is_not_looked_at() -> Result<()> {
    let chain = Chain::new(|_| (), |_| ())?;
    let needless = chain.root.authority(expired)?;
    let own = Chain { own: chain.own.with(&chain.between).with(&needless), ..chain };
    let server = secure_echo_server(own.own.config()?)?;

    check_open(&own.open(&server, Vec::new())?)
}

/// The same for the certificate of a client: `QWebSocketServer::peerVerifyError()`.
#[test]
fn a_server_names_the_link_out_of_its_time() -> Result<()> {
    for link in [Link::Own, Link::Between, Link::Root] {
        for (change, error) in OUT_OF_TIME {
            let chain = Chain::with(link, change)?;
            let config = chain.root.server_config()?.ca_certificates([chain.root.certificate()]);
            let server = secure_echo_server(config.peer_verify_mode(PeerVerifyMode::Required))?;
            let (errors, problems) =
                (SignalSpy::new(&server.server_error()), SignalSpy::new(&server.tls_errors()));
            let socket = WebSocket::new();
            let trusted = TlsConfig::new().ca_certificates([chain.root.certificate()]);
            socket.set_tls_config(trusted.add_identity(chain.shown().identity()?));
            let expected = error(chain.certificates()?[link as usize].clone());
            socket.tls_errors().connect(|socket, errors| socket.ignore_tls_errors(errors.to_vec()));

            open(&socket, &server, "127.0.0.1")?;
            errors.wait_for(1)?;

            assert_eq!(problems.values(), [vec![expected]], "{link:?}");
        }
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
        let ignored = chain.certificates()?.into_iter().flat_map(|certificate| {
            let late = TlsError::CertificateNotYetValid(certificate.clone());
            [TlsError::CertificateExpired(certificate), late]
        });

        let error = refusal(&chain.open(&chain.server()?, ignored.collect())?)?;

        assert!(!error.is_ignorable(), "{error:?}");
    }
    Ok(())
}

/// RFC 5280 §4.1.2.5: a certificate that ends before it begins is never valid, and not ignored.
#[test]
fn a_certificate_that_ends_before_it_begins_is_refused() -> Result<()> {
    let chain = Chain::new(
        |_| (),
        |params| {
            params.not_before = date_time_ymd(2010, 1, 1);
            params.not_after = date_time_ymd(2009, 1, 1);
        },
    )?;
    let ignored = vec![TlsError::CertificateExpired(chain.own.certificate()?)];

    let error = refusal(&chain.open(&chain.server()?, ignored)?)?;

    assert!(!error.is_ignorable(), "{error:?}");
    Ok(())
}

/// RFC 5280 §6.1.4: a certificate that is not an authority's signs nothing, whatever is ignored.
#[test]
fn a_certificate_of_no_authority_signs_nothing() -> Result<()> {
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
