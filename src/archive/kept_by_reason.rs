//! Messages that were accepted without an effect, kept compressed by the reason, and complaints
//! that match nobody, as if that were one.
//!
//! ```text
//! unproven/no-report/1795255200000-7d21…-5120.eml.gz
//! ```
//!
//! The names are the reason, the arrival time, a digest of the key, and the compressed size. What
//! `carom find` looks for is in the comment of the gzip header, so that the file unpacks to the
//! message as it came. Not here: which messages are kept (`deliver/unproven_message`). Invariants:
//! what is kept for one reason is bounded in number and bytes, so that many messages of one kind
//! displace no other kind; a message that comes again under its key is kept once.

use super::{ENDING, Kept, UNMATCHED, key_digest};
use crate::clock::DAY_MS;
use crate::config::Config;
use crate::envelope::Envelope;
use crate::error::{Context, Result};
use crate::files::publish::{publish, remove_scraps, sync_directory};
use crate::files::{private, regular};
use crate::mail::Mail;
use crate::named_address::NamedAddress;
use crate::plan::Unproven;
use crate::text::bounded;
use flate2::Compression;
use flate2::GzBuilder;
use flate2::read::GzDecoder;
use serde::Serialize;
use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Bytes of the comment at most.
const LONGEST_COMMENT: usize = 16 << 10;

/// What a message can be found by.
#[derive(Serialize)]
struct Label<'a> {
    #[serde(flatten)]
    envelope: &'a Envelope,
    /// Addresses and ids that the message is about.
    about: &'a [String],
}

/// A file of the directory of a reason.
struct KeptFile {
    at_ms: i64,
    digest: String,
    size: u64,
    path: PathBuf,
}

/// Keeps a message, and removes the oldest of its reason if there are too many. It is on disk on
/// return. `about` are addresses and ids that it can be found by.
pub(crate) fn keep(config: &Config, reason: Unproven, mail: &Mail, about: &[String]) -> Result<PathBuf> {
    keep_in(config, reason.key(), mail, about)
}

/// The same of a complaint that matches nobody, which is found by these ids: one copy, however many
/// there are, because who wrote it has chosen them.
pub(crate) fn keep_unmatched(config: &Config, mail: &Mail, ids: &[String]) -> Result<PathBuf> {
    keep_in(config, UNMATCHED, mail, ids)
}

fn keep_in(config: &Config, reason: &str, mail: &Mail, about: &[String]) -> Result<PathBuf> {
    let folder = config.unproven_dir().join(reason);
    private::make_directory(&folder).context(folder.display()).map_err(|error| {
        error.remedy("let the user that runs carom write there, or set [unproven] directory")
    })?;
    let digest = key_digest(mail.key.text());
    let mut files = files(&folder);
    if let Some(known) = files.iter().find(|file| file.digest == digest) {
        // A kill may have come before its name was durable.
        sync_directory(&folder).context(folder.display())?;
        return Ok(known.path.clone());
    }
    let packed = packed(mail, about).context("cannot compress")?;
    let (at_ms, size) = (mail.at_ms.max(0), packed.len() as u64);
    let path = folder.join(format!("{at_ms:013}-{digest}-{size}{ENDING}"));
    publish(&path, &packed, private::FILE)?;
    files.push(KeptFile { at_ms, digest, size, path: path.clone() });
    let table = &config.unproven.table;
    for old in displaced(files, table.per_reason, table.max_size) {
        // Another process may have removed it already.
        let _ = fs::remove_file(old);
    }
    Ok(path)
}

fn packed(mail: &Mail, about: &[String]) -> std::io::Result<Vec<u8>> {
    let label = serde_json::to_string(&Label { envelope: &mail.envelope, about }).unwrap_or_default();
    let label = bounded(&label, LONGEST_COMMENT).replace('\0', "");
    let mut packed = GzBuilder::new().comment(label).write(Vec::new(), Compression::default());
    packed.write_all(mail.raw())?;
    packed.finish()
}

/// The oldest files beyond this number and these bytes. The newest stays.
fn displaced(mut files: Vec<KeptFile>, most: usize, max_size: u64) -> Vec<PathBuf> {
    files.sort_by(|a, b| (b.at_ms, &b.digest).cmp(&(a.at_ms, &a.digest)));
    let (mut number, mut bytes) = (0, 0_u64);
    let stays = |file: &KeptFile| {
        number += 1;
        bytes = bytes.saturating_add(file.size);
        number == 1 || (number <= most && bytes <= max_size)
    };
    let first = files.iter().map(stays).position(|stays| !stays).unwrap_or(files.len());
    files.drain(first..).map(|file| file.path).collect()
}

/// What is kept about an address, a queue id or a Message-ID, the newest first.
pub(crate) fn about(config: &Config, sought: &NamedAddress) -> Vec<Kept> {
    let comment = |path: &Path| {
        let opened = regular::open(path).ok().map(GzDecoder::new)?;
        opened.header()?.comment().map(<[u8]>::to_vec)
    };
    select(config, |file| comment(&file.file).is_some_and(|comment| sought.is_in(&comment)))
}

