//! TLS: trust, chains, expired certificates, client certificates.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use serde_json::json;
use slotwork::{PeerVerifyMode, TlsConfig};

use support::certificates::{Authority, Pem, expired};
use support::raw_server::RawServer;
use support::secure_echo_server;

use crate::{end_of, probe, run};

/// Files of a test, which are removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Result<Self> {
        let path = std::env::temp_dir();
        let path = path.join(format!("slotwork-probe-{}-{name}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Writes a file, and returns its path.
    fn write(&self, name: &str, text: &str) -> Result<String> {
        let path = self.0.join(name);
        fs::write(&path, text)?;
        Ok(path.to_string_lossy().into_owned())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_trusted_chain_is_shown() -> Result<()> {
    let (root, folder) = (Authority::new()?, Folder::new("trusted")?);
    let between = root.authority(|_| ())?;
    let pem = between.sign(&["localhost", "127.0.0.1", "::1"], |_| ())?.with(&between);
    let server = secure_echo_server(pem.config()?)?;
    let ca = folder.write("ca.pem", &root.pem())?;

    let outcome = run(&["--ca", &ca, &server.server_url(), "a", "-n1"])?.ended_with(0)?;

    outcome.shows(&["TLS          TLS 1.3, TLS13_", "certificate  CN=Test", "< a"])?;
    outcome.shows(&["  issuer     CN=Authority ", "  names      localhost, 127.0.0.1, ::1"])?;
    outcome.shows(&["  validity   ", " days left"])?;
    ensure!(outcome.stdout.matches("certificate  ").count() == 2, "{outcome:?}");
    Ok(())
}

/// The chain of a server that is not trusted is shown all the same.
#[test]
fn an_unknown_authority_ends_the_run_unless_it_is_insecure() -> Result<()> {
    let authority = Authority::new()?;
    let server = secure_echo_server(authority.server_config()?)?;
    let url = server.server_url();

    let refused = run(&[&url, "a", "-n1"])?.ended_with(4)?;
    let insecure = run(&["-k", &url, "a", "-n1"])?.ended_with(0)?;
    let found = run(&["-k", "-j", &url])?.ended_with(0)?.json()?;

    refused.shows(&["failed ", "the issuer of the certificate is not trusted", "CN=Authority "])?;
    ensure!(refused.stderr.contains("TLS handshake"), "{refused:?}");
    ensure!(!refused.stdout.contains("> a"), "{refused:?}");
    insecure.shows(&["connected ", "< a"])?;
    let warning =
        "warning: the issuer of the certificate is not trusted, which --insecure ignores\n";
    ensure!(insecure.stderr == warning, "{insecure:?}");
    let errors = json!(["the issuer of the certificate is not trusted"]);
    ensure!(found["tls"]["errors"] == errors, "{found}");
    ensure!(found["tls"]["certificates"][0]["names"][0] == "localhost", "{found}");
    Ok(())
}

#[test]
fn an_expired_certificate_is_named() -> Result<()> {
    let (authority, folder) = (Authority::new()?, Folder::new("expired")?);
    let server = secure_echo_server(authority.sign(&["127.0.0.1"], expired)?.config()?)?;
    let (url, ca) = (server.server_url(), folder.write("ca.pem", &authority.pem())?);

    let refused = run(&["--ca", &ca, &url])?.ended_with(4)?;
    let insecure = run(&["--ca", &ca, "-k", &url, "a", "-n1"])?.ended_with(0)?;

    refused.shows(&["the certificate has expired", "2002-01-01", "days ago"])?;
    insecure.shows(&["expired ", "< a"])?;
    ensure!(insecure.stderr.starts_with("warning: the certificate has expired"), "{insecure:?}");
    Ok(())
}

/// Each error of one certificate is ignored, with one warning for each.
#[test]
fn an_insecure_run_accepts_a_certificate_with_several_errors() -> Result<()> {
    let authority = Authority::new()?;
    let pem = authority.sign(&["another.example"], expired)?;
    let self_signed = Pem::self_signed(&["another.example"])?;

    for (pem, warnings) in [(pem, 3), (self_signed, 2)] {
        let server = secure_echo_server(pem.config()?)?;
        let outcome = run(&["-k", &server.server_url(), "a", "-n1"])?.ended_with(0)?;
        ensure!(outcome.stderr.matches("warning: ").count() == warnings, "{outcome:?}");
    }
    Ok(())
}

#[test]
fn a_server_that_wants_a_certificate_gets_one() -> Result<()> {
    let (authority, folder) = (Authority::new()?, Folder::new("client")?);
    let config = authority.server_config()?.ca_certificates([authority.certificate()]);
    let config: TlsConfig = config.peer_verify_mode(PeerVerifyMode::Required);
    let server = secure_echo_server(config)?;
    let (url, ca) = (server.server_url(), folder.write("ca.pem", &authority.pem())?);
    let Pem { certificate, key } = authority.sign(&["client.example"], |_| ())?;
    let both = folder.write("both.pem", &format!("{certificate}{key}"))?;
    let certificate = folder.write("client.pem", &certificate)?;
    let key = folder.write("client.key", &key)?;

    run(&["--ca", &ca, "--cert", &certificate, "--key", &key, &url])?.ended_with(0)?;
    run(&["--ca", &ca, "--cert", &both, &url])?.ended_with(0)?;
    let without = run(&["--ca", &ca, &url])?.ended_with(4)?;
    let broken = run(&["--ca", &ca, "--cert", &certificate, &url])?.ended_with(2)?;

    ensure!(without.stderr.contains("the peer ended the handshake"), "{without:?}");
    ensure!(broken.stderr.contains("cannot use the key file"), "{broken:?}");
    Ok(())
}

#[test]
fn a_server_without_tls_is_an_error_of_tls() -> Result<()> {
    let server = RawServer::listen()?;
    let command = probe(&[&format!("wss://127.0.0.1:{}", server.port)]);
    let peer = std::thread::spawn(move || server.accept()?.send("HTTP/1.1 400 Bad\r\n\r\n"));

    end_of(command)?.ended_with(4)?;

    peer.join().map_err(|_| anyhow::anyhow!("the server panicked"))?
}
