//! What a certificate says of itself (RFC 5280 §4.1 and §4.2).
//!
//! webpki looks at that of a peer and of those between, but not at that of a certificate which is
//! trusted, and does not report which certificate it has refused.

use webpki::KeyUsage;
use x509_cert::certificate::{Certificate, Version};
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::oid::db::rfc5280::{
    ANY_EXTENDED_KEY_USAGE, ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH,
};
use x509_cert::der::{self, Decode};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage as KeyUsages};
use x509_cert::name::Name;

use crate::net::tls::verify::validity::Validity;
use crate::types::tls_certificate::TlsCertificate;

/// What a certificate says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Details {
    pub(crate) version: Version,
    pub(crate) validity: Validity,
    /// Whether it may sign other certificates.
    pub(crate) is_authority: bool,
    issuer: Name,
    subject: Name,
    /// How many authorities may stand between it and a peer.
    path_length: Option<u8>,
    purposes: Option<Vec<ObjectIdentifier>>,
}

/// What the certificate of a peer is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Server,
    Client,
}

impl Details {
    /// Reads a certificate; `None` when it is not one.
    pub(crate) fn of(certificate: &TlsCertificate) -> Option<Self> {
        Self::parse(certificate.as_der()).ok()
    }

    fn parse(der: &[u8]) -> der::Result<Self> {
        let certificate = Certificate::from_der(der)?;
        let it = certificate.tbs_certificate();
        let constraints = it.get_extension::<BasicConstraints>()?.map(|(_, it)| it);
        let key_usages = it.get_extension::<KeyUsages>()?;
        let purposes = it.get_extension::<ExtendedKeyUsage>()?;
        // RFC 5280 §4.2.1.3 and §4.2.1.9; one of version 1 does not say, and so is not one.
        let is_authority = it.version() == Version::V3
            && constraints.as_ref().is_some_and(|it| it.ca)
            && key_usages.is_none_or(|(_, usages)| usages.key_cert_sign());
        Ok(Self {
            version: it.version(),
            validity: Validity {
                not_before: it.validity().not_before.to_unix_duration().as_secs(),
                not_after: it.validity().not_after.to_unix_duration().as_secs(),
            },
            is_authority,
            issuer: it.issuer().clone(),
            subject: it.subject().clone(),
            path_length: constraints.and_then(|it| it.path_len_constraint),
            purposes: purposes.map(|(_, purposes)| purposes.0),
        })
    }

    /// Returns whether the certificate names the other one as the one that signs it.
    pub(crate) fn names_as_issuer(&self, other: &Self) -> bool {
        self.issuer == other.subject
    }

    /// RFC 5280 §4.2.1.9.
    pub(crate) fn allows_authorities(&self, count: usize) -> bool {
        self.path_length.is_none_or(|length| count <= length.into())
    }

    /// RFC 5280 §4.2.1.12.
    pub(crate) fn allows(&self, purpose: Purpose) -> bool {
        let wanted = [purpose.id(), ANY_EXTENDED_KEY_USAGE];
        self.purposes.as_ref().is_none_or(|purposes| purposes.iter().any(|it| wanted.contains(it)))
    }
}

impl Purpose {
    pub(crate) const fn key_usage(self) -> KeyUsage {
        match self {
            Self::Server => KeyUsage::server_auth(),
            Self::Client => KeyUsage::client_auth(),
        }
    }

    const fn id(self) -> ObjectIdentifier {
        match self {
            Self::Server => ID_KP_SERVER_AUTH,
            Self::Client => ID_KP_CLIENT_AUTH,
        }
    }
}