pub(super) fn select(config: &Config, is_wanted: impl Fn(&Kept) -> bool) -> Vec<Kept> {
    let all = shelves().flat_map(|reason| shelf(config, reason));
    let mut found: Vec<Kept> = all.filter(is_wanted).collect();
    found.sort_by(|a, b| (b.at_ms, &b.file).cmp(&(a.at_ms, &a.file)));
    found
}

/// The complaints that match nobody, the newest first.
pub(super) fn unmatched(config: &Config) -> Vec<Kept> {
    let mut found = shelf(config, UNMATCHED);
    found.sort_by(|a, b| (b.at_ms, &b.file).cmp(&(a.at_ms, &a.file)));
    found
}

fn shelves() -> impl Iterator<Item = &'static str> {
    Unproven::keys().chain([UNMATCHED])
}

fn shelf(config: &Config, reason: &'static str) -> Vec<Kept> {
    let files = files(&config.unproven_dir().join(reason)).into_iter();
    files.map(|file| Kept { at_ms: file.at_ms, file: file.path, reason: Some(reason) }).collect()
}

/// The digests of the keys of all that is kept.
pub(super) fn digests(config: &Config) -> HashSet<String> {
    let of_reason = |reason| files(&config.unproven_dir().join(reason)).into_iter().map(|file| file.digest);
    shelves().flat_map(of_reason).collect()
}

/// Removes what has been kept long enough. What cannot be removed now is removed by a later tick.
pub(crate) fn expire(config: &Config, now_ms: i64) {
    let days = i64::from(config.unproven.table.days);
    let oldest_ms = if days == 0 { i64::MIN } else { now_ms - days * DAY_MS };
    for reason in shelves() {
        let folder = config.unproven_dir().join(reason);
        remove_scraps(&folder);
        for old in files(&folder).into_iter().filter(|file| file.at_ms < oldest_ms) {
            let _ = fs::remove_file(old.path);
        }
        // Fails while it is not empty.
        let _ = fs::remove_dir(&folder);
    }
}

/// The files with names like ours, in any order.
fn files(folder: &Path) -> Vec<KeptFile> {
    let file = |path: PathBuf| {
        let mut parts = path.file_name()?.to_str()?.strip_suffix(ENDING)?.split('-');
        let (at_ms, digest, size) = (parts.next()?, parts.next()?, parts.next()?);
        Some(KeptFile { at_ms: at_ms.parse().ok()?, digest: digest.into(), size: size.parse().ok()?, path })
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| file(entry.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::read;

    struct Home(Config);

    impl Home {
        fn new(table: &str) -> Home {
            let mut config = Config::parse(&format!("[unproven]\n{table}")).unwrap();
            let name = format!("carom-unproven-{:x}", fastrand::u64(..));
            config.state = Some(std::env::temp_dir().join(name));
            Home(config)
        }

        fn keep(&self, reason: Unproven, queue_id: &str, at_ms: i64, raw: &[u8]) -> PathBuf {
            let envelope = Envelope { queue_id: Some(queue_id.into()), ..Envelope::default() };
            let mail = Mail::arrived(raw.to_vec(), envelope, 0, at_ms);
            keep(&self.0, reason, &mail, &[format!("Joe{at_ms}@a.example")]).unwrap()
        }

        fn times(&self) -> Vec<i64> {
            about(&self.0, &NamedAddress::or_text("@a.example")).iter().map(|kept| kept.at_ms).collect()
        }
    }

    impl Drop for Home {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(self.0.state_dir());
        }
    }

    #[test]
    fn each_reason_keeps_its_newest_and_a_message_that_comes_again_once() {
        let home = Home::new("per_reason = 2\n");
        let first = home.keep(Unproven::NoReport, "4A", 1, b"one");
        assert_eq!(home.keep(Unproven::NoReport, "4A", 2, b"one"), first, "a redelivery");
        for (queue_id, at_ms) in [("4B", 5), ("4C", 3), ("4D", 4)] {
            home.keep(Unproven::AutoReply, queue_id, at_ms, b"away");
        }
        assert_eq!(home.times(), [5, 4, 1]);
        let found = about(&home.0, &NamedAddress::or_text("joe1@A.example"));
        assert_eq!((found.len(), found[0].reason), (1, Some("no-report")));
        assert_eq!(read(&found[0], &home.0).unwrap(), b"one");
        assert_eq!(about(&home.0, &NamedAddress::or_text("4d")).len(), 1, "by its queue id");
    }

    #[test]
    fn bytes_are_bounded_and_the_newest_stays_however_long_it_is() {
        let home = Home::new("max_size = 3000\n");
        let noise: Vec<u8> = (0..2000).map(|_| fastrand::u8(..)).collect();
        for at_ms in 1..5 {
            home.keep(Unproven::NoReport, &at_ms.to_string(), at_ms, &noise);
        }
        assert_eq!(home.times(), [4]);
        home.keep(Unproven::NoReport, "9", 9, &noise.repeat(9));
        assert_eq!(home.times(), [9]);
        expire(&home.0, 91 * DAY_MS);
        assert!(home.times().is_empty() && !home.0.unproven_dir().join("no-report").exists());
    }
}
