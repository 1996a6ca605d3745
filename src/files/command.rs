//! Another program, run with a deadline: a mail server's reload, an operator's script, `getent`.
//!
//! Not here: which programs may be run (the config). Invariant: no shell reads the arguments; at
//! the deadline the program is killed with everything that it started, and carom never waits
//! longer.

use crate::deadline::Deadline;
use crate::error::{Context, Error, Result};
use crate::text::{bounded, one_line, squeezed};
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::Builder;
use std::time::Duration;

/// Time between two looks at whether the program has ended.
const LOOK: Duration = Duration::from_millis(10);
/// Bytes of its output that are kept.
const KEPT: u64 = 1 << 20;
/// Bytes of its messages that an error shows.
const SHOWN: usize = 300;
/// How long output is waited for after the end: a child that is left over may hold the pipe.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A program that ended by itself.
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    stderr: String,
}

impl Ran {
    /// What it wrote to standard error.
    pub(crate) fn said(&self) -> &str {
        &self.stderr
    }

    /// The error of a program that ended with another status than 0: how, and what it wrote.
    pub(crate) fn failure(&self, program: &str) -> Error {
        failure(program, &self.status.to_string(), &self.stderr)
    }
}

/// Runs a program. Error: it failed; the error says how, and what the program wrote to standard
/// error.
pub(crate) fn run(command: &[String], deadline: Deadline) -> Result<()> {
    let Some(program) = command.first() else { return Ok(()) };
    let ran = output(command, deadline)?;
    if ran.status.success() {
        return Ok(());
    }
    Err(ran.failure(program))
}

/// Runs a program for what it writes to standard output, whatever its exit status. Error: it cannot
/// be started, or was still running at the deadline.
pub(crate) fn output(command: &[String], deadline: Deadline) -> Result<Ran> {
    let (program, arguments) = command.split_first().ok_or_else(|| Error::new("no program to run"))?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .context(program)
        .map_err(|error| error.remedy("name a program that this user may run, with its whole path"))?;
    let listening = child.stdout.take().map(listen).transpose();
    let listening = listening.and_then(|stdout| Ok((stdout, child.stderr.take().map(listen).transpose()?)));
    let (stdout, stderr) = match listening {
        Ok(listening) => listening,
        Err(error) => {
            kill(&mut child).context(program)?;
            return Err(Error::new(format_args!(
                "{program}: cannot start a thread that reads its output: {error}"
            )));
        }
    };
    let status = wait(&mut child, deadline).context(program)?;
    let [stdout, stderr] = [stdout, stderr].map(|pipe| {
        let bytes = pipe.and_then(|pipe| pipe.recv_timeout(LAST_WORDS).ok()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    match status {
        Some(status) => Ok(Ran { status, stdout, stderr }),
        None => Err(failure(program, "still running at the deadline, killed", &stderr)),
    }
}

/// A path as a word of a command that can be typed.
pub(crate) fn shell_word(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// The end of the name of what is moved away.
pub(crate) const OTHER: &str = ".other";

/// The command that gives a path another name, as it can be typed.
pub(crate) fn moving(path: &Path) -> String {
    let other = format!("{}{OTHER}", path.to_string_lossy());
    format!("mv {} {}", shell_word(path), quoted(&other))
}

/// A word of a command that can be typed.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./=:@%+".contains(letter);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Whether a program can be run: by its path, or by its name in PATH.
pub(crate) fn exists(program: &str) -> bool {
    find(program).is_some()
}

/// The file that runs as this program.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let is_program = |path: &Path| {
        path.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| is_program(path));
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|path| is_program(path))
}

fn failure(program: &str, how: &str, stderr: &str) -> Error {
    let said = squeezed(&one_line(stderr));
    let colon = if said.is_empty() { "" } else { ": " };
    Error::new(format_args!("{program}: {how}{colon}{}", bounded(&said, SHOWN)))
}

/// Reads a pipe to its end in a thread, and keeps the beginning.
fn listen(mut pipe: impl Read + Send + 'static) -> io::Result<Receiver<Vec<u8>>> {
    let (send, receive) = channel();
    let read = move || {
        let mut kept = Vec::new();
        let _ = pipe.by_ref().take(KEPT).read_to_end(&mut kept);
        let _ = send.send(kept);
        let _ = io::copy(&mut pipe, &mut io::sink());
    };
    Builder::new().name("output".into()).spawn(read).map(|_| receive)
}

/// How the program ended; `None`: it had to be killed.
fn wait(child: &mut Child, deadline: Deadline) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if deadline.passed() {
            kill(child)?;
            return Ok(None);
        }
        std::thread::sleep(LOOK.min(deadline.left()));
    }
}

/// Ends the program, and what it has started.
fn kill(child: &mut Child) -> io::Result<()> {
    // The process group has the number of the program.
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    child.wait().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn words(command: &[&str]) -> Vec<String> {
        command.iter().map(|&word| word.to_owned()).collect()
    }

    fn said(command: &[&str], deadline: Duration) -> Result<(), String> {
        run(&words(command), Deadline::after(deadline)).map_err(|error| error.to_string())
    }

    #[test]
    fn how_it_ended_is_told_with_what_it_said() {
        let minute = Duration::from_secs(60);
        assert_eq!(said(&["true"], minute), Ok(()));
        let error = said(&["sh", "-c", "echo out; printf 'no such\\n\\033[31mmap' >&2; exit 3"], minute);
        assert_eq!(error, Err("sh: exit status: 3: no such [31mmap".into()));
        assert!(said(&["/no/such/program"], minute).unwrap_err().contains("; name a program"));
        assert_eq!(said(&["test", "$HOME; true", "=", "$HOME; true"], minute), Ok(()), "no shell");
        let ran = output(&words(&["sh", "-c", "echo out; exit 2"]), Deadline::after(minute)).unwrap();
        assert_eq!((ran.stdout.as_str(), ran.status.code()), ("out\n", Some(2)));
    }

    #[test]
    fn what_hangs_is_killed_with_its_children() {
        let began = Instant::now();
        let error = said(&["sh", "-c", "sleep 50 & sleep 60"], Duration::from_millis(200)).unwrap_err();
        assert!(error.contains("at the deadline") && began.elapsed() < Duration::from_secs(10), "{error}");
        // One that talks without end, or leaves something behind, does not hold us up.
        assert!(said(&["sh", "-c", "yes >&2"], Duration::from_millis(300)).is_err());
        assert!(said(&["sh", "-c", "yes"], Duration::from_millis(300)).is_err());
        assert_eq!(said(&["sh", "-c", "sleep 3 & exit 0"], Duration::from_secs(20)), Ok(()));
    }
}
