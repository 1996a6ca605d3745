//! Compiled policies: compiled once, mapped at every start.
//!
//! Not here: where to look for the files (`ComponentSource::compiled`). Invariant: compiled code
//! from a file runs only if it is what was compiled (`verified`), and if nobody but root and this
//! user could write it; where others could, no policy runs.

use super::anatomy::Anatomy;
use super::engine::{self, Flavor, Purpose, refused_executable_memory};
use super::failure::status_line;
use super::verified::{self, CodeCheck};
use crate::clock::DAY;
use crate::config::LimitsTable;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::files::lock::{self, LockFile};
use crate::files::private;
use rayon::ThreadPoolBuilder;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Part of every compiled file's name, so that carom never opens code of another version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Compiled code that nobody has read for this long is removed. A process that needs it compiles
/// it again.
const KEPT: Duration = DAY.saturating_mul(90);
/// The same for code of other versions of carom.
const KEPT_OF_ANOTHER: Duration = DAY.saturating_mul(30);
/// A temporary file older than this was abandoned.
const ABANDONED: Duration = DAY;
/// A process waits this long for another one that compiles the same code.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) enum LoadFailure {
    /// This process may not map executable memory. `Flavor::Pulley` needs none.
    NoExecutableMemory,
    Other(Error),
}

impl From<Error> for LoadFailure {
    fn from(error: Error) -> LoadFailure {
        LoadFailure::Other(error)
    }
}

pub(crate) struct Loaded {
    pub(crate) engine: Engine,
    pub(crate) component: Component,
    /// Whether this call compiled it.
    pub(crate) fresh: bool,
}

/// Whether this process may not map executable memory, as far as the kernel says so itself: systemd
/// before version 253 refuses it by a seccomp filter, which only trying shows.
pub(crate) fn executable_memory_is_refused() -> bool {
    // SAFETY: this call reads a setting of the process and takes no pointer.
    let set = unsafe { libc::prctl(libc::PR_GET_MDWE, 0, 0, 0, 0) };
    set > 0 && set as libc::c_uint & libc::PR_MDWE_REFUSE_EXEC_GAIN != 0
}

/// The file that holds the compiled code of the component with this hash.
pub(crate) fn compiled_path(directory: &Path, hash: &str, flavor: Flavor) -> PathBuf {
    directory.join(format!("{}-{VERSION}-{}.cwasm", &hash[..hash.len().min(32)], flavor.name()))
}

/// Maps the first compiled component that exists in `places`, or compiles what `wasm` returns and
/// keeps it in the last place.
pub(crate) fn load(
    flavor: Flavor,
    purpose: Purpose,
    limits: &LimitsTable,
    places: &[PathBuf],
    wasm: impl FnOnce() -> Result<Vec<u8>>,
) -> std::result::Result<Loaded, LoadFailure> {
    let measures = purpose == Purpose::Measure;
    let keeps = !matches!(purpose, Purpose::Measure | Purpose::Look);
    let depth = if purpose == Purpose::Look { CodeCheck::Look } else { CodeCheck::IfChanged };
    let runner = if measures { None } else { Some(engine::engine(flavor, purpose, limits)?) };
    let map = |runner: &Engine| map_first(runner, places, depth);
    let found = runner.as_ref().map(map).transpose()?.flatten();
    if let (Some(component), Some(runner)) = (found, &runner) {
        return Ok(Loaded { engine: runner.clone(), component, fresh: false });
    }
    // Of processes that start together, one compiles, and the others map what it has kept.
    let _turn = places.last().filter(|_| keeps).and_then(|code| turn_to_compile(code));
    let found = runner.as_ref().map(map).transpose()?.flatten();
    if let (Some(component), Some(runner)) = (found, &runner) {
        return Ok(Loaded { engine: runner.clone(), component, fresh: false });
    }
    let compiler = engine::engine(flavor, engine::compiler_for(purpose), limits)?;
    let compiled = compile(&compiler, &wasm()?)?;
    if let (Some(path), true) = (places.last(), keeps)
        && let Err(error) = verified::keep(path, &compiled)
    {
        tracing::warn!(%error, "cannot keep the compiled policy; every process compiles it again");
    }
    // Only the runner is set up for `purpose`: it has the memory of many decisions mapped.
    let engine = runner.unwrap_or(compiler);
    // SAFETY: an engine of the same flavor has just made `compiled`, and the bytes never left this
    // process.
    match unsafe { Component::deserialize(&engine, &compiled) } {
        Ok(component) => Ok(Loaded { engine, component, fresh: true }),
        Err(error) if refused_executable_memory(&format!("{error:#}")) => {
            Err(LoadFailure::NoExecutableMemory)
        }
        Err(error) => Err(Error::new(format_args!("{error:#}")).into()),
    }
}

/// Waits while another process compiles the same code. `None`: it takes too long, or no lock can be
/// made there; then each process compiles for itself.
fn turn_to_compile(code: &Path) -> Option<LockFile> {
    let waiting = Deadline::after(PATIENCE);
    let path = code.with_extension("cwasm.lock");
    private::make_directory(code.parent()?).ok()?;
    loop {
        match lock::try_take(&path) {
            Ok(None) if !waiting.passed() => std::thread::sleep(Duration::from_millis(20)),
            taken => return taken.ok().flatten(),
        }
    }
}

