//! carom hears every signal, also where its tests were started with `nohup` or in the background of
//! a shell: those ignore signals, and what a process ignores, the programs that it starts ignore.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::LazyLock;

const HEARD: [libc::c_int; 2] = [libc::SIGHUP, libc::SIGINT];

/// Whether the tests ignore one of them.
static IGNORED: LazyLock<bool> = LazyLock::new(|| {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
    HEARD.iter().any(|signal| ignored & (1 << (signal - 1)) != 0)
});

/// The command's process hears the signals.
pub(super) fn are_heard_by(mut command: Command) -> Command {
    if *IGNORED {
        // SAFETY: between fork and exec, `signal` may be called.
        unsafe {
            command.pre_exec(|| {
                for signal in HEARD {
                    libc::signal(signal, libc::SIG_DFL);
                }
                Ok(())
            });
        }
    }
    command
}
