//! Checks the chain from the certificate of a peer to a trusted one (RFC 5280 §6.1).

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::EndEntityCert;

use crate::net::tls::error_conversion::diagnose_certificate;
use crate::net::tls::verify::certificate_fields::{Details, Purpose};
use crate::net::tls::verify::trust_anchors::{Trust, wrong_purpose};
use crate::net::tls::verify::validity::Validity;
use crate::types::tls_certificate::TlsCertificate;
use crate::types::tls_error::TlsError;

/// A certificate of a chain, with what it says of itself if that can be read.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) certificate: TlsCertificate,
    pub(crate) details: Option<Details>,
}

/// What a peer has shown, and whom to trust.
pub(crate) struct Chain<'a> {
    pub(crate) trust: &'a Trust,
    pub(crate) algorithms: WebPkiSupportedAlgorithms,
    pub(crate) purpose: Purpose,
    pub(crate) end_entity: &'a CertificateDer<'a>,
    pub(crate) intermediates: &'a [CertificateDer<'a>],
}

/// What is wrong with a chain.
pub(crate) struct Findings {
    pub(crate) errors: Vec<TlsError>,
    /// Whether all was looked at that is not among the errors.
    pub(crate) is_complete: bool,
    /// The time in which all certificates of the chain are valid.
    pub(crate) validity: Validity,
}

impl Link {
    fn new(der: &[u8]) -> Self {
        let certificate = TlsCertificate::from_der(der);
        Self { details: Details::of(&certificate), certificate }
    }

    fn validity(&self) -> Validity {
        self.details.as_ref().map_or(Validity::NEVER, |details| details.validity)
    }

    fn is_signed_by(&self, other: &Self) -> bool {
        match (&self.details, &other.details) {
            (Some(own), Some(other)) => own.names_as_issuer(other),
            _ => false,
        }
    }

    /// Returns what is wrong with it at this time.
    fn untimely(&self, time: UnixTime) -> Option<TlsError> {
        let Validity { not_before, not_after } = self.details.as_ref()?.validity;
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

impl Chain<'_> {
    /// Looks at all of it, as far as that is possible.
    pub(crate) fn check(&self, now: UnixTime) -> Findings {
        match self.path(now) {
            Ok(path) => Findings {
                errors: Vec::new(),
                is_complete: true,
                validity: path.iter().map(Link::validity).fold(Validity::ALWAYS, Validity::and),
            },
            Err(error) if is_untimely(&error) => self.check_at_other_times(now, &error),
            Err(error) => Findings::of(vec![self.diagnose(&error)], true),
        }
    }

    /// Finds the certificates that are out of their time, and looks at the rest as if it were a time
    /// at which all of them are valid: webpki stops at the first, and does not report which it was.
    fn check_at_other_times(&self, now: UnixTime, error: &webpki::Error) -> Findings {
        let links = self.links();
        let mut path = None;
        let mut other_error = None;
        for time in times(&links, now) {
            match self.path(time) {
                Ok(found) => {
                    path = Some(found);
                    break;
                }
                Err(error) if is_untimely(&error) => {}
                Err(error) => drop(other_error.get_or_insert(error)),
            }
        }
        let is_complete = path.is_some() || other_error.is_some();
        let other_error = other_error.filter(|_| path.is_none());
        let mut errors: Vec<_> =
            path.unwrap_or(links).iter().filter_map(|link| link.untimely(now)).collect();
        if errors.is_empty() {
            errors.push(self.diagnose(error));
        }
        errors.extend(other_error.map(|error| self.diagnose(&error)));
        Findings::of(errors, is_complete)
    }

    /// Returns the certificates from the peer's to a trusted one, if they are right at this time.
    fn path(&self, time: UnixTime) -> Result<Vec<Link>, webpki::Error> {
        let (own, end_entity) = (self.own(), EndEntityCert::try_from(self.end_entity)?);
        if self.trust.is_named(&own.certificate) {
            self.check_named(&end_entity, &own, time)?;
            return Ok(vec![own]);
        }
        let path = end_entity.verify_for_usage(
            self.algorithms.all,
            &self.trust.roots.roots,
            self.intermediates,
            time,
            self.purpose.key_usage(),
            None,
            Some(&|path| self.trust.authority(path, self.purpose, time).map(drop)),
        )?;
        let between = path.intermediate_certificates();
        let between = between.map(|it| Link::new(it.der().as_ref()));
        let authority = self.trust.authority(&path, self.purpose, time)?;
        Ok([own].into_iter().chain(between).chain(authority).collect())
    }

    /// Checks a certificate that is trusted by itself, whoever signs it, and also if it is that of an
    /// authority, such as `openssl req -x509` makes.
    fn check_named(
        &self,
        end_entity: &EndEntityCert<'_>,
        own: &Link,
        time: UnixTime,
    ) -> Result<(), webpki::Error> {
        let usage = self.purpose.key_usage();
        let check = end_entity.verify_for_usage(&[], &[], &[], time, usage, None, None);
        let is_for_purpose =
            || own.details.as_ref().is_some_and(|details| details.allows(self.purpose));
        match check.map(drop) {
            Err(webpki::Error::UnknownIssuer) => Ok(()),
            Err(webpki::Error::CaUsedAsEndEntity) if is_for_purpose() => Ok(()),
            Err(webpki::Error::CaUsedAsEndEntity) => Err(wrong_purpose(self.purpose)),
            other => other,
        }
    }

    /// Returns the certificates that may be part of the chain, going by their names.
    fn links(&self) -> Vec<Link> {
        let shown = self.intermediates.iter();
        let shown = shown.map(|it| Link::new(it.as_ref()));
        let mut candidates: Vec<_> = shown.chain(self.trust.named_authorities()).collect();
        let mut links = vec![self.own()];
        let mut index = 0;
        while let Some(link) = links.get(index).cloned() {
            let room = LONGEST_CHAIN.saturating_sub(links.len());
            let signing = candidates.extract_if(.., |it| link.is_signed_by(it)).take(room);
            links.extend(signing);
            index += 1;
        }
        links
    }

    fn own(&self) -> Link {
        Link::new(self.end_entity.as_ref())
    }

    fn diagnose(&self, error: &webpki::Error) -> TlsError {
        diagnose_certificate(error, &self.own().certificate)
    }
}

impl Findings {
    pub(crate) const fn of(errors: Vec<TlsError>, is_complete: bool) -> Self {
        Self { errors, is_complete, validity: Validity::NEVER }
    }
}

/// Returns the times at which all of the certificates may be valid, the nearest to now first: those at
/// which one of them begins to be valid.
fn times(links: &[Link], now: UnixTime) -> Vec<UnixTime> {
    let details = links.iter().filter_map(|link| link.details.as_ref());
    let mut times: Vec<_> = details.map(|details| details.validity.begin()).collect();
    times.sort_by_key(|time| time.as_secs().abs_diff(now.as_secs()));
    times.dedup();
    times
}

const fn is_untimely(error: &webpki::Error) -> bool {
    matches!(error, webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. })
}

/// webpki takes at most six authorities between a peer and a trusted one.
const LONGEST_CHAIN: usize = 8;
