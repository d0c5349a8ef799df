//! Certificates of all kinds, made when a test runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PublicKeyData, SignatureAlgorithm,
    date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::{
    ServerConfig, SignatureAlgorithm as KeyKind, SignatureScheme, SupportedProtocolVersion,
};
use slotwork::{TlsCertificate, TlsConfig, TlsIdentity};

/// A certificate authority.
#[expect(missing_debug_implementations, reason = "its key has none")]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    name: DistinguishedName,
}

/// A certificate with its key, in PEM.
#[derive(Debug)]
pub struct Pem {
    /// The certificate, and perhaps the chain behind it.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

impl Authority {
    /// Makes a self-signed authority.
    pub fn new() -> Result<Self> {
        Self::special(|_| ())
    }

    /// Makes a self-signed authority; `change` adapts its certificate.
    pub fn special(change: impl FnOnce(&mut CertificateParams)) -> Result<Self> {
        let mut params = authority_params()?;
        change(&mut params);
        Self::of(params, KeyPair::generate()?, None)
    }

    /// Makes an authority with a second certificate, of version 1 (which `rcgen` cannot make).
    pub fn of_version_1() -> Result<(Self, TlsCertificate)> {
        let mut params = authority_params()?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Of version 1");
        let key = KeyPair::from_pem(KEY_OF_VERSION_1)?;
        let certificate = TlsCertificate::from_pem(OF_VERSION_1)?.remove(0);
        Ok((Self::of(params, key, None)?, certificate))
    }

    /// Makes an intermediate authority, signed by this one; `change` adapts its certificate.
    pub fn authority(&self, change: impl FnOnce(&mut CertificateParams)) -> Result<Self> {
        let mut params = authority_params()?;
        change(&mut params);
        Self::of(params, KeyPair::generate()?, Some(self))
    }

