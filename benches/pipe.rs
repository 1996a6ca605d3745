//! One process of `carom pipe` beside an empty process: CPU time, page faults, ratios.

use super::lean_peers::LeanPeer;
use super::measured::{self, PageCache, Used, in_turns};
use super::setting::{Setting, message};
use super::{Bench, Outcome};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const RUNS: usize = 200;
const ACCEPTED: &str = "x@accept.sink.example";
const BOUNCED: &str = "x@oob.sink.example";

/// Native code, and then with `--interpreted` where no memory may be made executable.
pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    println!("carom pipe, 6 KB, DKIM (RSA-2048) verified, on record when it ends");
    measure(bench, "")?;
    let inherited = Command::new(std::env::current_exe()?).arg(super::INTERPRETED).status()?;
    if !inherited.success() {
        println!("  not measured: this kernel cannot forbid executable memory (PR_SET_MDWE)");
    }
    Ok(())
}

/// This process, and every program that it starts, may not make memory executable any more.
pub(crate) fn forbid_executable_memory() -> Outcome<()> {
    // SAFETY: a plain system call without pointers.
    match unsafe { libc::prctl(libc::PR_SET_MDWE, 1u64, 0u64, 0u64, 0u64) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error().into()),
    }
}

pub(crate) fn interpreted(bench: &Bench) -> Outcome<()> {
    measure(bench, ", interpreted")
}

fn measure(bench: &Bench, how: &str) -> Outcome<()> {
    let peer = LeanPeer::smtp();
    for cache in PageCache::ALL {
        let copy = |binary: &Path, name: &str| cache.copy(binary, bench.dir.join(name));
        let empty = copy(&bench.empty, "empty.copy")?;
        let mut binaries = vec![copy(&bench.binary, "carom.copy")?];
        if let Some(before) = &bench.before {
            binaries.push(copy(before, "before.copy")?);
        }
        table(bench, &peer, cache, how, &empty, &binaries)?;
    }
    Ok(())
}

/// A line for each kind of message, and for a state directory that is new each time.
fn table(
    bench: &Bench,
    peer: &LeanPeer,
    cache: PageCache,
    how: &str,
    empty: &Path,
    binaries: &[PathBuf],
) -> Outcome<()> {
    println!("  binary {}{how}", cache.words());
    let mut nothing = Command::new(empty);
    for (what, recipient, named, fresh) in [
        ("accepted", ACCEPTED, true, false),
        ("accepted, new state directory", ACCEPTED, true, true),
        ("accepted, without a queue id", ACCEPTED, false, false),
        ("a bounce sent to a loopback peer", BOUNCED, true, false),
    ] {
        let file = bench.dir.join("message");
        fs::write(&file, message(recipient, "http://tracker.example/i", "http://tracker.example/l")?)?;
        let settings = (0..binaries.len())
            .map(|number| Setting::new(&bench.dir, &format!("pipe-{number}"), peer.port, "", ""))
            .collect::<Outcome<Vec<Setting>>>()?;
        let deliver = |number: usize| -> Outcome<Used> {
            let setting = &settings[number];
            if fresh {
                renew(setting)?;
            }
            let mut command = setting.pipe(&binaries[number], recipient);
            if named {
                command.arg("--queue-id").arg(format!("4Xn{:x}", fastrand::u64(..)));
            }
            measured::run(command.stdin(File::open(&file)?))
        };
        // The first run compiles the policy.
        (0..binaries.len()).try_for_each(|number| deliver(number).map(drop))?;
        let used = in_turns(RUNS, binaries.len() + 1, |candidate| match candidate {
            0 => measured::run(nothing.stdin(Stdio::null()).stdout(Stdio::null())),
            number => deliver(number - 1),
        })?;
        for (number, carom) in used[1..].iter().enumerate() {
            let (empty, name) = (used[0], ["", " (before)"][number]);
            println!(
                "    {:42} {:5.2} ms, {:4.2} times an empty process's {:.2} ms, {:3.0} faults",
                format!("{what}{name}"),
                carom.cpu_ms,
                carom.cpu_ms / empty.cpu_ms,
                empty.cpu_ms,
                carom.faults
            );
        }
    }
    Ok(())
}

/// Removes everything but compiled policies.
fn renew(setting: &Setting) -> Outcome<()> {
    for entry in fs::read_dir(&setting.state)?.flatten() {
        let path = entry.path();
        match path.is_dir() {
            true if path.ends_with("compiled") => {}
            true => fs::remove_dir_all(path)?,
            false => fs::remove_file(path)?,
        }
    }
    Ok(())
}
