//! When a young file of a spool is whole: nobody writes it, and it ends like a message.
//!
//! Not here: older files, which are whole by their age (`spool`).

use crate::files::regular;
use memchr::memmem;
use std::collections::HashSet;
use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread::Builder;

/// Files that one thread looks at: fewer are not worth another thread.
const SHARE: usize = 256;

/// Those of the files that are whole.
pub(super) fn finished(young: Vec<PathBuf>) -> Vec<PathBuf> {
    if young.is_empty() {
        return young;
    }
    let written = open_for_writing();
    let whole = |some: &[PathBuf]| -> Vec<PathBuf> {
        let is_whole = |path: &&PathBuf| !written.contains(*path) && ends_properly(path);
        some.iter().filter(is_whole).cloned().collect()
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = young.len().div_ceil(threads).max(SHARE);
    std::thread::scope(|scope| {
        let mut shares = young.chunks(share);
        let mut own: Vec<&[PathBuf]> = shares.next().into_iter().collect();
        let mut looking = Vec::new();
        for some in shares {
            match Builder::new().spawn_scoped(scope, || whole(some)) {
                Ok(thread) => looking.push(thread),
                Err(_) => own.push(some),
            }
        }
        let mut finished: Vec<PathBuf> = own.into_iter().flat_map(whole).collect();
        // What a thread could not look at is looked at in the next round.
        looking.into_iter().for_each(|looked| finished.extend(looked.join().unwrap_or_default()));
        finished
    })
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
    const TAIL: u64 = 4096;
    let read = || -> std::io::Result<(Vec<u8>, Vec<u8>)> {
        let file = regular::open_no_link(path)?;
        let size = file.metadata()?.len();
        let part = |bytes: u64, at: u64| {
            let mut part = vec![0; bytes as usize];
            file.read_exact_at(&mut part, at).map(|()| part)
        };
        let head = part(size.min(LOOK), 0)?;
        let end = match size <= LOOK {
            true => head[head.len() - size.min(TAIL) as usize..].to_vec(),
            false => part(TAIL, size - TAIL)?,
        };
        Ok((head, end))
    };
    let Ok((head, end)) = read() else { return false };
    if !end.ends_with(b"\n") {
        return false;
    }
    let header_end = memmem::find(&head, b"\n\n").or_else(|| memmem::find(&head, b"\r\n\r\n"));
    let Some(header_end) = header_end else {
        return false;
    };
    match boundary(&head[..header_end]) {
        Some(boundary) => {
            let closing = format!("--{boundary}--");
            memmem::find(&end, closing.as_bytes()).is_some()
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