    /// Makes another certificate for the name and key of this authority, which `change` adapts. It
    /// is signed by another authority, or by itself.
    pub fn again(
        &self,
        signer: Option<&Self>,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Result<Self> {
        let mut params = authority_params()?;
        params.distinguished_name = self.name.clone();
        change(&mut params);
        Self::of(params, KeyPair::from_pem(&self.issuer.key().serialize_pem())?, signer)
    }

    fn of(params: CertificateParams, key: KeyPair, signer: Option<&Self>) -> Result<Self> {
        let name = params.distinguished_name.clone();
        let issuer = match signer {
            Some(signer) => CertifiedIssuer::signed_by(params, key, &signer.issuer)?,
            None => CertifiedIssuer::self_signed(params, key)?,
        };
        Ok(Self { issuer, name })
    }

    /// Returns the name of the authority.
    pub fn name(&self) -> DistinguishedName {
        self.name.clone()
    }

    /// Returns the certificate of the authority.
    pub fn certificate(&self) -> TlsCertificate {
        TlsCertificate::from_der(self.issuer.der().as_ref())
    }

    /// Returns the certificate of the authority in PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Returns the certificate of the authority and its key, for a server to show.
    pub fn itself(&self) -> Pem {
        Pem { certificate: self.pem(), key: self.issuer.key().serialize_pem() }
    }

    /// Signs a certificate for these hosts, which `change` adapts.
    pub fn sign(&self, hosts: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Result<Pem> {
        let key = KeyPair::generate()?;
        let mut params = params(hosts)?;
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Pem { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// Makes a configuration for a server of this machine.
    pub fn server_config(&self) -> Result<TlsConfig> {
        let pem = self.sign(&["localhost", "127.0.0.1", "::1"], |_| ())?;
        Ok(TlsConfig::new().add_identity(pem.identity()?))
    }

    /// Makes a configuration for a client that trusts this authority.
    pub fn client_config(&self) -> TlsConfig {
        TlsConfig::new().ca_certificates([self.certificate()])
    }

    /// Makes a certificate with a short key. Its signatures are not valid: a peer refuses the key
    /// before it checks one.
    pub fn weak_key(&self) -> Result<CertifiedKey> {
        let params = params(&["127.0.0.1"])?;
        let certificate = params.signed_by(&WeakKey::new(), &self.issuer)?;
        Ok(CertifiedKey::new(vec![certificate.der().clone()], Arc::new(Forger)))
    }
}

impl Pem {
    /// Makes a self-signed certificate for these hosts.
    pub fn self_signed(hosts: &[&str]) -> Result<Self> {
        Self::self_signed_with(hosts, |_| ())
    }

    /// The same with a certificate that `change` adapts.
    pub fn self_signed_with(
        hosts: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = params(hosts)?;
        change(&mut params);
        let certificate = params.self_signed(&key)?;
        Ok(Self { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// Returns it as the identity of a server or a client.
    pub fn identity(&self) -> Result<TlsIdentity> {
        Ok(TlsIdentity::from_pem(&self.certificate, &self.key)?)
    }

    /// Makes a configuration for a server with this certificate.
    pub fn config(&self) -> Result<TlsConfig> {
        Ok(TlsConfig::new().add_identity(self.identity()?))
    }

    /// Makes a configuration for a server that speaks one version of TLS.
    pub fn config_of(&self, version: &'static SupportedProtocolVersion) -> Result<TlsConfig> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(self.certified_key()?)));
        config.ticketer = rustls::crypto::ring::Ticketer::new()?;
        Ok(TlsConfig::from_server_config(config))
    }

    /// Appends the certificate of an authority to the chain.
    pub fn with(mut self, authority: &Authority) -> Self {
        self.certificate += &authority.pem();
        self
    }

    /// Returns it as rustls has it.
    pub fn certified_key(&self) -> Result<CertifiedKey> {
        let chain = CertificateDer::pem_slice_iter(self.certificate.as_bytes());
        let chain = chain.collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes())?;
        Ok(CertifiedKey::from_der(chain, key, &provider())?)
    }

    /// The same for certificates that rustls would not show.
    pub fn unchecked_key(&self) -> Result<CertifiedKey> {
        let chain = CertificateDer::pem_slice_iter(self.certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes())?;
        let key = provider().key_provider.load_private_key(key)?;
        Ok(CertifiedKey::new(chain.collect::<Result<_, _>>()?, key))
    }

    /// Returns the certificate without its chain.
    pub fn certificate(&self) -> Result<TlsCertificate> {
        Ok(TlsCertificate::from_pem(&self.certificate)?.remove(0))
    }
}

/// Makes a certificate expired.
pub fn expired(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(2002, 1, 1);
}

/// Makes a certificate not yet valid.
pub fn not_yet_valid(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(4001, 1, 1);
    params.not_after = date_time_ymd(4002, 1, 1);
}

/// Makes a certificate expire after `lifetime`.
pub fn expiring(params: &mut CertificateParams, lifetime: Duration) {
    let end = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    params.not_after = date_time_ymd(1970, 1, 1) + end + lifetime;
}

/// Makes a certificate one for client authentication only.
pub fn for_clients(params: &mut CertificateParams) {
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
}

/// Makes a certificate an authority as well, as `openssl req -x509` does.
pub fn as_authority(params: &mut CertificateParams) {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
}

/// Makes a configuration for a server that shows these certificates, whatever is in them.
pub fn config_showing(
    key: CertifiedKey,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<TlsConfig> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    Ok(TlsConfig::from_server_config(config))
}

/// Returns the cryptography of *ring*.
pub fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn authority_params() -> Result<CertificateParams> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mut params = CertificateParams::new(Vec::new())?;
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    params.distinguished_name.push(DnType::CommonName, format!("Authority {number}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    Ok(params)
}

fn params(hosts: &[&str]) -> Result<CertificateParams> {
    let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, "Test");
    Ok(params)
}

/// A public key of RSA with 1024 bits.
struct WeakKey(Vec<u8>);

impl WeakKey {
    fn new() -> Self {
        let number = [&[0x02, 0x81, 0x81, 0x00, 0xC1][..], &[0x5B; 127]].concat();
        Self([&[0x30, 0x81, 0x89][..], &number, &[2, 3, 1, 0, 1]].concat())
    }
}

impl PublicKeyData for WeakKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

/// A key with signatures that are not valid.
#[derive(Debug)]
struct Forger;

impl SigningKey for Forger {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let is_known = offered.contains(&SignatureScheme::RSA_PSS_SHA256);
        is_known.then(|| Box::new(Self) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> KeyKind {
        KeyKind::RSA
    }
}

impl Signer for Forger {
    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        Ok(vec![0x55; 128])
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::RSA_PSS_SHA256
    }
}

/// Valid from 2020 to 2119; for the key below.
const OF_VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----
MIIBGDCBvgIBATAKBggqhkjOPQQDAjAXMRUwEwYDVQQDDAxPZiB2ZXJzaW9uIDEw
IBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBcxFTATBgNVBAMMDE9m
IHZlcnNpb24gMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLEm/XgvNSzK784U
F4ROrKt7yu4x9E3Zm5r8mzJZSck85WhjMsK/Ab86AD9+EuADlc4gFlLHQh3RsjfP
3HVIyPYwCgYIKoZIzj0EAwIDSQAwRgIhALVJ0z5fFP5Hhqzc9YicdAGMu4olyKIJ
m19mj+3I85APAiEAzaGpFS8g2iFUn6yqpSnH+LthAzw8POL0/jmN8QvVV+c=
-----END CERTIFICATE-----
";

const KEY_OF_VERSION_1: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgCCTymd1aRKo8pB2i
gvhceblozjb6G3sgL3UOBNJ+7nehRANCAASxJv14LzUsyu/OFBeETqyre8ruMfRN
2Zua/JsyWUnJPOVoYzLCvwG/OgA/fhLgA5XOIBZSx0Id0bI3z9x1SMj2
-----END PRIVATE KEY-----
";