/// Maps the first compiled component of `places` that can be used.
fn map_first(
    runner: &Engine,
    places: &[PathBuf],
    depth: CodeCheck,
) -> std::result::Result<Option<Component>, LoadFailure> {
    let compiled_dir = places.last().and_then(|place| place.parent()).unwrap_or(Path::new("/"));
    for code in places {
        if let Some(component) = map(runner, code, compiled_dir, depth)? {
            return Ok(Some(component));
        }
    }
    Ok(None)
}

/// Compares all code in carom's own directory with what was compiled; removes what is damaged.
pub(crate) fn sweep(compiled_dir: &Path, depth: CodeCheck) -> Vec<Error> {
    let version = format!("-{VERSION}-");
    verified::sweep(compiled_dir, depth, |name| name.ends_with(".cwasm") && name.contains(&version))
}

/// Removes compiled code that has not been read for a long time, and temporary files of killed
/// writes.
pub(crate) fn expire(directory: &Path, now: SystemTime) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // What is known about code goes after it.
        let code = name.split_once(".cwasm").map(|(code, _)| format!("{code}.cwasm"));
        let kept = match &code {
            None if name.ends_with(".tmp") => ABANDONED,
            Some(code) if name != *code && directory.join(code).exists() => continue,
            Some(code) if code.contains(&format!("-{VERSION}-")) => KEPT,
            Some(_) => KEPT_OF_ANOTHER,
            None => continue,
        };
        let Ok(metadata) = entry.metadata() else { continue };
        let last = [metadata.accessed(), metadata.modified()].into_iter().flatten().max();
        if last.and_then(|last| now.duration_since(last).ok()).is_some_and(|age| age > kept) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Checks that the component can be linked before compiling it, for a clear error.
pub(crate) fn compile(engine: &Engine, wasm: &[u8]) -> Result<Vec<u8>> {
    if let Some(objection) = Anatomy::read(wasm)?.objections().into_iter().next() {
        return Err(objection);
    }
    compiled(engine, wasm).map_err(|error| {
        Error::new(format_args!("not a policy that can be run: {}", status_line(&format!("{error:#}"))))
            .remedy("build it as a component for the world carom:policy/policy@1.0.0")
    })
}

/// Compiles in threads of this call, or alone where none can be started.
fn compiled(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Vec<u8>> {
    if let Ok(threads) = ThreadPoolBuilder::new().build() {
        return threads.install(|| engine.precompile_component(wasm));
    }
    let mut alone = engine.config().clone();
    alone.parallel_compilation(false);
    Engine::new(&alone)?.precompile_component(wasm)
}

/// Maps compiled code that is what was compiled. `None`: it does not exist, is damaged, or belongs
/// to another engine.
fn map(
    engine: &Engine,
    code: &Path,
    compiled_dir: &Path,
    depth: CodeCheck,
) -> std::result::Result<Option<Component>, LoadFailure> {
    let Some(file) = verified::open(code, compiled_dir, depth)? else { return Ok(None) };
    // Map the open file that was judged: its name may point to another file by now.
    let judged = format!("/proc/self/fd/{}", file.as_raw_fd());
    // SAFETY: a carom run by root or by this user wrote the file with `verified::keep` or
    // `staging`, and `verified::open` has compared it with what was compiled. Nobody else can write
    // it. It never changes in place: `publish` renames a new file over the old name.
    match unsafe { Component::deserialize_file(engine, judged) } {
        Ok(component) => Ok(Some(component)),
        Err(error) if refused_executable_memory(&format!("{error:#}")) => {
            Err(LoadFailure::NoExecutableMemory)
        }
        Err(error) => {
            let error = format!("{error:#}");
            tracing::info!(path = %code.display(), error, "compiled policy belongs to another engine");
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, FileTimes, create_dir, remove_dir_all};

    #[test]
    fn compiled_code_that_nobody_has_read_for_long_goes() {
        let directory = std::env::temp_dir().join(format!("carom-compiled-{:x}", fastrand::u64(..)));
        create_dir(&directory).unwrap();
        let now = SystemTime::now();
        let make = |name: &str, days: u32| {
            let times = FileTimes::new().set_accessed(now - DAY * days).set_modified(now - DAY * days);
            File::create(directory.join(name)).unwrap().set_times(times).unwrap();
        };
        make(&format!("a-{VERSION}-native.cwasm"), 89);
        make(&format!("b-{VERSION}-native.cwasm"), 91);
        make("a-0.0.1-native.cwasm", 29);
        make("b-0.0.1-native.cwasm", 31);
        make(".1-2.tmp", 0);
        make(".2-3.tmp", 2);
        make("notes.txt", 4000);
        make(&format!("a-{VERSION}-native.cwasm.sha256"), 4000);
        make(&format!("c-{VERSION}-native.cwasm.sha256"), 4000);
        expire(&directory, now);
        let mut left: Vec<String> = std::fs::read_dir(&directory)
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        left.sort();
        let ours = format!("a-{VERSION}-native.cwasm");
        let sum = format!("{ours}.sha256");
        assert_eq!(left, [".1-2.tmp", "a-0.0.1-native.cwasm", &ours, &sum, "notes.txt"]);
        remove_dir_all(&directory).unwrap();
    }
}
