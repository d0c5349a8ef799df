//! Paths from a certificate to a trust anchor: which of several, and in which order (RFC 4158).
//!
//! The cases are those of public suites: several issuers of one name, cross-signed ones, loops. Where
//! `openssl verify` decides otherwise, the case says so.

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa};
use rcgen::{KeyUsagePurpose, NameConstraints};
use slotwork::TlsError;

use support::certificates::{Authority, Pem, expired, not_yet_valid};
use support::verdicts::{BOTH, in_words, verdict_but};

type Change = fn(&mut CertificateParams);

/// What is trusted, what is shown behind the peer's own certificate, and the error.
struct Case<'a> {
    what: &'static str,
    trusted: Vec<&'a Authority>,
    own: &'a Authority,
    links: Vec<&'a Authority>,
    error: &'static str,
}

const HOSTS: [&str; 1] = ["127.0.0.1"];
const FORGED: &str = "the certificate is invalid: InvalidSignatureForPublicKey";
const UNTRUSTED: &str = "the issuer of the certificate is not trusted";

/// Checks each case at both ends.
fn check(cases: Vec<Case<'_>>) -> Result<()> {
    for Case { what, trusted, own, links, error } in cases {
        let trusted: Vec<_> = trusted.into_iter().map(Authority::certificate).collect();
        let shown = show(own, &links)?;
        for judge in BOTH {
            let found = judge.verdict(&trusted, &shown).context(what)?;
            assert_eq!(in_words(found.as_ref()), error, "{judge:?}: {what}");
        }
    }
    Ok(())
}

/// Signs a certificate, and shows these behind it.
fn show(signer: &Authority, links: &[&Authority]) -> Result<Pem> {
    let own = signer.sign(&HOSTS, |_| ())?;
    Ok(links.iter().fold(own, |shown, link| shown.with(link)))
}

/// Makes an authority of the same name with another key.
fn namesake(
    of: &Authority,
    signer: &Authority,
    change: impl FnOnce(&mut CertificateParams),
) -> Result<Authority> {
    signer.authority(|params| {
        params.distinguished_name = of.name();
        change(params);
    })
}

/// RFC 4158 §2.4: one of several paths is enough, whatever comes first.
#[test]
fn one_of_several_issuers_is_enough() -> Result<()> {
    let wrong: [(&str, Change); 8] = [
        ("expired", expired),
        ("not yet valid", not_yet_valid),
        ("not an authority", |params| params.is_ca = IsCa::ExplicitNoCa),
        ("without basic constraints", |params| params.is_ca = IsCa::NoCa),
        ("without keyCertSign", |params| params.key_usages = vec![KeyUsagePurpose::CrlSign]),
        ("of another purpose", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        }),
        ("of another network", |params| {
            let permitted_subtrees = vec![GeneralSubtree::DnsName("example".into())];
            let address =
                GeneralSubtree::IpAddress(rcgen::CidrSubnet::V4([127, 0, 0, 0], [255; 4]));
            let excluded_subtrees = Vec::new();
            params.name_constraints =
                Some(NameConstraints { permitted_subtrees, excluded_subtrees });
            params
                .name_constraints
                .iter_mut()
                .for_each(|it| it.permitted_subtrees.push(address.clone()));
        }),
        ("well", |_| ()),
    ];
    let root = Authority::new()?;
    let between = root.authority(|_| ())?;
    for (what, change) in wrong {
        let other = between.again(Some(&root), change)?;
        for links in [[&other, &between], [&between, &other]] {
            check(vec![Case {
                what,
                trusted: vec![&root],
                own: &between,
                links: links.into(),
                error: "",
            }])?;
        }
    }
    Ok(())
}

