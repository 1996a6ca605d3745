//! Another program, run with a deadline: a mail server's reload, a script of the operator's.
//!
//! Not here: who may say which (the config). Invariant: no shell reads the arguments, nothing of ours is held by the program, and at
//! the deadline it is killed with all that it has started.

use crate::deadline::Deadline;
use crate::error::{Context, Error, Result};
use crate::text::{bounded, one_line, squeezed};
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Time between two looks at whether it is over.
const LOOK: Duration = Duration::from_millis(10);
/// Bytes of what it says that are read.
const SAID: u64 = 4096;
/// How long what it has said is waited for when it is over: something that it left behind may hold the pipe.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Runs a program; an error says how it ended, and what it said.
pub(crate) fn run(command: &[String], deadline: Deadline) -> Result<()> {
    let Some((program, arguments)) = command.split_first() else { return Ok(()) };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .context(program)
        .map_err(|error| error.remedy("name a program that this user may run, with its whole path"))?;
    let (words, spoken) = channel();
    if let Some(stderr) = child.stderr.take() {
        std::thread::spawn(move || {
            let mut said = Vec::new();
            let mut stderr = stderr;
            let _ = stderr.by_ref().take(SAID).read_to_end(&mut said);
            let _ = words.send(said);
            let _ = std::io::copy(&mut stderr, &mut std::io::sink());
        });
    }
    let ended = wait(&mut child, deadline).context(program)?;
    if ended.is_some_and(|status| status.success()) {
        return Ok(());
    }
    let said = spoken.recv_timeout(LAST_WORDS).unwrap_or_default();
    let said = squeezed(&one_line(&String::from_utf8_lossy(&said)));
    let said = bounded(&said, 300);
    let how = ended.map_or_else(|| "not over in time, killed".to_owned(), |status| status.to_string());
    let colon = if said.is_empty() { "" } else { ": " };
    Err(Error::new(format_args!("{program}: {how}{colon}{said}")))
}

/// Whether a program can be run: by its path, or by its name in PATH.
pub(crate) fn exists(program: &str) -> bool {
    let is_program = |path: &Path| {
        path.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return is_program(Path::new(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    std::env::split_paths(&path).any(|directory| is_program(&directory.join(program)))
}

/// How it ended; none: it had to be killed.
fn wait(child: &mut Child, deadline: Deadline) -> std::io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if deadline.passed() {
            // Its group has its number.
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(LOOK.min(deadline.left()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn said(command: &[&str], deadline: Duration) -> Result<(), String> {
        let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        run(&command, Deadline::after(deadline)).map_err(|error| error.to_string())
    }

    #[test]
    fn how_it_ended_is_told_with_what_it_said() {
        let minute = Duration::from_secs(60);
        assert_eq!(said(&["true"], minute), Ok(()));
        let error = said(&["sh", "-c", "echo out; printf 'no such\\n\\033[31mmap' >&2; exit 3"], minute);
        assert_eq!(error, Err("sh: exit status: 3: no such [31mmap".into()));
        assert!(said(&["/no/such/program"], minute).unwrap_err().contains("; name a program"));
        assert_eq!(said(&["test", "$HOME; true", "=", "$HOME; true"], minute), Ok(()), "no shell");
    }

    #[test]
    fn what_hangs_is_killed_with_its_children() {
        let began = Instant::now();
        let error = said(&["sh", "-c", "sleep 50 & sleep 60"], Duration::from_millis(200)).unwrap_err();
        assert!(error.contains("not over in time") && began.elapsed() < Duration::from_secs(10), "{error}");
        // One that talks without end, or leaves something behind, does not hold us up.
        assert!(said(&["sh", "-c", "yes >&2"], Duration::from_millis(300)).is_err());
        assert_eq!(said(&["sh", "-c", "sleep 3 & exit 0"], Duration::from_secs(20)), Ok(()));
    }
}
