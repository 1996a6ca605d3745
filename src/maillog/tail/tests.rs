//! What happens to log files: they grow, are rotated, copied, truncated, compressed and lost.

use super::open_file::CUT;
use super::*;
use std::fs::{self, File, OpenOptions};
use std::io::Write;

/// A folder with a log in it, and the position of the last tick.
struct Folder {
    path: PathBuf,
    position: Option<Position>,
}

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("carom-tail-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder { path, position: None }
    }

    fn log(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.log(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.log(from), self.log(to)).unwrap();
    }

    fn copy_and_truncate(&self, from: &str, to: &str) {
        fs::copy(self.log(from), self.log(to)).unwrap();
        OpenOptions::new().write(true).open(self.log(from)).unwrap().set_len(0).unwrap();
    }

    fn gzip(&self, from: &str, to: &str) {
        let mut gzip =
            flate2::write::GzEncoder::new(File::create(self.log(to)).unwrap(), flate2::Compression::fast());
        gzip.write_all(&fs::read(self.log(from)).unwrap()).unwrap();
        gzip.finish().unwrap();
        fs::remove_file(self.log(from)).unwrap();
    }

    /// What one tick reads, as a process of its own with the position that the last one stored.
    fn tick(&mut self) -> String {
        self.tick_reporting().0
    }

    fn tick_reporting(&mut self) -> (String, TailNotes) {
        self.tick_while(|_| {})
    }

    /// A tick, and what happens after it has seen which files there are.
    fn tick_while(&mut self, happens: impl FnOnce(&Folder)) -> (String, TailNotes) {
        let mut tail = Tail::open(&self.log("mail.log"), self.position.clone()).unwrap();
        happens(self);
        let mut text = String::new();
        while let Some(chunk) = tail.next_chunk().unwrap() {
            text.push_str(&String::from_utf8_lossy(chunk.lines));
        }
        let stored = serde_json::to_string(&tail.position()).unwrap();
        self.position = serde_json::from_str(&stored).unwrap();
        (text, tail.notes().clone())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[test]
fn a_growing_file_is_read_by_whole_lines() {
    let mut folder = Folder::new("grows");
    folder.append("mail.log", "one\ntw");
    assert_eq!(folder.tick(), "one\n");
    assert_eq!(folder.tick(), "");
    folder.append("mail.log", "o\nthree\n");
    assert_eq!(folder.tick(), "two\nthree\n");
    assert_eq!(folder.tick(), "");
}

#[test]
fn a_rotated_file_is_read_to_its_end_before_the_new_one() {
    let mut folder = Folder::new("renamed");
    folder.append("mail.log", "one\n");
    assert_eq!(folder.tick(), "one\n");
    folder.append("mail.log", "two\n");
    folder.rename("mail.log", "mail.log.1");
    folder.append("mail.log", "");
    assert_eq!(folder.tick(), "two\n");
    folder.append("mail.log.1", "late\nto");
    assert_eq!(folder.tick(), "late\n", "the writer has not seen the rotated_names yet");
    folder.append("mail.log.1", "rn");
    folder.append("mail.log", "three\n");
    assert_eq!(folder.tick(), "tornthree\n");
    assert_eq!(folder.tick(), "");
}

#[test]
fn several_rotations_between_ticks_are_read_in_order_of_age() {
    let mut folder = Folder::new("missed");
    folder.append("mail.log", "one\n");
    assert_eq!(folder.tick(), "one\n");
    folder.append("mail.log", "two\n");
    folder.rename("mail.log", "mail.log.3");
    folder.gzip("mail.log.3", "mail.log.3.gz");
    folder.append("mail.log.2", "three\n");
    folder.gzip("mail.log.2", "mail.log.2.gz");
    folder.append("mail.log.1", "four\n");
    folder.append("mail.log", "five\n");
    folder.append("mail.log.9", "long ago\n");
    assert_eq!(folder.tick(), "two\nthree\nfour\nfive\n");
    assert_eq!(folder.tick(), "");
}

#[test]
fn a_first_tick_reads_everything_oldest_first() {
    let mut folder = Folder::new("first");
    for (name, text) in [
        ("mail.log-20260102", "two\n"),
        ("mail.log-20260101", "one\n"),
        ("mail.log", "three\n"),
        ("mail.err", "no\n"),
    ] {
        folder.append(name, text);
    }
    assert_eq!(folder.tick(), "one\ntwo\nthree\n");
}

#[test]
fn copy_and_truncation_lose_nothing() {
    let mut folder = Folder::new("copied");
    folder.append("mail.log", "one\ntwo\n");
    assert_eq!(folder.tick(), "one\ntwo\n");
    folder.append("mail.log", "three\n");
    fs::copy(folder.log("mail.log"), folder.log("mail.log.1")).unwrap();
    assert_eq!(folder.tick(), "three\n", "copied, not yet truncated");
    File::create(folder.log("mail.log")).unwrap();
    folder.append("mail.log", "four\n");
    assert_eq!(folder.tick(), "four\n");
    // The same again, but the new beginning is longer than the old position, and nobody looked in
    // between.
    folder.append("mail.log", "five\n");
    fs::copy(folder.log("mail.log"), folder.log("mail.log.1")).unwrap();
    File::create(folder.log("mail.log")).unwrap();
    folder.append("mail.log", "six is much longer than all before\n");
    assert_eq!(folder.tick(), "five\nsix is much longer than all before\n");
}

#[test]
fn a_file_that_is_gone_is_reported_as_lost() {
    let mut folder = Folder::new("lost");
    folder.append("mail.log", "one\n");
    assert_eq!(folder.tick(), "one\n");
    fs::remove_file(folder.log("mail.log")).unwrap();
    folder.append("mail.log", "two\n");
    let (text, notes) = folder.tick_reporting();
    assert_eq!((text.as_str(), notes.lost), ("two\n", true));
    let (text, notes) = folder.tick_reporting();
    assert_eq!((text.as_str(), notes.lost), ("", false));
}

#[test]
fn compressed_files_of_every_kind_are_read() {
    // "one\ntwo\n", compressed by zstd and xz.
    const ZSTD: &str = "28b52ffd24084100006f6e650a74776f0ae6a60e40";
    const XZ: &str = "fd377a585a000004e6d6b4460200210116000000742fe5a30100076f6e650a74\
        776f0a0051ab9eaf5775704900012008bb19d9bb1fb6f37d010000000004595a";
    let bytes = |hex: &str| -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    };
    let mut folder = Folder::new("compressed");
    fs::write(folder.log("mail.log.3.zst"), [bytes(ZSTD), bytes(ZSTD)].concat()).unwrap();
    fs::write(folder.log("mail.log.2.xz"), bytes(XZ)).unwrap();
    folder.append("plain", "three\n");
    folder.gzip("plain", "mail.log.1.gz");
    fs::write(folder.log("mail.log.4.bz2"), "BZh9").unwrap();
    fs::write(folder.log("mail.log.5.gz"), "no gzip").unwrap();
    folder.append("mail.log", "four\n");
    let (text, notes) = folder.tick_reporting();
    assert_eq!(text, "one\ntwo\none\ntwo\none\ntwo\nthree\nfour\n");
    assert_eq!(notes.unread.len(), 2);
}

