//! Examples in the documentation: methods that the guides use have one, where a reader copies it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// A name that several types have needs one example, at the type that programs use.
#[test]
fn methods_that_the_guides_name_have_examples() -> Result<()> {
    let mut methods = BTreeMap::new();
    collect(&root().join("src"), &mut methods)?;
    ensure!(methods.len() > 150, "the sources are gone");

    for guide in ["README.md", "docs/porting.md"] {
        let text = fs::read_to_string(root().join(guide))?;
        let without = calls(&text).filter(|name| methods.get(*name) == Some(&false));
        let without: Vec<_> = without.filter(|name| !OF_OTHERS.contains(name)).collect();
        ensure!(without.is_empty(), "{guide} names methods without `# Examples`: {without:?}");
    }
    Ok(())
}

/// Notes of each public method whether one of its name has an example.
fn collect(folder: &Path, methods: &mut BTreeMap<String, bool>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, methods)?;
            continue;
        }
        let mut has_example = false;
        for line in fs::read_to_string(path)?.lines().map(str::trim) {
            let method = ["pub fn ", "pub async fn ", "pub const fn "]
                .iter()
                .find_map(|start| line.strip_prefix(start)?.split(['(', '<']).next());
            if let Some(method) = method {
                *methods.entry(method.to_owned()).or_default() |= has_example;
            }
            has_example |= line == "/// # Examples";
            has_example &= !line.is_empty() && method.is_none();
        }
    }
    Ok(())
}

/// The names behind `.` or `::` and before `(`.
fn calls(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('(').filter_map(|(end, _)| {
        let is_of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let before = &text[..end];
        let name = &before[before.trim_end_matches(is_of_name).len()..];
        before.strip_suffix(name)?.ends_with(['.', ':']).then_some(name)
    })
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Methods of Qt and std that have the name of one of ours.
const OF_OTHERS: [&str; 4] = ["as_bytes", "name", "number", "url"];
