//! Clients on a system without a trust store, as in the smallest of containers.
//!
//! A binary of its own, which starts itself anew: the environment names the place of the system's
//! certificates, and they are read once for the whole process.

#![cfg(all(unix, feature = "tls"))]

use std::env::{current_exe, temp_dir};
use std::fs;
use std::path::Path;
use std::process::{Command, id};

use anyhow::{Result, ensure};

use support::secure_client::check_that_the_named_are_trusted;

/// Qt: `QSslConfiguration::systemCaCertificates()`, which is empty then.
#[test]
fn without_certificates_of_the_system_no_server_is_trusted_and_the_log_says_so() -> Result<()> {
    let folder = temp_dir().join(format!("slotwork-{}-roots", id()));
    fs::create_dir_all(&folder)?;
    let broken = folder.join("broken.pem");
    fs::write(&broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")?;
    let empty = folder.join("empty");
    fs::create_dir_all(&empty)?;

    let results = [
        log_of("SSL_CERT_FILE", &folder.join("none.pem")),
        log_of("SSL_CERT_FILE", &broken),
        log_of("SSL_CERT_DIR", &empty),
    ];

    fs::remove_dir_all(folder)?;
    for log in results {
        let log = log?;
        ensure!(log.contains("the system trusts nobody"), "{log}");
    }
    Ok(())
}

/// Runs the test below in a process with its trust store at `place`, and returns its log.
fn log_of(variable: &str, place: &Path) -> Result<String> {
    let output = Command::new(current_exe()?)
        .args(["--exact", "--ignored", "--nocapture", "a_client_trusts_only_what_is_configured"])
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
