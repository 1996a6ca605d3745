//! A project to start a policy from: sources, the WIT package, fixtures, and for Rust the SDK.
//!
//! Not here: building it (`build`). Invariant: the files are byte for byte those in
//! `examples/policies`, which are built and tested; no file is overwritten.

use crate::error::{Context, Error, Result};
use crate::files::owner;
use crate::files::publish::make_output_directory;
use crate::policy::wit;
use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A language that policies are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// Rust, with the crate carom-policy.
    Rust,
    /// C, with bindings made by wit-bindgen.
    C,
    /// JavaScript, with componentize-js.
    JavaScript,
    /// Python, with componentize-py.
    Python,
}

impl Language {
    pub(crate) const ALL: [Language; 4] =
        [Language::Rust, Language::C, Language::JavaScript, Language::Python];

    /// The name that people type.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::C => "c",
            Language::JavaScript => "javascript",
            Language::Python => "python",
        }
    }

    /// The files of its project.
    fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Language::Rust => RUST,
            Language::C => C,
            Language::JavaScript => JAVASCRIPT,
            Language::Python => PYTHON,
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Language {
    type Err = Error;

    fn from_str(name: &str) -> Result<Language> {
        let known = Language::ALL.into_iter().find(|language| language.name() == name);
        known.ok_or_else(|| {
            Error::new(format_args!("unknown language `{name}`"))
                .remedy(format_args!("use one of {}", Language::ALL.map(Language::name).join(", ")))
        })
    }
}

/// Files below a folder, by their names there, and their texts.
macro_rules! below {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!($folder, "/", $name)))),+]
    };
}

const RUST: &[(&str, &str)] = below!["../../examples/policies/rust":
    "README.md", ".gitignore", "Cargo.toml", "Cargo.lock", ".cargo/config.toml", "src/lib.rs", "src/settings.rs"];

const C: &[(&str, &str)] = below!["../../examples/policies/c":
    "README.md", ".gitignore", "compile_flags.txt", "policy.c", "settings.c", "settings.h", "text.c", "text.h",
    "bindings/README.md", "bindings/policy.c", "bindings/policy.h", "bindings/component_type.c"];

const JAVASCRIPT: &[(&str, &str)] = below!["../../examples/policies/javascript":
    "README.md", ".gitignore", "package.json", "build.js", "entry.js", "policy.js"];

const PYTHON: &[(&str, &str)] = below!["../../examples/policies/python":
    "README.md", ".gitignore", "requirements.txt", "policy.py"];

const SDK: &[(&str, &str)] = below!["../../policies/sdk": "Cargo.toml", "src/lib.rs", "src/heap.rs"];

const FIXTURES: &[(&str, &str)] = below!["../../examples/policies/fixtures":
    "plain.eml", "plain.toml", "keep-all.toml", "keep-half.toml", "null-sender.toml", "blocked.toml", "bounce-me.eml",
    "bounce-me.toml", "zone", "failures.toml", "bad-settings.toml"];

/// Writes a project into a new or empty directory. Returns its files, in the order of writing.
pub(crate) fn scaffold(language: Language, directory: &Path) -> Result<Vec<PathBuf>> {
    make_output_directory(directory)?;
    if fs::read_dir(directory).context(directory.display())?.next().is_some() {
        let error = Error::new(format_args!("{}: not empty", directory.display()));
        return Err(error.remedy("name a directory that is empty, or does not exist yet"));
    }
    let mut written = Vec::new();
    let parts = [("", language.files()), ("wit", wit::FILES), ("tests", FIXTURES)];
    for (folder, files) in parts {
        write(&directory.join(folder), files, &mut written)?;
    }
    if language == Language::Rust {
        write(&directory.join("sdk"), SDK, &mut written)?;
        // The SDK reads the WIT package beside its own Cargo.toml.
        let link = directory.join("sdk/wit");
        symlink("../wit", &link).context(link.display())?;
        written.push(link);
    }
    Ok(written)
}

fn write(folder: &Path, files: &[(&str, &str)], written: &mut Vec<PathBuf>) -> Result<()> {
    for (name, text) in files {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        make_output_directory(parent)?;
        owner::guard(&path)
            .and_then(|()| File::create_new(&path))
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .context(path.display())?;
        written.push(path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn empty(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("carom-scaffold-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        directory
    }

    /// Names of the files below a directory that git would take, links not followed.
    fn names(directory: &Path, folder: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(directory.join(folder)).unwrap().flatten() {
            let name = format!("{folder}{}", entry.file_name().to_string_lossy());
            let ignored = fs::read_to_string(directory.join(".gitignore")).unwrap_or_default();
            if ignored.lines().any(|line| line.trim_end_matches('/') == name) {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                names(directory, &format!("{name}/"), found);
            } else {
                found.insert(name);
            }
        }
    }

    #[test]
    fn a_project_is_its_example_with_the_links_resolved() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies");
        for language in Language::ALL {
            let directory = empty(language.name());
            let written = scaffold(language, &directory).unwrap();
            let example = examples.join(language.name());
            for path in &written {
                let name = path.strip_prefix(&directory).unwrap();
                if path.is_file() {
                    assert_eq!(
                        fs::read(path).unwrap(),
                        fs::read(example.join(name)).unwrap(),
                        "{language}, {name:?}"
                    );
                }
            }
            let (mut here, mut there) = (BTreeSet::new(), BTreeSet::new());
            names(&directory, "", &mut here);
            names(&example, "", &mut there);
            for link in ["wit", "tests", "sdk"] {
                let linked = example.join(link);
                if there.remove(link) {
                    let mut below = BTreeSet::new();
                    names(&linked, "", &mut below);
                    there.extend(below.into_iter().map(|name| format!("{link}/{name}")));
                }
            }
            assert_eq!(here, there, "{language}");
            fs::remove_dir_all(&directory).unwrap();
        }
    }

    #[test]
    fn a_directory_with_something_in_it_is_refused_and_left_alone() {
        let directory = empty("refused");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("mine"), "mine").unwrap();
        let error = scaffold(Language::C, &directory).unwrap_err();
        assert!(error.to_string().contains("not empty; name a directory that is empty"), "{error}");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!("javascript".parse::<Language>().unwrap(), Language::JavaScript);
        assert!("perl".parse::<Language>().unwrap_err().to_string().ends_with("rust, c, javascript, python"));
    }
}
