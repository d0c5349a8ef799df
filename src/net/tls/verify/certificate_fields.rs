//! The fields and extensions of a certificate (RFC 5280 §4.1 and §4.2).
//!
//! webpki reads those of the peer and of the intermediates, but not their key usage, and nothing of a
//! trust anchor; and it does not report which certificate it has rejected.

use rustls::pki_types::UnixTime;
use webpki::{KeyUsage, RequiredEkuNotFoundContext};
use x509_cert::certificate::{CertificateInner, Raw, Version};
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::oid::db::rfc5280::{
    ANY_EXTENDED_KEY_USAGE, ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_BASIC_CONSTRAINTS,
    ID_CE_CERTIFICATE_POLICIES, ID_CE_CRL_DISTRIBUTION_POINTS, ID_CE_EXT_KEY_USAGE,
    ID_CE_INHIBIT_ANY_POLICY, ID_CE_ISSUER_ALT_NAME, ID_CE_KEY_USAGE, ID_CE_NAME_CONSTRAINTS,
    ID_CE_POLICY_CONSTRAINTS, ID_CE_POLICY_MAPPINGS, ID_CE_SUBJECT_ALT_NAME,
    ID_CE_SUBJECT_KEY_IDENTIFIER, ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH,
};
use x509_cert::der::{self, Decode};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage as KeyUsages};
use x509_cert::name::Name;

use crate::net::tls::verify::validity::Validity;
use crate::types::tls::{TlsCertificate, TlsError};

/// A certificate, with its fields if they can be read.
#[derive(Clone, Debug)]
pub(crate) struct ParsedCertificate {
    pub(crate) certificate: TlsCertificate,
    pub(crate) fields: Option<CertificateFields>,
}

/// The fields and extensions of a certificate that are checked here.
#[derive(Clone, Debug)]
pub(crate) struct CertificateFields {
    pub(crate) version: Version,
    pub(crate) validity: Validity,
    /// Whether it may sign other certificates.
    is_authority: bool,
    /// Whether an extension that must not be ignored is not known.
    pub(crate) has_unknown_critical_extension: bool,
    issuer: Name,
    subject: Name,
    /// The maximum number of authorities between it and a peer.
    path_length: Option<u8>,
    purposes: Option<Vec<ObjectIdentifier>>,
    /// Whether it may sign handshakes.
    is_for_signatures: bool,
}

/// The purpose of a peer's certificate.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Server,
    Client,
}

impl ParsedCertificate {
    pub(crate) fn new(der: &[u8]) -> Self {
        let certificate = TlsCertificate::from_der(der);
        Self { fields: CertificateFields::read(&certificate), certificate }
    }

    pub(crate) fn validity(&self) -> Validity {
        self.fields.as_ref().map_or(Validity::NEVER, |fields| fields.validity)
    }

    pub(crate) fn is_issued_by(&self, other: &Self) -> bool {
        match (&self.fields, &other.fields) {
            (Some(own), Some(other)) => own.is_issued_by(other),
            _ => false,
        }
    }

    /// Returns whether it is expired or not yet valid.
    pub(crate) fn is_outside(&self, time: UnixTime) -> bool {
        !self.validity().contains(time)
    }

    /// Returns the error of a certificate that is expired or not yet valid.
    pub(crate) fn validity_error(&self, time: UnixTime) -> Option<TlsError> {
        let Validity { not_before, not_after } = self.fields.as_ref()?.validity;
        let certificate = || self.certificate.clone();
        if time.as_secs() < not_before {
            Some(TlsError::CertificateNotYetValid(certificate()))
        } else if time.as_secs() > not_after {
            Some(TlsError::CertificateExpired(certificate()))
        } else {
            None
        }
    }
}

impl CertificateFields {
    /// Reads a certificate; `None` when it is malformed.
    pub(crate) fn read(certificate: &TlsCertificate) -> Option<Self> {
        Self::parse(certificate.as_der()).ok()
    }

