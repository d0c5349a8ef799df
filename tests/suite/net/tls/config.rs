//! TLS configurations: errors in certificates and keys, reported before the first connection.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rustls::ServerConfig;
use rustls::sign::SingleCertAndKey;
use slotwork::signals::SignalSpy;
use slotwork::{
    Error, HostAddress, PeerVerifyMode, SslMode, TlsCertificate, TlsConfig, TlsIdentity,
    TlsProtocol, WebSocket, WebSocketServer,
};

use support::certificates::{Authority, Pem, provider};
use support::raw_server::RawServer;
use support::tls_peer::client_config;

/// Qt: `QSslKey` and `QSslCertificate`, which are null then.
#[test]
fn errors_name_the_file_and_what_is_wrong_with_it() -> Result<()> {
    let (pem, other) = (Pem::self_signed(&["localhost"])?, Pem::self_signed(&["localhost"])?);
    let folder = std::env::temp_dir().join(format!("slotwork-{}-tls", std::process::id()));
    fs::create_dir_all(&folder)?;
    let file = |name: &str, text: &str| -> Result<String> {
        let path = folder.join(name);
        fs::write(&path, text)?;
        Ok(path.display().to_string())
    };
    let good = file("good.cert", &pem.certificate)?;
    let key = file("good.key", &pem.key)?;
    let cut = file("cut.cert", &pem.certificate[..200])?;
    let nonsense =
        file("nonsense.cert", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")?;
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n\
                     -----END ENCRYPTED PRIVATE KEY-----\n";
    let encrypted = file("encrypted.key", encrypted)?;
    let traditional = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
                       DEK-Info: AES-128-CBC,150EEDB7FD73134F2A6E75541BB895D8\n\nAAAA\n\
                       -----END EC PRIVATE KEY-----\n";
    let traditional = file("traditional.key", traditional)?;
    let unusable = file("unusable.key", &to_pem("PRIVATE KEY", &[0x30, 0]))?;
    let old = file("old.cert", VERSION_1)?;
    let other = file("other.key", &other.key)?;
    let none = folder.join("none.key").display().to_string();
    let not_found = fs::read(&none).unwrap_err().to_string();

    for (certificate, private_key, name, reason) in [
        (&good, &none, &none, &*not_found),
        (&none, &key, &none, &not_found),
        (&key, &key, &key, "has no `BEGIN CERTIFICATE`"),
        (&cut, &key, &cut, "has no end"),
        (&nonsense, &key, &nonsense, "broken"),
        (&good, &good, &good, "has no `BEGIN PRIVATE KEY`"),
        (&good, &encrypted, &encrypted, "encrypted"),
        (&good, &traditional, &traditional, "encrypted"),
        (&good, &unusable, &unusable, "RSA with 2048 bits"),
        (&old, &key, &old, "not of version 3"),
        (&good, &other, &other, "not the key of"),
    ] {
        let error = TlsIdentity::from_pem_files(certificate, private_key).unwrap_err();
        let text = error.to_string();
        ensure!(text.starts_with("cannot use the "), "{text}");
        let has_name = text.contains(&format!("{name:?}"));
        ensure!(has_name && text.contains(reason), "{text}, not {reason}");
    }
    TlsIdentity::from_pem_files(&good, &key)?;
    assert_eq!(TlsCertificate::from_pem_file(&good)?, [pem.certificate()?]);
    assert_eq!(TlsCertificate::from_pem_file(&old)?.len(), 1);
    Ok(fs::remove_dir_all(folder)?)
}

/// PKCS#8 is what the other tests use; PKCS#1 and SEC1 are what `openssl` still writes.
#[test]
fn keys_of_all_formats_are_read() -> Result<()> {
    let pem = Pem::self_signed(&["localhost"])?;
    let both = format!("{}{}", pem.certificate, pem.key);
    TlsIdentity::from_pem(&both, &both)?;

    // SEC1 (RFC 5915) is what PKCS#8 (RFC 5208 §5) wraps.
    let wrapped = rustls_pem(&pem.key)?;
    let start = wrapped.windows(2).rposition(|bytes| bytes == [0x30, 0x6B]).unwrap_or(0);
    let sec1 = to_pem("EC PRIVATE KEY", wrapped.get(start..).unwrap_or_default());
    let identity = TlsIdentity::from_pem(&pem.certificate, sec1)?;

    assert_eq!(identity.certificates(), [pem.certificate()?]);
    Ok(())
}

fn rustls_pem(pem: &str) -> Result<Vec<u8>> {
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use rustls::pki_types::pem::PemObject;
    Ok(PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())?.secret_pkcs8_der().to_vec())
}

