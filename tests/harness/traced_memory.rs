//! What a stopped process has in memory and in its open files.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

pub(super) fn bytes_at(thread: libc::pid_t, address: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let memory = fs::File::open(format!("/proc/{thread}/mem")).unwrap();
    memory.read_exact_at(&mut bytes, address).unwrap();
    bytes
}

pub(super) fn text_at(thread: libc::pid_t, address: u64) -> Vec<u8> {
    let memory = fs::File::open(format!("/proc/{thread}/mem")).unwrap();
    let mut text = Vec::new();
    let mut byte = [0];
    while memory.read_exact_at(&mut byte, address + text.len() as u64).is_ok() && byte[0] != 0 {
        text.push(byte[0]);
    }
    text
}

pub(super) fn position(thread: libc::pid_t, descriptor: u64, path: &Path) -> u64 {
    let info = fs::read_to_string(format!("/proc/{thread}/fdinfo/{descriptor}")).unwrap();
    let position = info.lines().find_map(|line| line.strip_prefix("pos:"));
    position.and_then(|position| position.trim().parse().ok()).unwrap_or_else(|| panic!("{}", path.display()))
}