#[test]
fn a_compressed_file_is_resumed_and_the_plain_one_preferred() {
    let mut folder = Folder::new("resumed");
    folder.append("mail.log", "one\n");
    assert_eq!(folder.tick(), "one\n");
    folder.append("mail.log", "two\n");
    folder.append("mail.log.1", "");
    folder.rename("mail.log", "mail.log.1");
    fs::write(folder.log("mail.log.1.gz"), "half written").unwrap();
    folder.append("mail.log", "three\n");
    assert_eq!(folder.tick(), "two\nthree\n");
}

#[test]
fn a_compressed_file_that_was_read_is_not_read_again() {
    let mut folder = Folder::new("complete");
    folder.append("plain", "one\n");
    folder.gzip("plain", "mail.log.1.gz");
    folder.append("mail.log", "");
    assert_eq!(folder.tick(), "one\n");
    assert!(folder.position.as_ref().unwrap().complete);
    assert_eq!(folder.tick(), "");
    folder.append("mail.log", "two\n");
    assert_eq!(folder.tick(), "two\n");
    assert!(!folder.position.as_ref().unwrap().complete);
}

#[test]
fn the_whole_part_of_a_damaged_file_is_read_and_the_damage_reported() {
    let mut folder = Folder::new("damaged");
    let mut seed = 1_u64;
    let mut line = |_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        format!("{seed}\n")
    };
    folder.append("plain", &(0..200_000).map(&mut line).collect::<String>());
    folder.gzip("plain", "mail.log.1.gz");
    let whole = fs::read(folder.log("mail.log.1.gz")).unwrap();
    fs::write(folder.log("mail.log.1.gz"), &whole[..whole.len() / 2]).unwrap();
    folder.append("mail.log", "last\n");
    let (text, notes) = folder.tick_reporting();
    assert!(text.len() > 1_000_000 && text.ends_with("\nlast\n"));
    assert_eq!(notes.unread.len(), 1);
    assert_eq!(folder.tick(), "");
}

#[test]
fn giant_lines_are_cut_and_do_not_stop_anything() {
    let mut folder = Folder::new("giant");
    let giant = "x".repeat(3 * BUFFER);
    folder.append("mail.log", &format!("one\n{giant}"));
    let text = folder.tick();
    assert_eq!((text.len(), &text[..5]), (4 + CUT, "one\nx"));
    assert!(folder.position.as_ref().unwrap().within_line);
    folder.append("mail.log", &format!("{giant}\ntwo\n"));
    assert_eq!(folder.tick(), "two\n");
    folder.append("mail.log", "\u{0}\n");
    folder.append("mail.log", "three\n");
    assert_eq!(folder.tick(), "\u{0}\nthree\n");
}

