//! Name constraints of authorities (RFC 5280 §4.2.1.10), of intermediates and of trust anchors.
//!
//! The cases are those of public suites. Where `openssl verify` decides otherwise, the case says so.

use std::net::IpAddr;

use anyhow::{Context, Result};
use rcgen::{
    CertificateParams, CidrSubnet, DistinguishedName, DnType, GeneralSubtree, NameConstraints,
    SanType,
};

use support::certificates::Authority;
use support::verdicts::{BOTH, in_words};

/// The names in the peer's certificate, beside the address 127.0.0.1.
type Names = &'static [&'static str];

struct Case {
    permitted: &'static [&'static str],
    excluded: &'static [&'static str],
    accepted: &'static [Names],
    rejected: &'static [Names],
}

/// Names are of DNS, unless they are addresses, with a mask in constraints, or begin with `mail:`,
/// `uri:` or `cn:`.
const CASES: [Case; 15] = [
    Case { permitted: &[], excluded: &[], accepted: &[&[], &["a.example"]], rejected: &[] },
    Case {
        permitted: &["b.example"],
        excluded: &[],
        accepted: &[
            &[],
            &["b.example"],
            &["B.Example"],
            &["a.b.example", "x.a.b.example"],
            &["*.b.example"],
        ],
        rejected: &[
            &["ab.example"],
            &["example"],
            &["b.example.org"],
            &["*.c.example"],
            &["b.example", "other.example"],
        ],
    },
    // A dot in front: names below alone.
    Case {
        permitted: &[".b.example"],
        excluded: &[],
        accepted: &[&["a.b.example"]],
        rejected: &[&["b.example"], &["ab.example"]],
    },
    Case {
        permitted: &["B.EXAMPLE", "other.example"],
        excluded: &[],
        accepted: &[&["a.b.example", "other.example"]],
        rejected: &[&["a.example"]],
    },
    Case {
        permitted: &[],
        excluded: &["b.example", "a.c.example"],
        accepted: &[&["ab.example"], &["example"], &["b.example.org"], &["x.c.example"]],
        // A wildcard may stand for an excluded name; `openssl verify` accepts the last one.
        rejected: &[
            &["b.example"],
            &["a.b.example"],
            &["x.example", "B.EXAMPLE"],
            &["*.b.example"],
            &["*.c.example"],
        ],
    },
    Case {
        permitted: &["example"],
        excluded: &["b.example"],
        accepted: &[&["a.example"]],
        rejected: &[&["b.example"], &["a.b.example"], &["a.other"]],
    },
    Case { permitted: &[], excluded: &[""], accepted: &[&[]], rejected: &[&["a.example"]] },
    Case {
        permitted: &["127.0.0.0/8"],
        excluded: &[],
        accepted: &[&[], &["127.255.255.255"], &["a.example"]],
        rejected: &[&["128.0.0.1"], &["::1"]],
    },
    Case {
        permitted: &["127.0.0.1/32", "fd00::/8"],
        excluded: &[],
        accepted: &[&["fd12::1"]],
        rejected: &[&["127.0.0.2"], &["fe80::1"]],
    },
    // No address of the other family is permitted.
    Case { permitted: &["fd00::/8"], excluded: &[], accepted: &[], rejected: &[&[]] },
    Case {
        permitted: &[],
        excluded: &["10.0.0.0/8", "::/0"],
        accepted: &[&["11.0.0.1"]],
        rejected: &[&["10.1.2.3"], &["::1"]],
    },
    Case { permitted: &[], excluded: &["127.0.0.0/24"], accepted: &[], rejected: &[&[]] },
    // Other kinds of names that are constrained are not compared, but rejected.
    Case {
        permitted: &["mail:example"],
        excluded: &[],
        accepted: &[&["a.example"], &["uri:https://a.example"]],
        rejected: &[&["mail:a@example"], &["mail:a@other"]],
    },
    // So are all subjects, once there is a constraint for them.
    Case { permitted: &["cn:Test"], excluded: &[], accepted: &[], rejected: &[&[]] },
    Case { permitted: &[], excluded: &["cn:Other"], accepted: &[], rejected: &[&[]] },
];

