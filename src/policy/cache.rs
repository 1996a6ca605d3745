//! Compiled policies: made once, mapped at every start. The one place with unsafe code.
//!
//! Invariant: compiled code is run only from a file that root or this very user owns and nobody else may write, in a
//! directory of which the same holds; anything else is compiled anew in memory.

use super::anatomy::Anatomy;
use super::engine::{self, Flavor, Purpose, refused_executable_memory};
use super::failure::one_line;
use crate::config::Limits;
use crate::error::{Error, Result};
use crate::publish::publish;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Part of every compiled file's name: code of another carom is not even looked at.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why a component could not be had.
pub(super) enum LoadFailure {
    /// This process may not map executable memory: the other flavor can.
    NoExecutableMemory,
    /// Anything else.
    Other(Error),
}

impl From<Error> for LoadFailure {
    fn from(error: Error) -> LoadFailure {
        LoadFailure::Other(error)
    }
}

/// A component and whether it had to be compiled on the spot.
pub(super) struct Loaded {
    pub(super) engine: Engine,
    pub(super) component: Component,
    /// Just compiled: imports are still to be checked and the file is still to be published.
    pub(super) fresh: bool,
}

/// The file that holds the compiled code of the component with this hash.
pub(super) fn compiled_path(directory: &Path, hash: &str, flavor: Flavor) -> PathBuf {
    directory.join(format!("{}-{VERSION}-{}.cwasm", &hash[..hash.len().min(32)], flavor.name()))
}

/// Maps the first compiled component of `places` that is there, or compiles what `wasm` gives and keeps it in the last place.
pub(super) fn load(
    flavor: Flavor,
    purpose: Purpose,
    limits: &Limits,
    places: &[PathBuf],
    wasm: impl FnOnce() -> Result<Vec<u8>>,
) -> std::result::Result<Loaded, LoadFailure> {
    if purpose != Purpose::Measure {
        let runner = engine::engine(flavor, purpose, limits)?;
        for path in places {
            match map(&runner, path) {
                Ok(Some(component)) => return Ok(Loaded { engine: runner, component, fresh: false }),
                Ok(None) => {}
                Err(error) if refused_executable_memory(&error) => {
                    return Err(LoadFailure::NoExecutableMemory);
                }
                Err(error) => {
                    tracing::info!(path = %path.display(), error, "compiled policy is of another engine");
                }
            }
        }
    }
    let engine = engine::engine(flavor, engine::compiler_for(purpose), limits)?;
    let compiled = compile(&engine, &wasm()?)?;
    if let (Some(path), true) = (places.last(), purpose != Purpose::Measure)
        && let Err(error) = keep(path, &compiled)
    {
        tracing::warn!(%error, "compiled policy is not kept: every process compiles it again");
    }
    // SAFETY: `compiled` was made by this engine a moment ago and never left this process.
    match unsafe { Component::deserialize(&engine, &compiled) } {
        Ok(component) => Ok(Loaded { engine, component, fresh: true }),
        Err(error) if refused_executable_memory(&format!("{error:#}")) => {
            Err(LoadFailure::NoExecutableMemory)
        }
        Err(error) => Err(Error::new(format_args!("{error:#}")).into()),
    }
}

/// Compiles a component that can be linked; one that cannot is refused in a sentence before that.
pub(super) fn compile(engine: &Engine, wasm: &[u8]) -> Result<Vec<u8>> {
    if let Some(objection) = Anatomy::read(wasm)?.objections().into_iter().next() {
        return Err(objection);
    }
    engine.precompile_component(wasm).map_err(|error| {
        Error::new(format_args!("not a policy that can be run: {}", one_line(&format!("{error:#}"))))
            .remedy("build it as a component for the world carom:policy/policy@1.0.0")
    })
}

/// `Ok(None)`: there is no such file, or none to be trusted.
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
    // The very file that was judged is mapped, whatever its name points to by now.
    let judged = format!("/proc/self/fd/{}", file.as_raw_fd());
    // SAFETY: the file was written by `keep` of a carom run by root or by this user, nobody else can write it, and
    // it is never changed in place: a new version is a new file that is renamed over the old name.
    unsafe { Component::deserialize_file(engine, judged) }.map(Some).map_err(|error| format!("{error:#}"))
}

/// Keeps compiled code for the next process; makes the directory where it is missing.
fn keep(path: &Path, compiled: &[u8]) -> Result<()> {
    if let Some(directory) = path.parent() {
        let _ = std::fs::DirBuilder::new().recursive(true).mode(0o755).create(directory);
    }
    publish(path, compiled, 0o644)
}