#[test]
fn many_chunks_make_the_whole() {
    let mut folder = Folder::new("chunks");
    let text: String = (0..300_000).map(|number| format!("line {number}\n")).collect();
    folder.append("mail.log", &text);
    assert!(text.len() > 3 * BUFFER);
    assert!(folder.tick() == text);
    // Stopped after each chunk.
    folder.position = None;
    let mut read = String::new();
    while read.len() < text.len() {
        let mut tail = Tail::open(&folder.log("mail.log"), folder.position.clone()).unwrap();
        let chunk = tail.next_chunk().unwrap().unwrap();
        assert_eq!((chunk.first_line, chunk.begins), (&b"line 0"[..], read.is_empty()));
        read.push_str(std::str::from_utf8(chunk.lines).unwrap());
        folder.position = tail.position().cloned();
    }
    assert!(read == text);
}

#[test]
fn no_file_at_all_is_an_error() {
    let folder = Folder::new("none");
    assert!(Tail::open(&folder.log("mail.log"), None).is_err());
    assert!(Tail::open(&folder.log("missing/mail.log"), None).is_err());
}

#[test]
fn a_file_that_is_copied_and_truncated_after_it_was_listed_is_read_in_its_copy() {
    let mut folder = Folder::new("truncated-after");
    folder.append("mail.log", "one\n");
    let truncated = folder.tick_while(|folder| {
        folder.copy_and_truncate("mail.log", "mail.log.1");
        folder.append("mail.log", "two\n");
    });
    assert_eq!((truncated.0.as_str(), folder.tick().as_str()), ("", "one\ntwo\n"), "nothing was read before");
    folder.append("mail.log", "three\n");
    let truncated = folder.tick_while(|folder| {
        folder.rename("mail.log.1", "mail.log.2");
        folder.copy_and_truncate("mail.log", "mail.log.1");
        folder.append("mail.log", "four, which is longer than what was read\n");
    });
    let then = folder.tick();
    assert_eq!(
        (truncated.0.as_str(), then.as_str()),
        ("", "three\nfour, which is longer than what was read\n"),
        "it was read in part"
    );
    assert_eq!(folder.tick(), "");
}

#[test]
fn files_that_begin_with_the_same_header_are_told_apart() {
    let mut folder = Folder::new("headers");
    let begun = std::time::SystemTime::now() - std::time::Duration::from_secs(1000);
    let written = |folder: &Folder, name: &str, second: u64| {
        let file = File::options().append(true).open(folder.log(name)).unwrap();
        file.set_modified(begun + std::time::Duration::from_secs(second)).unwrap();
    };
    folder.append("mail.log-20260101", "type,rcpt\nd,long ago\n");
    written(&folder, "mail.log-20260101", 0);
    folder.append("mail.log", "type,rcpt\n");
    written(&folder, "mail.log", 1);
    assert_eq!(folder.tick(), "type,rcpt\nd,long ago\ntype,rcpt\n");
    folder.append("mail.log", "d,one\n");
    folder.rename("mail.log", "mail.log-20260102");
    folder.gzip("mail.log-20260102", "mail.log-20260102.gz");
    written(&folder, "mail.log-20260102.gz", 2);
    folder.append("mail.log", "type,rcpt\n");
    written(&folder, "mail.log", 3);
    assert_eq!(folder.tick(), "d,one\ntype,rcpt\n", "renamed and compressed");
    folder.append("mail.log", "d,two\n");
    folder.copy_and_truncate("mail.log", "mail.log-20260103");
    written(&folder, "mail.log-20260103", 4);
    folder.append("mail.log", "type,rcpt\nd,three\n");
    assert_eq!(folder.tick(), "d,two\ntype,rcpt\nd,three\n", "copied and truncated");
    assert_eq!(folder.tick(), "");
}

#[test]
fn a_file_that_is_truncated_between_two_chunks_is_read_on_in_its_copy() {
    let mut folder = Folder::new("truncated-within");
    let lines =
        |word: &str, many: u32| (0..many).map(|n| format!("{word} {n} {}\n", "x".repeat(90))).collect();
    let (old, new): (String, String) = (lines("old", 8000), lines("new", 12_000));
    folder.append("mail.log", &old);
    let mut tail = Tail::open(&folder.log("mail.log"), None).unwrap();
    let mut text = String::new();
    let mut take = |tail: &mut Tail| {
        let chunk = tail.next_chunk().unwrap();
        chunk.map(|chunk| text.push_str(&String::from_utf8_lossy(chunk.lines))).is_some()
    };
    assert!(take(&mut tail) && take(&mut tail));
    // The file grows beyond the position before reading continues.
    folder.copy_and_truncate("mail.log", "mail.log.1");
    folder.append("mail.log", &new);
    assert!(!take(&mut tail), "bytes of the new file were taken for the old one's");
    folder.position = tail.position().cloned();
    text.push_str(&folder.tick());
    assert!(text == old + &new);
}
