//! Lists with very many addresses in no order: each page of the table is written once, memory is bounded, and a list that
//! cannot be read to its end changes nothing.

use crate::harness::memory::{MOST_MIB, peak};
use crate::harness::{Ran, Sandbox};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Addresses with their reasons, in no order.
fn list(sandbox: &Sandbox, many: u64, reason: &str) -> PathBuf {
    let path = sandbox.path("list.csv");
    let mut list = BufWriter::new(File::create(&path).unwrap());
    writeln!(list, "address,sender_domain,reason").unwrap();
    for n in 0..many {
        let n = n * 7919 % many;
        writeln!(list, "user{n}@d{}.example,,{reason}", n % 70).unwrap();
    }
    list.into_inner().unwrap();
    path
}

/// The MB that an import hands to the system to be written.
fn written(sandbox: &Sandbox, list: &Path) -> (Ran, u64) {
    let mut command = sandbox.command(&["suppress", "import", &list.display().to_string()]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    // It has ended, and can still be asked.
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
    let counts = fs::read_to_string(format!("/proc/{}/io", child.id())).unwrap();
    let bytes = counts.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap();
    let mb = bytes.parse::<u64>().unwrap() / 1_000_000;
    (crate::harness::finish(child, std::time::Duration::from_secs(60)), mb)
}

fn in_state(sandbox: &Sandbox) -> Vec<String> {
    let entries = fs::read_dir(sandbox.path("state")).unwrap().flatten();
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// Before, each of thirteen transactions wrote nearly every page of the table.
#[test]
fn a_long_list_in_no_order_writes_each_page_of_the_table_once() {
    let sandbox = Sandbox::new();
    let (ran, mb) = written(&sandbox, &list(&sandbox, 100_000, "bounce"));
    assert!(ran.code == 0 && ran.stdout.starts_with("100000 new, 0 suppressed before"), "{ran:?}");
    assert!(mb < 60, "{mb} MB");
}

#[test]
fn a_list_that_is_longer_than_memory_is_sorted_on_the_disk() {
    let sandbox = Sandbox::new();
    let path = list(&sandbox, 80_000, &"x".repeat(900));
    let mut file = File::options().append(true).open(&path).unwrap();
    writeln!(file, "user7@d7.example,,the last word\nUser8@D8.example,,").unwrap();
    let command = sandbox.command(&["suppress", "import", &path.display().to_string()]);
    let (ran, mib) = peak(command, Path::new("/dev/null"));
    let words = "80000 new, 2 suppressed before (1 changed)\n";
    assert!((ran.code, ran.stdout.as_str()) == (0, words) && mib < MOST_MIB, "{mib} MiB: {ran:?}");
    let check = |address| sandbox.run(&["suppress", "check", address], b"").stdout;
    assert!(check("user7@d7.example").contains("the last word"));
    assert!(check("user8@d8.example").contains("xxx") && check("user79999@d59.example").contains("xxx"));
    let left: Vec<String> = in_state(&sandbox).into_iter().filter(|name| name.contains("import")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Before, what came first was on the list.
#[test]
fn a_list_that_cannot_be_read_to_its_end_changes_nothing() {
    let sandbox = Sandbox::new();
    let path = list(&sandbox, 20_000, "bounce");
    let mut file = File::options().append(true).open(&path).unwrap();
    file.write_all(&vec![0; 2 << 20]).unwrap();
    let ran = sandbox.run(&["suppress", "import", &path.display().to_string()], b"");
    assert!(ran.code == 1 && ran.stderr.contains("line 20002: this is no text"), "{ran:?}");
    assert_eq!(sandbox.run(&["suppress", "list"], b"").stdout, "");
}
