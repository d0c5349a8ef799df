//! Which certificate a server, or a client, shows.

use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::net::tls::identity::TlsIdentity;

/// Chooses among several certificates.
#[derive(Debug)]
pub(super) struct Resolver(Vec<TlsIdentity>);

impl Resolver {
    pub(super) const fn new(identities: Vec<TlsIdentity>) -> Self {
        Self(identities)
    }

    /// Returns the first that the peer can check, and that satisfies `fits` if one does.
    fn choose(
        &self,
        schemes: &[SignatureScheme],
        fits: impl Fn(&TlsIdentity) -> bool,
    ) -> Option<Arc<CertifiedKey>> {
        let usable = || self.0.iter().filter(|it| it.key().key.choose_scheme(schemes).is_some());
        let chosen = usable().find(|identity| fits(identity)).or_else(|| usable().next());
        chosen.map(|identity| Arc::clone(identity.key()))
    }
}

/// By the name that the client wants (RFC 6066 §3); the first one for clients that name none.
impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        self.choose(hello.signature_schemes(), |identity| {
            host.as_ref().is_some_and(|host| identity.is_of(host))
        })
    }
}

/// The first one: which authorities a server names is left to it to judge.
impl ResolvesClientCert for Resolver {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.choose(schemes, |_| true)
    }

    fn has_certs(&self) -> bool {
        !self.0.is_empty()
    }
}
