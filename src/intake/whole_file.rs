//! When a young file of a spool is whole: nobody writes it, and it ends like a message.
//!
//! Not here: older files, which are whole by their age (`spool`).

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Those of the files that are whole.
pub(super) fn finished(mut young: Vec<PathBuf>) -> Vec<PathBuf> {
    if !young.is_empty() {
        let written = open_for_writing();
        young.retain(|path| !written.contains(path) && ends_properly(path));
    }
    young
}

/// Files that any process we may look into has open for writing.
fn open_for_writing() -> HashSet<PathBuf> {
    let mut written = HashSet::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let folder = process.path();
        for descriptor in fs::read_dir(folder.join("fd")).into_iter().flatten().flatten() {
            let Ok(target) = fs::read_link(descriptor.path()) else {
                continue;
            };
            let ours = target
                .extension()
                .is_some_and(|ending| ending == "msg" || ending == "eml" || ending == "mbox");
            if !ours {
                continue;
            }
            let info =
                fs::read_to_string(folder.join("fdinfo").join(descriptor.file_name())).unwrap_or_default();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
            let access = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok()).unwrap_or(0) & 0o3;
            if access != 0 {
                written.insert(target);
            }
        }
    }
    written
}

/// Whether a file ends like a message: with a line feed, and with the closing boundary if its
/// header announces one.
fn ends_properly(path: &Path) -> bool {
    const LOOK: u64 = 64 << 10;
    let read = || -> std::io::Result<(Vec<u8>, Vec<u8>)> {
        use std::os::unix::fs::FileExt;
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut head = Vec::new();
        Read::by_ref(&mut file).take(LOOK).read_to_end(&mut head)?;
        let mut end = vec![0; size.min(4096) as usize];
        file.read_exact_at(&mut end, size - size.min(4096))?;
        Ok((head, end))
    };
    let Ok((head, end)) = read() else { return false };
    if !end.ends_with(b"\n") {
        return false;
    }
    let header_end = head
        .windows(2)
        .position(|two| two == b"\n\n")
        .or_else(|| head.windows(4).position(|four| four == b"\r\n\r\n"));
    let Some(header_end) = header_end else {
        return false;
    };
    match boundary(&head[..header_end]) {
        Some(boundary) => {
            let closing = format!("--{boundary}--");
            end.windows(closing.len()).any(|window| window == closing.as_bytes())
        }
        None => true,
    }
}

/// The boundary of a multipart message. A header that is written in an unusual way has none.
fn boundary(header: &[u8]) -> Option<String> {
    let header = String::from_utf8_lossy(header);
    let lower = header.to_ascii_lowercase();
    let multipart = lower.find("content-type: multipart/")?;
    let start = multipart + lower[multipart..].find("boundary=")? + "boundary=".len();
    let value = header[start..].trim_start();
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().map(str::to_owned),
        None => value.split(|c: char| c.is_whitespace() || c == ';').next().map(str::to_owned),
    }
}
