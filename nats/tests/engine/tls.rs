//! TLS, with certificates that are made for each test.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, ensure};
use slotwork_nats::{NatsBridge, NatsOptions};
use support::certificates::{Authority, Pem, for_clients};
use support::wait_until;

use crate::engine::{Engine, scratch_file};
use crate::node::{Node, link};
use crate::proxy::Proxy;

/// The files of an authority, and of certificates that it has signed.
struct Files {
    authority: PathBuf,
    server: Signed,
    client: Signed,
}

/// The files of a certificate and its key.
struct Signed {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn make() -> Result<Self> {
        let authority = Authority::new()?;
        Ok(Self {
            authority: pem_file(&authority.pem())?,
            server: Signed::write(&authority.sign(&["127.0.0.1"], |_| ())?)?,
            client: Signed::write(&authority.sign(&["node"], for_clients)?)?,
        })
    }

    /// Starts a server that requires a certificate of its clients.
    fn start_engine(&self) -> Result<Engine> {
        Engine::start_configured(&format!(
            r#"tls {{ cert_file: "{}", key_file: "{}", ca_file: "{}", verify: true }}"#,
            self.server.certificate.display(),
            self.server.key.display(),
            self.authority.display(),
        ))
    }
}

impl Signed {
    fn write(pem: &Pem) -> Result<Self> {
        Ok(Self { certificate: pem_file(&pem.certificate)?, key: pem_file(&pem.key)? })
    }
}

fn pem_file(content: &str) -> Result<PathBuf> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    scratch_file(&format!("{}.pem", NEXT.fetch_add(1, Ordering::Relaxed)), content)
}

#[test]
fn nodes_and_a_server_of_one_authority_are_connected() -> Result<()> {
    let files = Files::make()?;
    let engine = files.start_engine()?;
    let options = NatsOptions::new(engine.url().replace("nats:", "tls:"))
        .root_certificates(&files.authority)
        .client_certificate(&files.client.certificate, &files.client.key);
    let one = Node::connected(options.clone(), "chat")?;
    let other = Node::connected(options, "chat")?;
    other.join("rooms")?;
    link(&one, &other)?;

    one.publish("rooms", "hello")?;

    assert_eq!(other.take_texts(1)?, ["hello"]);
    Ok(())
}

/// Waits until a bridge has failed to connect to a server, and tries again.
fn fail(engine: &Engine, options: impl FnOnce(String) -> NatsOptions) -> Result<()> {
    let proxy = Proxy::start(engine.port())?;
    let bridge = NatsBridge::connect(options(proxy.url()))?;

    wait_until(|| proxy.accepted() > 1)?;

    ensure!(!bridge.is_connected());
    Ok(())
}

#[test]
fn a_server_of_an_unknown_authority_is_not_trusted() -> Result<()> {
    let (files, others) = (Files::make()?, Files::make()?);
    let engine = files.start_engine()?;
    let with_certificate = |url: String| {
        let options = NatsOptions::new(url.replace("nats:", "tls:"));
        options.client_certificate(&files.client.certificate, &files.client.key)
    };

    fail(&engine, with_certificate)?;
    fail(&engine, |url| with_certificate(url).root_certificates(&others.authority))
}

#[test]
fn a_node_without_a_certificate_is_not_connected() -> Result<()> {
    let files = Files::make()?;
    let engine = files.start_engine()?;

    fail(&engine, |url| NatsOptions::new(url).root_certificates(&files.authority))
}

#[test]
fn a_server_without_tls_is_not_used_where_tls_is_required() -> Result<()> {
    let engine = Engine::start()?;

    fail(&engine, |url| NatsOptions::new(url).require_tls())?;
    fail(&engine, |url| NatsOptions::new(url.replace("nats:", "tls:")))
}