fn to_pem(label: &str, der: &[u8]) -> String {
    let text = data_encoding::BASE64.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

/// A server reports a configuration that it cannot use at once, not for its first client.
#[test]
fn a_server_refuses_what_it_cannot_use() -> Result<()> {
    let authority = Authority::new()?;
    let server = WebSocketServer::new("", SslMode::Secure);

    let without_authority = authority.server_config()?.peer_verify_mode(PeerVerifyMode::Required);
    let broken = authority.server_config()?.ca_certificates([TlsCertificate::from_der("x")]);
    for config in [TlsConfig::new(), without_authority, broken] {
        let error = server.set_tls_config(config).unwrap_err();
        ensure!(matches!(error, Error::InvalidTlsConfig { .. }), "{error}");
    }

    assert!(server.tls_config().is_none());
    assert!(server.listen(HostAddress::LocalHost, 0).is_err());
    server.set_tls_config(authority.server_config()?)?;
    assert!(server.tls_config().is_some());
    server.listen(HostAddress::LocalHost, 0)?;
    Ok(())
}

/// What is set besides a configuration of rustls would be taken for granted, and is not there.
#[test]
fn nothing_can_be_set_besides_a_configuration_of_rustls() -> Result<()> {
    let authority = Authority::new()?;
    let pem = authority.sign(&["localhost"], |_| ())?;
    let changes: [fn(TlsConfig, &Authority) -> TlsConfig; 3] = [
        |config, _| config.peer_verify_mode(PeerVerifyMode::Required),
        |config, authority| config.add_ca_certificates([authority.certificate()]),
        |config, _| config.minimum_protocol(TlsProtocol::V1_3),
    ];
    let ready = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(pem.certified_key()?)));
    let ready = TlsConfig::from_server_config(ready);
    let server = WebSocketServer::new("", SslMode::Secure);
    server.set_tls_config(ready.clone())?;
    let client = client_config(&authority.certificate(), rustls::ALL_VERSIONS)?;
    let client = TlsConfig::from_client_config(client);

    for change in changes {
        let error = server.set_tls_config(change(ready.clone(), &authority)).unwrap_err();
        ensure!(error.to_string().contains("used as it is"), "{error}");
        let socket = WebSocket::new();
        socket.set_tls_config(change(client.clone(), &authority));
        let ends = SignalSpy::new(&socket.disconnected());
        let plain = RawServer::listen()?;
        socket.open(plain.url().replace("ws:", "wss:"))?;
        ends.wait_for(1)?;
        let error = socket.error().context("no error")?;
        ensure!(matches!(error, Error::InvalidTlsConfig { .. }), "{error}");
    }
    Ok(())
}

/// A configuration that is logged shows how many certificates it has, and nothing of a key.
#[test]
fn keys_are_not_shown() -> Result<()> {
    let pem = Pem::self_signed(&["localhost"])?;
    let config = pem.config()?;

    let shown = format!("{config:?}");

    ensure!(shown.contains("[TlsIdentity { certificates: 1 }]"), "{shown}");
    ensure!(shown.contains("V1_2"), "{shown}");
    ensure!(format!("{:?}", TlsConfig::default()).contains("identities: []"));
    Ok(())
}

/// Qt: SRV-05.
#[test]
fn a_server_without_tls_ignores_its_configuration() -> Result<()> {
    let server = WebSocketServer::new("", SslMode::NonSecure);

    server.set_tls_config(TlsConfig::new())?;

    assert!(server.tls_config().is_none());
    Ok(())
}

/// The certificate of an old authority (RFC 5280 §4.1.2.1).
const VERSION_1: &str = "-----BEGIN CERTIFICATE-----\n\
MIIBGDCBvwIUarVpZqFuW9zyqAsDls1zqAGn4xkwCgYIKoZIzj0EAwIwDjEMMAoG\n\
A1UEAwwDT2xkMCAXDTI2MTEyMzA3NTY0NFoYDzIxMjYxMDMwMDc1NjQ0WjAOMQww\n\
CgYDVQQDDANPbGQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAS9J3RhAUulLwOu\n\
RZZVx216Tl2/eOnwN5dafuWGE3j7qqjyJWjn33rqxkQGMQll8sFpHf9TSmkzzy9O\n\
nJdRdkYsMAoGCCqGSM49BAMCA0gAMEUCIGue177Sl1dkLNVpa8jA1yQe0iItYpGT\n\
nyT6wPRIl2DAAiEAohGJHjdIFdN+zm4D2ZXBCMiabt2VBl8n2lDARiPJbmc=\n\
-----END CERTIFICATE-----\n";
