//! Runs a process and says how much memory it had at its peak, as the system reports it at the end.

use super::Ran;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The most that any command may take, in MiB.
pub(crate) const MOST_MIB: i64 = 256;

/// Runs a command with a file as its standard input, for at most two minutes. Returns the memory of its peak in MiB.
pub(crate) fn peak(mut command: Command, stdin: &Path) -> (Ran, i64) {
    command.stdin(File::open(stdin).unwrap()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let text = |from: &mut dyn Read| {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (stdout, stderr) =
        (std::thread::spawn(move || text(&mut out)), std::thread::spawn(move || text(&mut err)));
    let (id, began) = (child.id() as libc::pid_t, Instant::now());
    let (mut status, mut used) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: the pointers are to variables that outlive the call, and nobody else waits for the child.
    while unsafe { libc::wait4(id, &raw mut status, libc::WNOHANG, used.as_mut_ptr()) } == 0 {
        if began.elapsed() > Duration::from_secs(120) {
            child.kill().unwrap();
            panic!("not finished within two minutes");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let code = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -1 };
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    // SAFETY: all zero bytes are a valid rusage, and wait4 has filled it.
    let peak = unsafe { used.assume_init() }.ru_maxrss;
    (Ran { code, stdout, stderr }, peak / 1024)
}
