//! The fields of a certificate that people look at (RFC 5280 §4.1).

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use slotwork::TlsCertificate;
use x509_cert::der::{self, Decode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// A certificate; without fields if it cannot be read.
#[derive(Serialize)]
pub(crate) struct Certificate {
    #[serde(flatten)]
    pub(crate) fields: Option<Fields>,
    /// The size of its DER encoding, in bytes.
    pub(crate) size: usize,
}

#[derive(Serialize)]
pub(crate) struct Fields {
    pub(crate) subject: String,
    pub(crate) issuer: String,
    /// The host names, addresses and other names (§4.2.1.6).
    pub(crate) names: Vec<String>,
    pub(crate) not_before: String,
    pub(crate) not_after: String,
    /// Whole days until `not_after`; negative for an expired certificate.
    pub(crate) days_left: i64,
}

impl Certificate {
    pub(crate) fn of(certificate: &TlsCertificate) -> Self {
        let der = certificate.as_der();
        Self { fields: Fields::read(der).ok(), size: der.len() }
    }
}

impl Fields {
    fn read(der: &[u8]) -> der::Result<Self> {
        let certificate = x509_cert::Certificate::from_der(der)?;
        let it = certificate.tbs_certificate();
        let validity = it.validity();
        let names = it.get_extension::<SubjectAltName>()?.map(|(_, names)| names.0);
        let seconds = validity.not_after.to_unix_duration().as_secs();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Ok(Self {
            subject: it.subject().to_string(),
            issuer: it.issuer().to_string(),
            names: names.unwrap_or_default().iter().map(shown).collect(),
            not_before: validity.not_before.to_date_time().to_string(),
            not_after: validity.not_after.to_date_time().to_string(),
            days_left: (seconds.cast_signed() - now.cast_signed()).div_euclid(SECONDS_OF_A_DAY),
        })
    }
}

fn shown(name: &GeneralName) -> String {
    match name {
        GeneralName::DnsName(name)
        | GeneralName::UniformResourceIdentifier(name)
        | GeneralName::Rfc822Name(name) => name.as_str().to_owned(),
        GeneralName::DirectoryName(name) => name.to_string(),
        GeneralName::IpAddress(bytes) => address(bytes.as_bytes())
            .map_or_else(|| "an invalid address".to_owned(), |address| address.to_string()),
        _ => "a name of another kind".to_owned(),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from);
    v4().or_else(v6)
}

const SECONDS_OF_A_DAY: i64 = 24 * 60 * 60;
