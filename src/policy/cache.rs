//! Compiled policies: compiled once, mapped at every start.
//!
//! Not here: where to look for the files (`ComponentSource::compiled`). Invariant: compiled code
//! from a file runs only if root or this user owns the file and its directory, and nobody else may
//! write them; otherwise the policy is compiled again, in memory.

use super::anatomy::Anatomy;
use super::engine::{self, Flavor, Purpose, refused_executable_memory};
use super::failure::status_line;
use crate::clock::DAY;
use crate::config::LimitsTable;
use crate::error::{Error, Result};
use crate::files::publish::publish;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
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
    let runner = if measures { None } else { Some(engine::engine(flavor, purpose, limits)?) };
    let found = runner.as_ref().map(|runner| map_first(runner, places)).transpose()?.flatten();
    if let (Some(component), Some(runner)) = (found, &runner) {
        return Ok(Loaded { engine: runner.clone(), component, fresh: false });
    }
    let compiler = engine::engine(flavor, engine::compiler_for(purpose), limits)?;
    let compiled = compile(&compiler, &wasm()?)?;
    if let (Some(path), false) = (places.last(), measures)
        && let Err(error) = keep(path, &compiled)
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

/// Maps the first compiled component that exists in `places` and belongs to this engine.
fn map_first(runner: &Engine, places: &[PathBuf]) -> std::result::Result<Option<Component>, LoadFailure> {
    for path in places {
        match map(runner, path) {
            Ok(Some(component)) => return Ok(Some(component)),
            Ok(None) => {}
            Err(error) if refused_executable_memory(&error) => return Err(LoadFailure::NoExecutableMemory),
            Err(error) => {
                tracing::info!(path = %path.display(), error, "compiled policy belongs to another engine");
            }
        }
    }
    Ok(None)
}

/// Removes compiled code that has not been read for a long time, and temporary files of killed
/// writes.
pub(crate) fn expire(directory: &Path, now: SystemTime) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let kept = match &*name {
            name if name.ends_with(".tmp") => ABANDONED,
            name if !name.ends_with(".cwasm") => continue,
            name if name.contains(&format!("-{VERSION}-")) => KEPT,
            _ => KEPT_OF_ANOTHER,
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
    engine.precompile_component(wasm).map_err(|error| {
        Error::new(format_args!("not a policy that can be run: {}", status_line(&format!("{error:#}"))))
            .remedy("build it as a component for the world carom:policy/policy@1.0.0")
    })
}

/// `Ok(None)`: the file does not exist, or carom cannot trust it.
fn map(engine: &Engine, path: &Path) -> std::result::Result<Option<Component>, String> {
    let Ok(file) = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())
    else {
        return Ok(None);
    };
    let file = File::from(file);
    let trusted = |metadata: std::fs::Metadata| {
        let owner = metadata.uid();
        let ours = owner == 0 || owner == rustix::process::geteuid().as_raw();
        ours && metadata.mode() & 0o022 == 0
    };
    let directory = path.parent().unwrap_or(Path::new("/"));
    let directory_trusted = std::fs::metadata(directory).is_ok_and(trusted);
    if !directory_trusted || !file.metadata().is_ok_and(trusted) {
        tracing::error!(path = %path.display(), "compiled policy is not used: others may write it or its directory; \
            make both writable by their owner only");
        return Ok(None);
    }
    // Map the open file that was checked: its name may point to another file by now.
    let judged = format!("/proc/self/fd/{}", file.as_raw_fd());
    // SAFETY: a carom run by root or by this user wrote the file with `keep`. Nobody else can
    // write it. It never changes in place: `publish` renames a new file over the old name.
    unsafe { Component::deserialize_file(engine, judged) }.map(Some).map_err(|error| format!("{error:#}"))
}

/// Writes compiled code for the next process; creates the directory if it is missing.
fn keep(path: &Path, compiled: &[u8]) -> Result<()> {
    if let Some(directory) = path.parent() {
        let _ = std::fs::DirBuilder::new().recursive(true).mode(0o755).create(directory);
    }
    publish(path, compiled, 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{FileTimes, create_dir, remove_dir_all};

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
        expire(&directory, now);
        let mut left: Vec<String> = std::fs::read_dir(&directory)
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        left.sort();
        let ours = format!("a-{VERSION}-native.cwasm");
        assert_eq!(left, [".1-2.tmp", "a-0.0.1-native.cwasm", &ours, "notes.txt"]);
        remove_dir_all(&directory).unwrap();
    }
}
