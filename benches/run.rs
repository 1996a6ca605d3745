//! What carom costs: `make bench`, or `cargo bench --bench run -- pipe relay` for some parts.
//! README.md in this folder says how the parts are measured and how to read them.

mod access;
mod asking;
mod lean_peers;
mod logs;
mod measured;
mod pipe;
mod policies;
mod postfix;
mod relay;
mod reports;
mod scale;
mod setting;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A part, and its name on the command line.
type Part = (&'static str, fn(&Bench) -> Outcome<()>);
const PARTS: [Part; 8] = [
    ("pipe", pipe::run),
    ("relay", relay::run),
    ("postfix", postfix::run),
    ("logs", logs::run),
    ("policies", policies::run),
    ("reports", reports::run),
    ("scale", scale::run),
    ("access", access::run),
];

/// The programs that are measured, and a directory for their files.
pub(crate) struct Bench {
    /// `target/dist/carom`, or the one of the environment variable CAROM.
    pub(crate) binary: PathBuf,
    /// A carom to compare with: the one of the environment variable BEFORE.
    pub(crate) before: Option<PathBuf>,
    /// A Rust program that does nothing, linked as usual.
    pub(crate) empty: PathBuf,
    pub(crate) dir: PathBuf,
}

impl Bench {
    fn new(dir: PathBuf) -> Outcome<Bench> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let named = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        let binary = named("CAROM").unwrap_or_else(|| target.join("dist/carom"));
        if !binary.exists() {
            return Err(format!("{} is missing: run `make dist`, or set CAROM", binary.display()).into());
        }
        fs::create_dir_all(&dir)?;
        let empty = dir.join("empty");
        let source = root.join("benches/empty.rs");
        match Command::new("rustc").args(["-O", "-o"]).arg(&empty).arg(source).status()?.success() {
            true => Ok(Bench { binary, before: named("BEFORE"), empty, dir }),
            false => Err("benches/empty.rs does not compile".into()),
        }
    }

    /// Each binary, and what is printed after what was measured.
    pub(crate) fn binaries(&self) -> Vec<(&Path, &'static str)> {
        let before = self.before.as_deref().map(|before| (before, " (before)"));
        [(self.binary.as_path(), "")].into_iter().chain(before).collect()
    }
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    // `cargo test --benches` passes `--test`: then nothing is measured.
    if arguments.iter().any(|argument| argument == "--test") {
        return Ok(());
    }
    if let Some(unknown) = arguments.iter().find(|word| !is_known(word)) {
        return Err(
            format!("`{unknown}` is not a part: use {}", PARTS.map(|(name, _)| name).join(", ")).into()
        );
    }
    let dir = std::env::temp_dir().join(format!("carom-bench-{}", std::process::id()));
    let bench = Bench::new(dir.clone())?;
    let measured = match arguments.first().is_some_and(|first| first == INTERPRETED) {
        true => pipe::forbid_executable_memory().and_then(|()| pipe::interpreted(&bench)),
        false => PARTS
            .iter()
            .filter(|(name, _)| arguments.is_empty() || arguments.iter().any(|word| word == name))
            .try_for_each(|(_, run)| run(&bench)),
    };
    fs::remove_dir_all(dir)?;
    measured
}

/// The argument of a process whose programs may not make memory executable.
pub(crate) const INTERPRETED: &str = "--interpreted";

fn is_known(word: &str) -> bool {
    word == INTERPRETED || PARTS.iter().any(|(name, _)| *name == word)
}
