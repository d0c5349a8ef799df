//! Checks the chain from a peer's certificate to a trust anchor (RFC 5280 §6.1).

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::EndEntityCert;

use crate::net::tls::error_conversion::certificate_error;
use crate::net::tls::verify::certificate_fields::{ParsedCertificate, Purpose};
use crate::net::tls::verify::trust_anchors::TrustAnchors;
use crate::net::tls::verify::validity::Validity;
use crate::types::tls::TlsError;

/// The certificates of a peer, and the trust anchors for them.
pub(crate) struct Chain<'a> {
    pub(crate) trust: &'a TrustAnchors,
    pub(crate) algorithms: WebPkiSupportedAlgorithms,
    pub(crate) purpose: Purpose,
    pub(crate) end_entity: &'a CertificateDer<'a>,
    pub(crate) intermediates: &'a [CertificateDer<'a>],
}

/// The result of a check.
pub(crate) struct Findings {
    pub(crate) errors: Vec<TlsError>,
    /// Whether each rule was checked that is not among the errors.
    pub(crate) is_complete: bool,
    /// The time in which all certificates of the chain are valid.
    pub(crate) validity: Validity,
}

impl Chain<'_> {
    /// Checks each rule, as far as that is possible.
    pub(crate) fn check(&self, now: UnixTime) -> Findings {
        match self.path(now) {
            Ok(path) => Findings {
                errors: Vec::new(),
                is_complete: true,
                validity: path
                    .iter()
                    .map(ParsedCertificate::validity)
                    .fold(Validity::ALWAYS, Validity::and),
            },
            Err(error) if is_outside_validity(&error) => self.check_at_other_times(now, &error),
            Err(error) => Findings::of(vec![self.tls_error(&error)], true),
        }
    }

    /// Finds the certificates that are expired or not valid yet.
    ///
    /// The other rules are checked as of a time at which all certificates are valid: webpki stops
    /// at the first that is not, and does not report which it was.
    fn check_at_other_times(&self, now: UnixTime, error: &webpki::Error) -> Findings {
        let candidates = self.candidates();
        let mut path = None;
        let mut other_error = None;
        for time in times(&candidates, now) {
            match self.path(time) {
                Ok(found) => {
                    path = Some(found);
                    break;
                }
                Err(error) if is_outside_validity(&error) => {}
                Err(error) => drop(other_error.get_or_insert(error)),
            }
        }
        let is_complete = path.is_some() || other_error.is_some();
        let other_error = other_error.filter(|_| path.is_none());
        let mut errors: Vec<_> =
            path.unwrap_or(candidates).iter().filter_map(|it| it.validity_error(now)).collect();
        if errors.is_empty() {
            errors.push(self.tls_error(error));
        }
        errors.extend(other_error.map(|error| self.tls_error(&error)));
        Findings::of(errors, is_complete)
    }

    /// Returns the certificates from the peer's to a trust anchor.
    ///
    /// They are valid at this time.
    fn path(&self, time: UnixTime) -> Result<Vec<ParsedCertificate>, webpki::Error> {
        let (own, end_entity) = (self.own(), EndEntityCert::try_from(self.end_entity)?);
        if self.trust.is_configured(&own.certificate) {
            self.check_configured(&end_entity, &own, time)?;
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
        let between = between.map(|it| ParsedCertificate::new(it.der().as_ref()));
        let authority = self.trust.authority(&path, self.purpose, time)?;
        Ok([own].into_iter().chain(between).chain(authority).collect())
    }

    /// Checks a certificate that is a trust anchor itself, whatever its issuer.
    ///
    /// It may be that of an authority, such as `openssl req -x509` makes.
    fn check_configured(
        &self,
        end_entity: &EndEntityCert<'_>,
        own: &ParsedCertificate,
        time: UnixTime,
    ) -> Result<(), webpki::Error> {
        let usage = self.purpose.key_usage();
        let check = end_entity.verify_for_usage(&[], &[], &[], time, usage, None, None);
        let is_for_purpose =
            || own.fields.as_ref().is_some_and(|fields| fields.allows_purpose(self.purpose));
        match check.map(drop) {
            Err(webpki::Error::UnknownIssuer) => Ok(()),
            Err(webpki::Error::CaUsedAsEndEntity) if is_for_purpose() => Ok(()),
            Err(webpki::Error::CaUsedAsEndEntity) => Err(self.purpose.error()),
            other => other,
        }
    }

    /// Returns the certificates that may be part of the chain, by subject and issuer.
    fn candidates(&self) -> Vec<ParsedCertificate> {
        let sent = self.intermediates.iter().map(|it| ParsedCertificate::new(it.as_ref()));
        let mut others: Vec<_> = sent.chain(self.trust.configured_authorities()).collect();
        let mut candidates = vec![self.own()];
        let mut index = 0;
        while let Some(certificate) = candidates.get(index).cloned() {
            let room = LONGEST_CHAIN.saturating_sub(candidates.len());
            let issuers = others.extract_if(.., |it| certificate.is_issued_by(it)).take(room);
            candidates.extend(issuers);
            index += 1;
        }
        candidates
    }

    fn own(&self) -> ParsedCertificate {
        ParsedCertificate::new(self.end_entity.as_ref())
    }

    fn tls_error(&self, error: &webpki::Error) -> TlsError {
        certificate_error(error, &self.own().certificate)
    }
}

impl Findings {
    pub(crate) const fn of(errors: Vec<TlsError>, is_complete: bool) -> Self {
        Self { errors, is_complete, validity: Validity::NEVER }
    }
}

/// Returns the times at which a certificate begins to be valid, the nearest first.
///
/// If all certificates are ever valid at the same time, they are at one of these.
fn times(certificates: &[ParsedCertificate], now: UnixTime) -> Vec<UnixTime> {
    let fields = certificates.iter().filter_map(|it| it.fields.as_ref());
    let mut times: Vec<_> = fields.map(|fields| fields.validity.begin()).collect();
    times.sort_by_key(|time| time.as_secs().abs_diff(now.as_secs()));
    times.dedup();
    times
}

const fn is_outside_validity(error: &webpki::Error) -> bool {
    matches!(error, webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. })
}

/// webpki allows at most six authorities between a peer and a trust anchor.
const LONGEST_CHAIN: usize = 8;
