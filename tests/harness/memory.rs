//! Runs a process and says how much memory it had at its peak, as the system says while it runs.

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
    let (status, began, mut most) = (format!("/proc/{}/status", child.id()), Instant::now(), 0);
    let ended = loop {
        most = most.max(high_water(&status).unwrap_or(0));
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        if began.elapsed() > Duration::from_secs(120) {
            child.kill().unwrap();
            panic!("not finished within two minutes");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    (Ran { code: ended.code().unwrap_or(-1), stdout, stderr }, most / 1024)
}

/// The peak so far in kB. What wait4(2) reports begins with the memory of the process that started this one.
fn high_water(status: &str) -> Option<i64> {
    let status = std::fs::read_to_string(status).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().split(' ').next()?.parse().ok()
}
