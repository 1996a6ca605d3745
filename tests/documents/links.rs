//! Links between documents lead to files and headings that exist, and every page is reached.

use super::{Document, ROOT, document, pages, prose};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Documents outside `docs/`.
const OTHERS: [&str; 8] = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "packaging/packaging.md",
    "policies/README.md",
    "policies/sink/README.md",
    "policies/bounce/README.md",
    "examples/policies/README.md",
];

/// Where the links of a document lead, those to other hosts left out: a path from the root, and a
/// heading.
fn links(document: &Document) -> Vec<(PathBuf, String)> {
    let prose = prose(&document.text);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let local = targets.filter(|target| !target.contains("://") && !target.contains(' '));
    local.map(|target| resolve(&document.path, target)).collect()
}

fn resolve(from: &str, target: &str) -> (PathBuf, String) {
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    if file.is_empty() {
        return (from.into(), heading.to_owned());
    }
    let mut path = Path::new(from).parent().unwrap_or(Path::new("")).to_owned();
    for part in file.split('/') {
        match part {
            ".." => drop(path.pop()),
            "." => {}
            _ => path.push(part),
        }
    }
    (path, heading.to_owned())
}

/// The anchors of a document's headings, as the pages of GitHub have them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let prose = prose(text);
    for heading in prose.lines().filter(|line| line.starts_with('#')) {
        let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let anchor: String = text.chars().filter(kept).collect::<String>().replace(' ', "-");
        let again = (1..).map(|number| format!("{anchor}-{number}")).find(|one| !found.contains(one));
        found.insert(if found.contains(&anchor) { again.unwrap_or_default() } else { anchor });
    }
    found
}

#[test]
fn every_link_between_documents_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    for document in OTHERS.iter().map(|path| document(path)).chain(pages()) {
        for (path, heading) in links(&document) {
            let place = Path::new(ROOT).join(&path);
            let from = &document.path;
            if !place.exists() {
                broken.push(format!("{from}: {} does not exist", path.display()));
            } else if !heading.is_empty() && !anchors(&fs::read_to_string(&place).unwrap()).contains(&heading)
            {
                broken.push(format!("{from}: {} has no heading {heading}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_page_is_reached_from_the_index() {
    let index = document("docs/README.md");
    let reached: BTreeSet<String> =
        links(&index).into_iter().map(|(path, _)| path.display().to_string()).collect();
    let missing: Vec<String> =
        pages().into_iter().map(|page| page.path).filter(|path| *path != index.path).collect();
    let missing: Vec<&String> = missing.iter().filter(|path| !reached.contains(*path)).collect();
    assert!(missing.is_empty(), "docs/README.md does not lead to {missing:?}");
    let readme: Vec<PathBuf> = links(&document("README.md")).into_iter().map(|(path, _)| path).collect();
    assert!(readme.contains(&PathBuf::from("docs/README.md")), "README.md does not lead to docs/README.md");
}
