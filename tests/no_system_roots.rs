//! Clients on a system without a trust store, as in the smallest of containers, or with one of the
//! test's own.
//!
//! A binary of its own, which starts itself anew: the environment names the place of the system's
//! certificates, and they are read once for the whole process.

#![cfg(all(unix, feature = "tls"))]

use std::env::{self, current_exe, temp_dir};
use std::fs;
use std::path::Path;
use std::process::{Command, id};

use anyhow::{Result, ensure};

use slotwork::{TlsConfig, TlsError, WebSocket};

use support::certificates::{Authority, expired};
use support::secure_client::{check_open, check_that_the_named_are_trusted, open, refusal};
use support::secure_echo_server;

/// Qt: `QSslConfiguration::systemCaCertificates()`, which is empty then.
#[test]
fn without_certificates_of_the_system_no_server_is_trusted_and_the_log_says_so() -> Result<()> {
    let folder = temp_dir().join(format!("slotwork-{}-roots", id()));
    fs::create_dir_all(&folder)?;
    let broken = folder.join("broken.pem");
    fs::write(&broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")?;
    let empty = folder.join("empty");
    fs::create_dir_all(&empty)?;

    let test = "a_client_trusts_only_what_is_configured";
    let results = [
        log_of(test, "SSL_CERT_FILE", &folder.join("none.pem")),
        log_of(test, "SSL_CERT_FILE", &broken),
        log_of(test, "SSL_CERT_DIR", &empty),
    ];

    fs::remove_dir_all(folder)?;
    for log in results {
        let log = log?;
        ensure!(log.contains("the system trusts nobody"), "{log}");
    }
    Ok(())
}

/// Qt: `QSslConfiguration::addCaCertificate()`: what is added takes nothing away.
#[test]
fn what_is_added_does_not_limit_what_the_system_trusts() -> Result<()> {
    let place = temp_dir().join(format!("slotwork-{}-store.pem", id()));
    let result = log_of("a_client_adds_an_expired_certificate", "SSL_CERT_FILE", &place);
    let _ = fs::remove_file(place);
    result.map(drop)
}

/// Runs a test below in a process with its trust store at `place`, and returns its log.
fn log_of(test: &str, variable: &str, place: &Path) -> Result<String> {
    let output = Command::new(current_exe()?)
        .args(["--exact", "--ignored", "--nocapture", test])
        .env_remove("SSL_CERT_FILE")
        .env_remove("SSL_CERT_DIR")
        .env(variable, place)
        .env("RUST_LOG", "warn")
        .output()?;
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let ran = String::from_utf8_lossy(&output.stdout).contains("1 passed");
    ensure!(output.status.success() && ran, "{log}");
    Ok(log)
}

/// CLIENT-08: without system roots every certificate is refused, but for those that are named.
#[test]
#[ignore = "started by the other one, with an environment of its own"]
fn a_client_trusts_only_what_is_configured() -> Result<()> {
    env_logger::init();
    check_that_the_named_are_trusted()
}

/// RFC 5280 §6.1.1 (d): the system trusts a name and a key, whatever an old certificate for them says.
#[test]
#[ignore = "started by the other one, with an environment of its own"]
fn a_client_adds_an_expired_certificate() -> Result<()> {
    let authority = Authority::new()?;
    let old = authority.again(None, expired)?;
    fs::write(env::var("SSL_CERT_FILE")?, authority.pem())?;
    let server = secure_echo_server(authority.server_config()?)?;

    for config in [TlsConfig::new(), TlsConfig::new().add_ca_certificates([old.certificate()])] {
        let socket = WebSocket::new();
        socket.set_tls_config(config);
        open(&socket, &server, "127.0.0.1")?;
        check_open(&socket)?;
    }

    let socket = WebSocket::new();
    socket.set_tls_config(TlsConfig::new().ca_certificates([old.certificate()]));
    open(&socket, &server, "127.0.0.1")?;
    assert_eq!(refusal(&socket)?, TlsError::CertificateExpired(old.certificate()));
    Ok(())
}