    fn parse(der: &[u8]) -> der::Result<Self> {
        // RFC 5280 §4.1.2.2: serial numbers that are too long exist.
        let certificate = CertificateInner::<Raw>::from_der(der)?;
        let it = certificate.tbs_certificate();
        let constraints = it.get_extension::<BasicConstraints>()?.map(|(_, it)| it);
        let key_usages = it.get_extension::<KeyUsages>()?.map(|(_, usages)| usages);
        let purposes = it.get_extension::<ExtendedKeyUsage>()?;
        let extensions = it.extensions().map(Vec::as_slice).unwrap_or_default();
        let is_unknown = |id: &ObjectIdentifier| !KNOWN_EXTENSIONS.contains(id);
        // RFC 5280 §4.2.1.3 and §4.2.1.9; certificates of version 1 have no such extensions.
        let is_authority = it.version() == Version::V3
            && constraints.as_ref().is_some_and(|it| it.ca)
            && key_usages.is_none_or(|usages| usages.key_cert_sign());
        Ok(Self {
            version: it.version(),
            validity: Validity {
                not_before: it.validity().not_before.to_unix_duration().as_secs(),
                not_after: it.validity().not_after.to_unix_duration().as_secs(),
            },
            is_authority,
            has_unknown_critical_extension: extensions
                .iter()
                .any(|extension| extension.critical && is_unknown(&extension.extn_id)),
            issuer: it.issuer().clone(),
            subject: it.subject().clone(),
            path_length: constraints.and_then(|it| it.path_len_constraint),
            purposes: purposes.map(|(_, purposes)| purposes.0),
            is_for_signatures: key_usages.is_none_or(|usages| usages.digital_signature()),
        })
    }

    /// Returns whether the issuer of the certificate is the subject of the other one.
    fn is_issued_by(&self, other: &Self) -> bool {
        self.issuer == other.subject
    }

    /// Returns whether it may sign other certificates.
    pub(crate) const fn is_authority(&self) -> bool {
        self.is_authority
    }

    /// Returns whether this many authorities may follow (RFC 5280 §4.2.1.9).
    pub(crate) fn allows_intermediates(&self, count: usize) -> bool {
        self.path_length.is_none_or(|length| count <= length.into())
    }

    /// Returns whether a peer may have this certificate.
    ///
    /// RFC 8446 §4.4.2.2: its key signs the handshake. So it does in TLS 1.2, with the cipher suites
    /// of rustls.
    pub(crate) fn is_for_peer(&self, purpose: Purpose) -> bool {
        self.is_for_signatures && self.allows_purpose(purpose)
    }

    /// Returns whether the extended key usage allows this purpose (§4.2.1.12).
    pub(crate) fn allows_purpose(&self, purpose: Purpose) -> bool {
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

    /// Returns the error of a certificate that does not allow this purpose.
    pub(crate) const fn error(self) -> webpki::Error {
        webpki::Error::RequiredEkuNotFoundContext(RequiredEkuNotFoundContext {
            required: self.key_usage(),
            present: Vec::new(),
        })
    }

    const fn id(self) -> ObjectIdentifier {
        match self {
            Self::Server => ID_KP_SERVER_AUTH,
            Self::Client => ID_KP_CLIENT_AUTH,
        }
    }
}

/// The extensions of RFC 5280 §4.2.1.
///
/// Policies are among them: a trust anchor may set them (§6.1.1 (d)).
const KNOWN_EXTENSIONS: [ObjectIdentifier; 13] = [
    ID_CE_AUTHORITY_KEY_IDENTIFIER,
    ID_CE_BASIC_CONSTRAINTS,
    ID_CE_CERTIFICATE_POLICIES,
    ID_CE_CRL_DISTRIBUTION_POINTS,
    ID_CE_EXT_KEY_USAGE,
    ID_CE_INHIBIT_ANY_POLICY,
    ID_CE_ISSUER_ALT_NAME,
    ID_CE_KEY_USAGE,
    ID_CE_NAME_CONSTRAINTS,
    ID_CE_POLICY_CONSTRAINTS,
    ID_CE_POLICY_MAPPINGS,
    ID_CE_SUBJECT_ALT_NAME,
    ID_CE_SUBJECT_KEY_IDENTIFIER,
];
