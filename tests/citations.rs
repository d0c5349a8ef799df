//! Ids and documents that are cited exist in the repository.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// Each id of a behaviour of Qt or of a promise has its row in one of the two documents.
#[test]
fn every_cited_id_is_defined() -> Result<()> {
    let defined = definitions()?;
    let texts = texts()?;

    let undefined: Vec<_> = texts
        .iter()
        .flat_map(|(path, text)| ids_in(text).map(move |id| (id, path)))
        .filter(|(id, _)| !defined.contains_key(*id))
        .collect();

    ensure!(undefined.is_empty(), "not defined in {DEFINING:?}: {undefined:#?}");
    for folder in ["docs", "signals", "src", "tests"] {
        let is_there = |(path, text): (&PathBuf, &String)| {
            path.starts_with(folder) && ids_in(text).next().is_some()
        };
        ensure!(texts.iter().any(is_there), "{folder} cites nothing");
    }
    Ok(())
}

#[test]
fn every_id_is_defined_once() -> Result<()> {
    let twice: Vec<_> = definitions()?.into_iter().filter(|(_, rows)| *rows > 1).collect();

    ensure!(twice.is_empty(), "{twice:?}");
    Ok(())
}

#[test]
fn every_cited_document_exists() -> Result<()> {
    let texts = texts()?;
    let exists = |name: &Path| texts.keys().any(|path| path.ends_with(name));

    let missing: Vec<_> = texts
        .iter()
        .flat_map(|(path, text)| documents_in(text).map(move |name| (name, path)))
        .filter(|(name, _)| !exists(name))
        .collect();

    ensure!(missing.is_empty(), "not in the repository: {missing:#?}");
    Ok(())
}

/// Names of standards, and parts of longer names, are not ids.
#[test]
fn an_id_is_capitals_a_hyphen_and_two_digits() {
    let id = ["SRV", "08"].join("-");
    let text = format!("Qt: {id}, ({id}–09) UTF-16 AES-128 SHA-1 x{id} {id}a {id}-1 a-01 {id}.");

    assert_eq!(ids_in(&text).collect::<Vec<_>>(), [&id; 3]);
}

/// Paths are resolved from their end, as they are relative to different folders.
#[test]
fn a_document_is_a_path_that_ends_with_its_extension() {
    let name = ["porting", "md"].join(".");
    let text =
        format!("[x](../docs/{name}#end), `{name}`. https://example.org/{name} *.md {name}x");

    let found: Vec<_> = documents_in(&text).collect();

    assert_eq!(found, [Path::new("docs").join(&name), PathBuf::from(name)]);
}

/// The ids of the first columns, and in how many rows each stands.
fn definitions() -> Result<BTreeMap<String, usize>> {
    let mut rows = BTreeMap::new();
    for document in DEFINING {
        let text = fs::read_to_string(root().join(document)).context(document)?;
        let before = rows.len();
        for row in text.lines().filter_map(|line| line.strip_prefix("| ")) {
            let column = row.split(" |").next().unwrap_or_default();
            if ids_in(column).next() == Some(column) {
                *rows.entry(column.to_owned()).or_default() += 1;
            }
        }
        ensure!(rows.len() > before, "{document} defines nothing");
    }
    Ok(rows)
}

fn ids_in(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !char.is_ascii_alphanumeric() && !"-_".contains(char)).filter(|word| {
        word.split_once('-').is_some_and(|(area, number)| {
            let is_area = area.len() > 1 && area.bytes().all(|byte| byte.is_ascii_uppercase());
            let is_number = number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit());
            is_area && is_number && !STANDARDS.contains(&area)
        })
    })
}

/// The documents that a text names, without `..` in front of them.
fn documents_in(text: &str) -> impl Iterator<Item = PathBuf> {
    text.split(|char: char| !char.is_ascii_alphanumeric() && !"-_./".contains(char))
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| !word.starts_with("//"))
        .map(|word| {
            let is_name = |part: &Component<'_>| matches!(part, Component::Normal(_));
            Path::new(word).components().filter(is_name).collect::<PathBuf>()
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
}

/// The texts that may cite something, by their paths in the repository.
fn texts() -> Result<BTreeMap<PathBuf, String>> {
    let mut texts = BTreeMap::new();
    for document in ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"] {
        texts.insert(document.into(), fs::read_to_string(root().join(document))?);
    }
    for folder in [
        "benches",
        "docs",
        "examples",
        "fuzz",
        "nats",
        "probe",
        "signals",
        "src",
        "tests",
        "webchannel",
    ] {
        collect(Path::new(folder), &mut texts)?;
    }
    Ok(texts)
}

fn collect(folder: &Path, texts: &mut BTreeMap<PathBuf, String>) -> Result<()> {
    let entries = fs::read_dir(root().join(folder));
    for entry in entries.with_context(|| folder.display().to_string())? {
        let path = folder.join(entry?.file_name());
        if root().join(&path).is_dir() {
            if !path.ends_with("target") && !path.ends_with("node_modules") {
                collect(&path, texts)?;
            }
        } else if path.extension().is_some_and(|it| CITING.iter().any(|citing| it == *citing)) {
            let text = fs::read_to_string(root().join(&path));
            texts.insert(path.clone(), text.with_context(|| path.display().to_string())?);
        }
    }
    Ok(())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The documents whose tables define ids.
const DEFINING: [&str; 2] = ["docs/qt-behaviours.md", "docs/promises.md"];

/// The extensions of files that cite.
const CITING: [&str; 6] = ["rs", "md", "toml", "py", "cpp", "html"];

/// What else is written like an id.
const STANDARDS: [&str; 1] = ["UTF"];
