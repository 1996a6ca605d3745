//! Programs measured side by side: CPU time and page faults of one process, candidates in turns, and
//! the page-cache state of a binary made equal. Not here: what is run.

use super::Outcome;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What one process used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    /// User and system time, in milliseconds.
    pub(crate) cpu_ms: f64,
    /// Page faults that read nothing from disk.
    pub(crate) faults: f64,
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) -> Outcome<Used> {
    let child = command.spawn()?;
    let mut status = 0;
    // SAFETY: all zeros is a valid `rusage`; the pointers are valid during the call, and the child
    // is waited for here only.
    let used = unsafe {
        let mut used: libc::rusage = std::mem::zeroed();
        if libc::wait4(child.id() as libc::pid_t, &raw mut status, 0, &raw mut used) < 0 {
            return Err(std::io::Error::last_os_error().into());
        }
        used
    };
    if status != 0 {
        return Err(format!("{command:?} ended with the status {}", status >> 8).into());
    }
    Ok(Used { cpu_ms: cpu_ms(&used), faults: used.ru_minflt as f64 })
}

/// User and system time of the benchmark, with its peers, in milliseconds.
pub(crate) fn own_cpu_ms() -> Outcome<f64> {
    // SAFETY: all zeros is a valid `rusage`, and the pointer is valid during the call.
    unsafe {
        let mut used: libc::rusage = std::mem::zeroed();
        match libc::getrusage(libc::RUSAGE_SELF, &raw mut used) {
            0 => Ok(cpu_ms(&used)),
            _ => Err(std::io::Error::last_os_error().into()),
        }
    }
}

fn cpu_ms(used: &libc::rusage) -> f64 {
    let ms = |time: libc::timeval| time.tv_sec as f64 * 1e3 + time.tv_usec as f64 / 1e3;
    ms(used.ru_utime) + ms(used.ru_stime)
}

/// Runs the candidates in turns; returns for each the mean of the lowest 80 % of its runs.
pub(crate) fn in_turns(
    runs: usize,
    candidates: usize,
    mut run: impl FnMut(usize) -> Outcome<Used>,
) -> Outcome<Vec<Used>> {
    let mut all = vec![Vec::with_capacity(runs); candidates];
    for _ in 0..runs {
        for (candidate, used) in all.iter_mut().enumerate() {
            used.push(run(candidate)?);
        }
    }
    Ok(all.into_iter().map(trimmed).collect())
}

fn trimmed(mut runs: Vec<Used>) -> Used {
    runs.sort_by(|one, other| one.cpu_ms.total_cmp(&other.cpu_ms));
    runs.truncate((runs.len() * 4).div_ceil(5));
    let mean = |of: fn(&Used) -> f64| runs.iter().map(of).sum::<f64>() / runs.len() as f64;
    Used { cpu_ms: mean(|used| used.cpu_ms), faults: mean(|used| used.faults) }
}

/// How the pages of a binary came into memory. The kernel keeps pages that a program wrote in large
/// pieces, and pages that faults read from disk in small ones: a start costs up to half as much
/// again. Binaries compare only in the same state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum PageCache {
    /// Just written, as after an installation.
    Written,
    /// Read back from disk, as after a reboot.
    Read,
}

impl PageCache {
    pub(crate) const ALL: [PageCache; 2] = [PageCache::Written, PageCache::Read];

    pub(crate) fn words(self) -> &'static str {
        match self {
            PageCache::Written => "just written",
            PageCache::Read => "read from disk",
        }
    }

    /// A copy of the binary in this state.
    pub(crate) fn copy(self, binary: &Path, to: PathBuf) -> Outcome<PathBuf> {
        let _ = fs::remove_file(&to);
        fs::copy(binary, &to)?;
        let file = File::open(&to)?;
        file.sync_all()?;
        if self == PageCache::Read {
            // SAFETY: the descriptor is open.
            let failed = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
            if failed != 0 {
                return Err(std::io::Error::from_raw_os_error(failed).into());
            }
        }
        Ok(to)
    }
}
