//! Checks the chain from a peer's certificate to a trust anchor (RFC 5280 §6.1).

use std::cell::Cell;
use std::mem::discriminant;

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage, VerifiedPath};

use crate::net::tls::error_conversion::certificate_error;
use crate::net::tls::verify::certificate_fields::{CertificateFields, ParsedCertificate, Purpose};
use crate::net::tls::verify::trust_anchors::TrustAnchors;
use crate::net::tls::verify::validity::Validity;
use crate::net::tls::verify::weak_key;
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

/// A search for the path to a trust anchor, at one time after another.
struct Search<'a> {
    chain: &'a Chain<'a>,
    end_entity: EndEntityCert<'a>,
    own: ParsedCertificate,
    usage: LimitedUsage,
}

/// The usage of a peer's certificate, and how many certificates may still be tried.
struct LimitedUsage {
    usage: KeyUsage,
    tries: Cell<usize>,
}

impl Chain<'_> {
    /// Checks each rule, as far as that is possible.
    pub(crate) fn check(&self, now: UnixTime) -> Findings {
        let own = ParsedCertificate::new(self.end_entity.as_ref());
        let end_entity = match EndEntityCert::try_from(self.end_entity) {
            Ok(end_entity) => end_entity,
            Err(error) => {
                return Findings::of(vec![certificate_error(&error, &own.certificate)], true);
            }
        };
        let is_weak = weak_key::is_weak(&end_entity.subject_public_key_info());
        let tries = Cell::new(MAX_TRIES);
        let usage = LimitedUsage { usage: self.purpose.key_usage(), tries };
        let search = Search { chain: self, end_entity, own, usage };
        let mut findings = search.check(now);
        // An error of the path that is ignored must not hide one of the certificate itself.
        if let Some(error) = search.own_error() {
            let is_same = |other| discriminant(other) == discriminant(&error);
            if !findings.errors.iter().any(is_same) {
                findings.errors.push(error);
            }
        }
        if is_weak {
            findings.errors.insert(0, TlsError::WeakKey(search.own.certificate));
        }
        findings
    }
}

impl Search<'_> {
    fn check(&self, now: UnixTime) -> Findings {
        match self.path(self.chain.intermediates, now) {
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

    /// Returns the error of a certificate that its peer may not use.
    fn own_error(&self) -> Option<TlsError> {
        match &self.own.fields {
            None => Some(self.tls_error(&webpki::Error::BadDer)),
            Some(fields) if fields.is_for_peer(self.chain.purpose) => None,
            Some(_) => Some(TlsError::InvalidPurpose(self.own.certificate.clone())),
        }
    }

    /// Finds the certificates that are expired or not valid yet.
    ///
    /// The other rules are checked as of a time at which all certificates are valid: webpki stops
    /// at the first that is not, and does not report which it was.
    fn check_at_other_times(&self, now: UnixTime, error: &webpki::Error) -> Findings {
        let candidates = self.candidates();
        // Of two certificates for the same name and key, that which is valid now comes first.
        let is_late = |it: &CertificateDer<'_>| ParsedCertificate::new(it).is_outside(now);
        let mut intermediates = self.chain.intermediates.to_vec();
        intermediates.sort_by_cached_key(is_late);
        let mut path = None;
        let mut other_error = None;
        for time in times(&candidates, now) {
            match self.path(&intermediates, time) {
                Ok(found) => {
                    path = Some(found);
                    break;
                }
                Err(error) if is_outside_validity(&error) => {}
                Err(error) => {
                    let is_given_up = is_given_up(&error);
                    other_error.get_or_insert(error);
                    if is_given_up {
                        break;
                    }
                }
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
    fn path(
        &self,
        intermediates: &[CertificateDer<'_>],
        time: UnixTime,
    ) -> Result<Vec<ParsedCertificate>, webpki::Error> {
        let Chain { trust, algorithms, .. } = self.chain;
        if trust.is_configured(&self.own.certificate) {
            self.check_configured(time)?;
            return Ok(vec![self.own.clone()]);
        }
        let path = self.end_entity.verify_for_usage(
            algorithms.all,
            &trust.roots.roots,
            intermediates,
            time,
            &self.usage,
            None,
            Some(&|path| self.authorities(path, time).map(drop)),
        )?;
        let authorities = self.authorities(&path, time)?;
        Ok([self.own.clone()].into_iter().chain(authorities).collect())
    }

    /// Returns the authorities of a path.
    ///
    /// That at its end is among them unless it is one of the system.
    fn authorities(
        &self,
        path: &VerifiedPath<'_>,
        time: UnixTime,
    ) -> Result<Vec<ParsedCertificate>, webpki::Error> {
        let mut authorities = Vec::new();
        for intermediate in path.intermediate_certificates() {
            let parsed = ParsedCertificate::new(intermediate.der().as_ref());
            // RFC 5280 §6.1.4 (n): webpki does not read the key usage.
            match parsed.fields.as_ref().map(CertificateFields::is_authority) {
                Some(true) => authorities.push(parsed),
                Some(false) => return Err(webpki::Error::EndEntityUsedAsCa),
                None => return Err(webpki::Error::BadDer),
            }
        }
        authorities.extend(self.chain.trust.authority(path, self.chain.purpose, time)?);
        Ok(authorities)
    }

    /// Checks a certificate that is a trust anchor itself, whatever its issuer.
    ///
    /// It may be that of an authority, such as `openssl req -x509` makes.
    fn check_configured(&self, time: UnixTime) -> Result<(), webpki::Error> {
        let check = self.end_entity.verify_for_usage(&[], &[], &[], time, &self.usage, None, None);
        match check.map(drop) {
            Err(webpki::Error::UnknownIssuer | webpki::Error::CaUsedAsEndEntity) => Ok(()),
            other => other,
        }
    }

    /// Returns the certificates that may be part of the chain, by subject and issuer.
    fn candidates(&self) -> Vec<ParsedCertificate> {
        let Chain { intermediates, trust, .. } = self.chain;
        let sent = intermediates.iter().map(|it| ParsedCertificate::new(it.as_ref()));
        let mut others: Vec<_> = sent.chain(trust.configured_authorities()).collect();
        let mut candidates = vec![self.own.clone()];
        let mut index = 0;
        while let Some(certificate) = candidates.get(index).cloned() {
            let room = LONGEST_CHAIN.saturating_sub(candidates.len());
            let issuers = others.extract_if(.., |it| certificate.is_issued_by(it)).take(room);
            candidates.extend(issuers);
            index += 1;
        }
        candidates
    }

    fn tls_error(&self, error: &webpki::Error) -> TlsError {
        certificate_error(error, &self.own.certificate)
    }
}

/// Counts the certificates that are tried as a part of the path.
impl ExtendedKeyUsageValidator for LimitedUsage {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let rest = self.tries.get().checked_sub(1);
        self.tries.set(rest.ok_or(webpki::Error::MaximumPathBuildCallsExceeded)?);
        self.usage.validate(purposes)
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

/// Returns whether webpki has stopped a search that takes too long.
const fn is_given_up(error: &webpki::Error) -> bool {
    matches!(
        error,
        webpki::Error::MaximumPathBuildCallsExceeded
            | webpki::Error::MaximumSignatureChecksExceeded
            | webpki::Error::MaximumNameConstraintComparisonsExceeded
    )
}

/// The maximum number of certificates that are tried, at all times together.
///
/// webpki would try 200,000, for a tenth of a second, at each time: those of a peer can all have one
/// name, and sign each other.
const MAX_TRIES: usize = 256;
/// webpki allows at most six authorities between a peer and a trust anchor.
const LONGEST_CHAIN: usize = 8;