fn subtree(name: &str) -> Result<GeneralSubtree> {
    if let Some(name) = name.strip_prefix("mail:") {
        return Ok(GeneralSubtree::Rfc822Name(name.into()));
    }
    if let Some(name) = name.strip_prefix("cn:") {
        let mut subject = DistinguishedName::new();
        subject.push(DnType::CommonName, name);
        return Ok(GeneralSubtree::DirectoryName(subject));
    }
    match name.split_once('/') {
        Some((address, bits)) => {
            let subnet = CidrSubnet::from_addr_prefix(address.parse()?, bits.parse()?);
            Ok(GeneralSubtree::IpAddress(subnet))
        }
        None => Ok(GeneralSubtree::DnsName(name.into())),
    }
}

fn name(name: &str) -> Result<SanType> {
    Ok(match name.split_once(':') {
        Some(("mail", name)) => SanType::Rfc822Name(name.try_into()?),
        Some(("uri", name)) => SanType::URI(name.try_into()?),
        _ => match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.try_into()?),
        },
    })
}

fn constraints(case: &Case) -> Result<NameConstraints> {
    let subtrees = |names: &[&str]| names.iter().map(|name| subtree(name)).collect::<Result<_>>();
    Ok(NameConstraints {
        permitted_subtrees: subtrees(case.permitted)?,
        excluded_subtrees: subtrees(case.excluded)?,
    })
}

/// RFC 5280 §6.1.3 (b), (c) and §6.1.4 (g).
#[test]
fn names_outside_the_constraints_are_rejected() -> Result<()> {
    for case in CASES {
        let constraints = constraints(&case)?;
        let constrain = |params: &mut CertificateParams| {
            params.name_constraints = Some(constraints.clone());
        };
        let (root, constrained) = (Authority::new()?, Authority::special(constrain)?);
        let (own, below) = (root.authority(constrain)?, constrained.authority(|_| ())?);
        let upper = root.authority(constrain)?;
        let lower = upper.authority(|_| ())?;
        let accepted = case.accepted.iter().map(|names| (names, ""));
        let violation = "the certificate is invalid: NameConstraintViolation";
        let rejected = case.rejected.iter().map(|names| (names, violation));

        for (names, error) in accepted.chain(rejected) {
            let mut names = names.iter().map(|it| name(it)).collect::<Result<Vec<_>>>()?;
            names.push(name("127.0.0.1")?);
            // The authority that signs the peer, one above it, and both places of a trust anchor.
            let chains: [(&Authority, &Authority, &[&Authority]); 4] = [
                (&root, &own, &[&own]),
                (&root, &lower, &[&lower, &upper]),
                (&constrained, &constrained, &[]),
                (&constrained, &below, &[&below]),
            ];
            for (trusted, signer, links) in chains {
                let shown = signer.sign(&[], |params| params.subject_alt_names = names.clone())?;
                let shown = links.iter().fold(shown, |shown, link| shown.with(link));
                for judge in BOTH {
                    let found = judge.verdict(&[trusted.certificate()], &shown)?;
                    let what = || format!("{judge:?}: {:?} {names:?}", case.permitted);
                    assert_eq!(in_words(found.as_ref()), error, "{}", what());
                }
            }
        }
    }
    Ok(())
}

/// A mask with a gap is not one (RFC 4632 §3.1).
#[test]
fn a_malformed_constraint_permits_nothing() -> Result<()> {
    let subnet = CidrSubnet::V4([127, 0, 0, 0], [255, 0, 255, 0]);
    let root = Authority::special(|params| {
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::IpAddress(subnet)],
            excluded_subtrees: Vec::new(),
        });
    })?;
    let shown = root.sign(&["127.0.0.1"], |_| ())?;
    for judge in BOTH {
        let found = judge.verdict(&[root.certificate()], &shown).context("mask")?;
        let expected = "the certificate is invalid: InvalidNetworkMaskConstraint";
        assert_eq!(in_words(found.as_ref()), expected);
    }
    Ok(())
}
