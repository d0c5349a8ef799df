//! Peers of a TLS server that do not speak TLS, or break its rules.

use anyhow::{Context, Result, ensure};
use slotwork::PeerVerifyMode;

use support::certificates::Authority;
use support::raw_peer::{RawPeer, request};
use support::recorder::Recorder;
use support::tls_peer::{OF_TLS_1_2, TlsPeer, check_good_tls_client, client_config, client_hello};
use support::{recorded_secure_server, serve, serve_tls};

/// Qt: SRV-35, where such clients are closed without a word.
#[test]
fn a_peer_without_tls_gets_an_alert() -> Result<()> {
    let not_tls = "the TLS handshake with PEER failed: the peer does not speak TLS: 1015";
    let too_old = "the TLS handshake with PEER failed: no common TLS version: 1015";
    let ssl_2 = [&[0x80, 46, 1, 0, 2, 0, 21, 0, 0, 0, 16][..], &[1; 37]].concat();
    let authority = Authority::new()?;
    for (what, bytes, error) in [
        ("plain HTTP", request().into_bytes(), not_tls),
        ("much plain HTTP", request().repeat(1000).into_bytes(), not_tls),
        ("garbage", vec![0xAA; 300], not_tls),
        ("SSL 2", ssl_2, not_tls),
        ("SSL 3", client_hello([3, 0], &[])?, too_old),
        ("TLS 1.0", client_hello([3, 1], &[])?, too_old),
        ("TLS 1.1", client_hello([3, 2], &[])?, too_old),
        ("TLS 1.1 of today", client_hello([3, 2], OF_TLS_1_2)?, too_old),
    ] {
        let (server, recorder) = recorded_secure_server(authority.server_config()?)?;
        let (port, trusted) = (server.server_port(), authority.certificate());
        let text = Recorder::default();
        let noted = text.clone();
        server.server_error().connect(move |_server, error| {
            let slotwork::Error::TlsHandshake { source, .. } = error else { return };
            noted.add(format!("the TLS handshake with PEER failed: {source}: 1015"));
        });

        let answer = serve(move || {
            let mut peer = RawPeer::connect(port)?;
            peer.send(bytes)?;
            let answer = peer.read_to_end()?;
            check_good_tls_client(port, &trusted)?;
            Ok(answer)
        })?;

        // RFC 8446 §6: an alert, of two bytes, fatal.
        ensure!(answer.first() == Some(&21), "{what}: {answer:?}");
        ensure!(answer.len() == 7 && answer.get(5) == Some(&2), "{what}: {answer:?}");
        text.check(&[error]).context(what)?;
        assert_eq!(recorder.lines().len(), 2, "{what}: {recorder:?}");
    }
    Ok(())
}

/// RFC 8446 §4.4.2.4.
#[test]
fn a_peer_without_certificate_where_one_is_required_is_refused() -> Result<()> {
    let authority = Authority::new()?;
    let config = authority.server_config()?.ca_certificates([authority.certificate()]);
    let (server, recorder) =
        recorded_secure_server(config.peer_verify_mode(PeerVerifyMode::Required))?;
    let errors = slotwork::signals::SignalSpy::new(&server.server_error());
    let (port, trusted) = (server.server_port(), authority.certificate());

    serve(move || {
        let mut peer = TlsPeer::begin_with(port, &trusted)?;
        ensure!(peer.shake_hands().is_err());
        Ok(())
    })?;

    errors.wait_for(1)?;
    let slotwork::Error::TlsHandshake { source, .. } = &errors.values()[0] else {
        anyhow::bail!("{:?}", errors.values());
    };
    assert_eq!(*source, slotwork::TlsError::NoPeerCertificate);
    assert_eq!(recorder.lines().len(), 1);
    Ok(())
}

/// RFC 7301 §3.2: a browser's `h2` and `http/1.1` end in HTTP/1.1; `h2` alone cannot be served.
#[test]
fn a_peer_that_speaks_only_http_2_gets_an_alert() -> Result<()> {
    let authority = Authority::new()?;
    for (offered, agreed) in [
        (&[][..], Ok(None)),
        (&["http/1.1"], Ok(Some("http/1.1"))),
        (&["h2", "http/1.1"], Ok(Some("http/1.1"))),
        (&["h2"], Err("NoApplicationProtocol")),
    ] {
        let (server, recorder) = recorded_secure_server(authority.server_config()?)?;
        let (port, trusted) = (server.server_port(), authority.certificate());

        serve(move || {
            let mut config = client_config(&trusted, rustls::ALL_VERSIONS)?;
            config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
            let mut peer = TlsPeer::begin(port, config)?;
            match (peer.finish_tls(), agreed) {
                (Ok(()), Ok(name)) => {
                    assert_eq!(peer.alpn(), name.map(str::as_bytes));
                    peer.shake_hands()?;
                    peer.close(1000, "").map(drop)
                }
                (Err(error), Err(alert)) => {
                    ensure!(format!("{error:?}").contains(alert), "{error:?}");
                    Ok(())
                }
                (result, _) => result,
            }
        })?;

        let is_served = recorder.lines() == ["new connection"];
        assert_eq!(is_served, agreed.is_ok(), "{offered:?}: {recorder:?}");
    }
    Ok(())
}

/// RFC 8446 §4.6.3: keys may be changed at any time, but not without end.
#[test]
fn a_peer_that_only_changes_keys_is_cut_off() -> Result<()> {
    serve_tls(|port, trusted| {
        let mut peer = TlsPeer::begin_with(port, trusted)?;
        peer.shake_hands()?;
        for _ in 0..100 {
            peer.change_keys()?;
            peer.check_echo("with new keys")?;
        }
        let is_cut_off = (0..1_000_000).any(|_| peer.change_keys().is_err());
        ensure!(is_cut_off, "it never ends");
        check_good_tls_client(port, trusted)
    })
}

/// A record that is not what it claims to be ends that connection alone, with an alert.
#[test]
fn a_forged_record_ends_the_connection() -> Result<()> {
    serve_tls(|port, trusted| {
        let mut peer = TlsPeer::begin_with(port, trusted)?;
        peer.shake_hands()?;
        peer.check_echo("well")?;
        std::io::Write::write_all(&mut peer.tcp(), &[&[23, 3, 3, 0, 40][..], &[9; 40]].concat())?;
        ensure!(peer.read_frame().is_err());
        check_good_tls_client(port, trusted)
    })
}
