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

/// Whether a package has this path of the sources below `/usr/share/doc/carom`.
fn is_packaged(path: &Path) -> bool {
    let script = fs::read_to_string(Path::new(ROOT).join("packaging/stage.sh")).unwrap().replace("\\\n", " ");
    let lines = script.lines().filter_map(|line| line.trim_start().strip_prefix("into \"$doc"));
    let mut staged =
        lines.flat_map(|line| line.split_whitespace().skip(1)).map(|word| word.trim_matches('"'));
    staged.any(|word| match word.split_once('*') {
        Some((folder, ending)) => path.starts_with(folder) && path.display().to_string().ends_with(ending),
        None => {
            let policies = ["sink", "bounce"].map(|name| word.replace("$policy", name));
            policies.iter().any(|word| path.starts_with(word) || Path::new(word).starts_with(path))
        }
    })
}

#[test]
fn what_packaged_documents_and_findings_name_is_packaged() {
    let mut broken = Vec::new();
    let packaged =
        ["README.md", "packaging/packaging.md", "policies/sink/README.md", "policies/bounce/README.md"];
    for document in packaged.iter().map(|path| document(path)).chain(pages()) {
        // The package has it as changelog.gz.
        let targets = links(&document).into_iter().map(|(path, _)| path);
        let missing = targets.filter(|path| path != Path::new("CHANGELOG.md") && !is_packaged(path));
        broken.extend(missing.map(|path| format!("{}: {}", document.path, path.display())));
    }
    for source in crate::tidy::sources::files("src", "rs") {
        for rest in source.text.split("/usr/share/doc/carom/").skip(1) {
            let ends = |c: char| c.is_whitespace() || ")\",;".contains(c);
            let path = Path::new(rest.split(ends).next().unwrap_or_default());
            if !is_packaged(path) || !Path::new(ROOT).join(path).exists() {
                broken.push(format!("{}: {}", source.path, path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "no package has what these name: {broken:#?}");
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