/// The same, where the path needs two authorities, and the wrong one is nearer to the trust anchor.
#[test]
fn a_path_goes_on_behind_a_dead_end() -> Result<()> {
    let (root, stranger) = (Authority::new()?, Authority::new()?);
    let upper = root.authority(|_| ())?;
    let lower = upper.authority(|_| ())?;
    let dead_end = upper.again(Some(&root), expired)?;
    let away = upper.again(Some(&stranger), |_| ())?;
    let short = upper.again(Some(&root), |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    })?;
    let itself = upper.again(None, |_| ())?;
    for other in [&dead_end, &away, &short, &itself] {
        for links in [[&lower, other, &upper], [&upper, other, &lower]] {
            let trusted = vec![&root];
            check(vec![Case {
                what: "two",
                trusted,
                own: &lower,
                links: links.into(),
                error: "",
            }])?;
        }
    }
    Ok(())
}

/// Names, keys and orders: RFC 8446 §4.4.2 lets all but the first come in any order.
#[test]
fn paths_are_found_by_names_and_keys() -> Result<()> {
    let (root, other) = (Authority::new()?, Authority::new()?);
    let between = root.authority(|_| ())?;
    let crossed = between.again(Some(&other), |_| ())?;
    let same_name = namesake(&between, &root, |_| ())?;
    let strange_name = namesake(&between, &other, |_| ())?;
    let lower = between.authority(|_| ())?;
    let same_root = other.again(Some(&other), |params| params.distinguished_name = root.name())?;
    let rolled = namesake(&root, &root, |_| ())?;
    let case = |what, trusted: &[&'static str], own, links: &[&'static str], error| {
        let of = |name: &&str| match *name {
            "root" => &root,
            "other" => &other,
            "between" => &between,
            "crossed" => &crossed,
            "same name" => &same_name,
            "strange name" => &strange_name,
            "lower" => &lower,
            "rolled" => &rolled,
            _ => &same_root,
        };
        let all = |names: &[&'static str]| names.iter().map(of).collect();
        Case { what, trusted: all(trusted), own: of(&own), links: all(links), error }
    };
    check(vec![
        case("directly", &["root"], "root", &[], ""),
        case("missing", &["root"], "between", &[], UNTRUSTED),
        case("shuffled", &["root"], "lower", &["other", "between", "root", "lower"], ""),
        case("gap", &["root"], "lower", &["lower", "root"], UNTRUSTED),
        case("gap at the bottom", &["root"], "lower", &["between"], UNTRUSTED),
        case(
            "with unrelated ones",
            &["root"],
            "between",
            &["other", "strange name", "between"],
            "",
        ),
        case("twice", &["root"], "between", &["between", "between"], ""),
        case("namesake first", &["root"], "between", &["same name", "between"], ""),
        case("namesake last", &["root"], "between", &["between", "same name"], ""),
        case("namesake alone", &["root"], "between", &["same name"], FORGED),
        case("crossed, one trusted", &["other"], "between", &["between", "crossed"], ""),
        case("crossed, the other", &["root"], "between", &["crossed", "between"], ""),
        case("crossed, no one", &["lower"], "between", &["crossed", "between"], UNTRUSTED),
        case("untrusted root shown", &["other"], "root", &["root"], UNTRUSTED),
        // `openssl verify` has `-partial_chain` for it.
        case("in the middle", &["between"], "lower", &["lower"], ""),
        case("in the middle, with more", &["between"], "lower", &["lower", "between", "root"], ""),
        case("root of the same name", &["same root"], "root", &[], FORGED),
        case("both roots of a name", &["same root", "root"], "root", &[], ""),
        case("self-issued", &["root"], "rolled", &["rolled"], ""),
    ])
}

/// RFC 4158 §5.2: authorities that sign each other lead nowhere, and to an end.
#[test]
fn loops_end() -> Result<()> {
    let (root, first) = (Authority::new()?, Authority::new()?);
    let second = first.authority(|_| ())?;
    let third = second.authority(|_| ())?;
    let closed = first.again(Some(&third), |_| ())?;
    let way_out = first.again(Some(&root), |_| ())?;
    let ring = [&third, &second, &closed];

    check(vec![
        Case {
            what: "ring",
            trusted: vec![&root],
            own: &third,
            links: ring.into(),
            error: UNTRUSTED,
        },
        Case {
            what: "ring with a way out",
            trusted: vec![&root],
            own: &third,
            links: [&ring[..], &[&way_out]].concat(),
            error: "",
        },
    ])
}

/// Six authorities between a peer and a trust anchor are the limit; openssl's is 100.
#[test]
fn long_chains_are_refused() -> Result<()> {
    let root = Authority::new()?;
    let mut between = vec![root.authority(|_| ())?];
    for length in 1..=8 {
        let links: Vec<_> = between.iter().collect();
        let own = links[length - 1];
        let error =
            if length > 6 { "the certificate is invalid: MaximumPathDepthExceeded" } else { "" };
        check(vec![Case { what: "length", trusted: vec![&root], own, links, error }])?;
        let next = between[length - 1].authority(|_| ())?;
        between.push(next);
    }
    Ok(())
}

/// RFC 4158 §2.4.2: the number of paths grows with the factorial of that of the certificates. Those
/// of one name that sign each other are given up soon, also where they are of different times.
#[test]
fn a_labyrinth_of_certificates_is_given_up() -> Result<()> {
    const GIVEN_UP: &str = "the certificate is invalid: MaximumPathBuildCallsExceeded";
    let (root, first) = (Authority::new()?, Authority::new()?);
    let own = first.sign(&HOSTS, |_| ())?;
    for (are_of_one_time, count, expected) in
        [(true, 16, GIVEN_UP), (false, 128, "the certificate has expired")]
    {
        let mut shown = Pem { certificate: own.certificate.clone(), key: own.key.clone() };
        for number in 0..count {
            let other = namesake(&first, &first, |params| {
                if !are_of_one_time {
                    params.not_before = rcgen::date_time_ymd(2000 + number / 8, 1, 1);
                    params.not_after = rcgen::date_time_ymd(2001 + number / 8, 1, 1);
                }
            })?;
            shown = shown.with(&other);
        }
        for judge in BOTH {
            let found = judge.verdict(&[root.certificate()], &shown)?;
            assert_eq!(in_words(found.as_ref()), expected, "{judge:?}");
        }
    }
    Ok(())
}

/// A trust anchor that has been renewed: both certificates have the same name and key.
#[test]
fn one_of_several_trust_anchors_is_enough() -> Result<()> {
    let changes: [(&str, Change); 4] = [
        ("expired", expired),
        ("path length", |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0))),
        ("purpose", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        }),
        ("not an authority", |params| params.is_ca = IsCa::ExplicitNoCa),
    ];
    for (what, change) in changes {
        let root = Authority::new()?;
        let old = root.again(None, change)?;
        let between = root.authority(|_| ())?;
        for trusted in [vec![&root, &old], vec![&old, &root]] {
            check(vec![Case { what, trusted, own: &between, links: vec![&between], error: "" }])?;
        }
        // An expired anchor in the middle, and a way to another one around it.
        let renewed = between.again(Some(&root), change)?;
        let links = vec![&between, &renewed];
        check(vec![Case {
            what,
            trusted: vec![&renewed, &root],
            own: &between,
            links,
            error: "",
        }])?;
    }
    Ok(())
}

/// What is ignored is the error of one path: another path without it is taken as before.
#[test]
fn an_expired_duplicate_is_not_held_against_an_expired_peer() -> Result<()> {
    let root = Authority::new()?;
    let between = root.authority(|_| ())?;
    let old = between.again(Some(&root), |params| {
        params.not_before = rcgen::date_time_ymd(1999, 1, 1);
        params.not_after = rcgen::date_time_ymd(2003, 1, 1);
    })?;
    let own = between.sign(&HOSTS, expired)?;
    let ignored = vec![TlsError::CertificateExpired(own.certificate()?)];
    for links in [[&between, &old], [&old, &between]] {
        let shown = Pem { certificate: own.certificate.clone(), key: own.key.clone() };
        let shown = links.iter().fold(shown, |shown, link| shown.with(link));
        let found = verdict_but(&[root.certificate()], &shown, ignored.clone())?;
        assert_eq!(in_words(found.as_ref()), "");
    }
    Ok(())
}
