//! Which process holds a message: its id and start time, so that another can tell whether it still
//! runs.

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

pub(crate) fn this_process() -> String {
    process(std::process::id())
}

pub(crate) fn process(id: u32) -> String {
    format!("{id}:{}", start_time(id).unwrap_or_default())
}

/// Field 22 of /proc/PID/stat, counted after the name in parentheses, which may contain anything.
fn start_time(id: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19).map(str::to_owned)
}

pub(crate) fn is_gone(holder: &str) -> bool {
    let Some((Ok(id), started)) = holder.split_once(':').map(|(id, started)| (id.parse(), started)) else {
        return true;
    };
    match start_time(id) {
        Some(now) => now != started,
        // Where /proc hides the processes of other users (hidepid), the kernel still says whether
        // they run.
        None => !exists(id),
    }
}

fn exists(id: u32) -> bool {
    let process = i32::try_from(id).ok().and_then(Pid::from_raw);
    process.is_some_and(|process| test_kill_process(process) != Err(Errno::SRCH))
}
