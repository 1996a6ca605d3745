//! Runs a process call by call, and kills it at one of its system calls: what kill -9 and a machine that stops do at the worst
//! moments.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traced {
    /// With this exit code, after this number of system calls.
    Ended { code: i32, calls: usize },
    /// It was killed.
    Killed,
    /// This system lets nobody trace.
    Impossible,
}

/// Kills the process before its system call of this number, counted from 0, if it gets that far.
pub(crate) fn run(mut command: Command, stdin: &Path, kill_at: usize) -> Traced {
    command.stdin(File::open(stdin).unwrap()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: ptrace is a plain system call, allowed between fork and exec.
    unsafe {
        command.pre_exec(|| match libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    let Ok(mut child) = command.spawn() else { return Traced::Impossible };
    let id = child.id() as libc::pid_t;
    let (mut status, mut entries, mut entering, mut signal) = (0, 0, true, 0);
    // SAFETY: the process is this thread's child and traced by it; the only pointer is to `status`.
    unsafe {
        libc::waitpid(id, &raw mut status, 0);
        let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL;
        libc::ptrace(libc::PTRACE_SETOPTIONS, id, 0, options);
        loop {
            libc::ptrace(libc::PTRACE_SYSCALL, id, 0, signal);
            if libc::waitpid(id, &raw mut status, 0) != id {
                return Traced::Impossible;
            }
            if libc::WIFEXITED(status) {
                return Traced::Ended { code: libc::WEXITSTATUS(status), calls: entries };
            }
            if !libc::WIFSTOPPED(status) {
                return Traced::Killed;
            }
            signal = match libc::WSTOPSIG(status) {
                libc::SIGTRAP => 0,
                call if call == libc::SIGTRAP | 0x80 => {
                    if entering && entries == kill_at {
                        child.kill().unwrap();
                        libc::waitpid(id, &raw mut status, 0);
                        return Traced::Killed;
                    }
                    entries += usize::from(entering);
                    entering = !entering;
                    0
                }
                other => other,
            };
        }
    }
}
