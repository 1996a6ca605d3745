//! Runs a process call by call, and kills it at one of its system calls: what kill -9 and a machine that stops do at the worst
//! moments.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

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
pub(crate) fn run(command: Command, stdin: &Path, kill_at: usize) -> Traced {
    step_by_step(command, stdin, &mut |call, child| {
        if call == kill_at {
            child.kill().unwrap();
        }
    })
}

/// Kills the process this number of system calls after it first waits for the disk, if it gets that far: what comes before
/// has no effects, and its length differs from run to run.
pub(crate) fn run_past_first_sync(command: Command, stdin: &Path, kill_after: usize) -> Traced {
    let mut first_sync = None;
    step_by_step(command, stdin, &mut |call, child| {
        if first_sync.is_none() && is_sync(child) {
            first_sync = Some(call);
        }
        if first_sync.is_some_and(|first| call == first + kill_after) {
            child.kill().unwrap();
        }
    })
}

/// Whether the process, which is stopped before a system call, is about to wait for the disk.
fn is_sync(child: &Child) -> bool {
    let mut info = std::mem::MaybeUninit::<libc::ptrace_syscall_info>::zeroed();
    // SAFETY: the process is traced and stopped, and the kernel writes no more than the size that it is given.
    let system_call = unsafe {
        libc::ptrace(
            libc::PTRACE_GET_SYSCALL_INFO,
            child.id() as libc::pid_t,
            size_of::<libc::ptrace_syscall_info>(),
            info.as_mut_ptr(),
        );
        info.assume_init().u.entry.nr
    };
    [libc::SYS_fsync, libc::SYS_fdatasync].contains(&(system_call as libc::c_long))
}

/// Stops the process before each of its system calls, whose number `before` hears.
pub(crate) fn step_by_step(
    mut command: Command,
    stdin: &Path,
    before: &mut dyn FnMut(usize, &mut Child),
) -> Traced {
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
                    if entering {
                        before(entries, &mut child);
                        entries += 1;
                    }
                    entering = !entering;
                    0
                }
                other => other,
            };
        }
    }
}
