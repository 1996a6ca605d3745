//! Reports that are kept, compressed, by the address they are about, to show why an address gets no
//! more mail.
//!
//! ```text
//! kept/3f/3f9a…c2/1795255200000-7d21….eml.gz
//! ```
//!
//! The names are the start of a digest of the address, that digest, and the arrival time with the
//! key of the journal. Not here: which reports are kept (policies), and messages without an effect
//! (`kept_by_reason`). Invariant: an address never becomes part of a path; what is kept of one
//! address is bounded, and expires.

/// Messages that were accepted without an effect, by the reason.
pub(crate) mod kept_by_reason;

use crate::clock::DAY_MS;
use crate::config::Config;
use crate::digest;
use crate::error::{Context, Error, Result};
use crate::files::publish::{publish, remove_scraps};
use crate::files::{private, regular};
use crate::mailbox_syntax::{in_a_labels, split_address};
use crate::named_address::NamedAddress;
use crate::plan::Unproven;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::Serialize;
use std::collections::HashSet;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// How the names of reports end.
const ENDING: &str = ".eml.gz";

/// The name that all complaints are kept under that match nobody.
pub(crate) const UNMATCHED: &str = "complaint-unmatched";

/// Why they are kept, for operators.
pub(crate) const UNMATCHED_TEXT: &str = "the complaint matches nobody";

/// A report that is kept.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Kept {
    /// When it arrived, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    pub(crate) file: PathBuf,
    /// Why it was accepted without an effect; `None`: a policy has kept it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'static str>,
}

/// Keeps a report under an address, once per key, and removes the oldest of that address if there
/// are too many.
pub(crate) fn keep(config: &Config, address: &str, key: &str, at_ms: i64, raw: &[u8]) -> Result<PathBuf> {
    let folder = folder(config, address);
    private::make_directory(&folder)
        .context(folder.display())
        .map_err(|error| error.remedy("let the user that runs carom write there, or set [kept] directory"))?;
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    let packed = packed.write_all(raw).and_then(|()| packed.finish()).context("cannot compress")?;
    let digest = key_digest(key);
    let path = folder.join(format!("{:013}-{digest}{ENDING}", at_ms.max(0)));
    publish(&path, &packed, private::FILE)?;
    for old in list(&folder).into_iter().skip(config.kept.per_address) {
        // Another process may have removed it already.
        let _ = fs::remove_file(old.file);
    }
    Ok(path)
}

/// The key of a message, as it is in the name of its copy.
pub(crate) fn key_digest(key: &str) -> String {
    digest::sha256_hex(&[key.as_bytes()], 16)
}

/// The digests of the keys of all messages without an effect that are kept now.
pub(crate) fn without_effect(config: &Config) -> HashSet<String> {
    kept_by_reason::digests(config)
}

/// The complaints that match nobody and came as these messages.
pub(crate) fn unmatched_of<'m>(config: &Config, messages: impl Iterator<Item = &'m str>) -> Vec<Kept> {
    of(config, UNMATCHED).into_iter().filter(is_of(messages)).collect()
}

/// The copies of these messages, found by the names of the files: no copy is opened.
pub(crate) fn of_messages<'m>(config: &Config, messages: impl Iterator<Item = &'m str>) -> Vec<Kept> {
    let mut messages = messages.peekable();
    if messages.peek().is_none() {
        return Vec::new();
    }
    kept_by_reason::select(config, is_of(messages))
}

/// Whether a copy is of one of these messages.
fn is_of<'m>(messages: impl Iterator<Item = &'m str>) -> impl Fn(&Kept) -> bool {
    let digests: HashSet<String> = messages.map(key_digest).collect();
    move |kept| digest_of(kept).is_some_and(|digest| digests.contains(&digest))
}

/// The digest of the key of the message, from the name of its copy.
fn digest_of(kept: &Kept) -> Option<String> {
    let name = kept.file.file_name()?.to_str()?.strip_suffix(ENDING)?;
    name.split('-').nth(1).map(str::to_owned)
}

/// What is kept of an address, or of complaints that match nobody, the newest first.
pub(crate) fn of(config: &Config, address: &str) -> Vec<Kept> {
    if address == UNMATCHED {
        return kept_by_reason::unmatched(config);
    }
    list(&folder(config, address))
}

/// What is kept about an address, a queue id or a Message-ID, whoever kept it, the newest first. A
/// complaint that matches nobody is about every address that it names.
pub(crate) fn about(config: &Config, key: &str) -> Vec<Kept> {
    let sought = NamedAddress::or_text(key).in_paths(config.return_paths.prefixes());
    let mut found = of(config, key);
    let names_it = |kept: &Kept| read(kept, config).is_ok_and(|raw| sought.is_in(&raw));
    if split_address(key).is_some() {
        found.extend(of(config, UNMATCHED).into_iter().filter(names_it));
    }
    found.extend(kept_by_reason::about(config, &sought));
    found.sort_by(|a, b| (b.at_ms, &b.file).cmp(&(a.at_ms, &a.file)));
    found.dedup_by(|a, b| a.file == b.file);
    found
}

/// The digests of the keys of messages that are kept about an address.
pub(crate) fn digests_about(config: &Config, address: &str) -> HashSet<String> {
    about(config, address).iter().filter_map(digest_of).collect()
}

/// Why a message is kept, as a plain sentence.
pub(crate) fn text_of(reason: &str) -> Option<&'static str> {
    if reason == UNMATCHED { Some(UNMATCHED_TEXT) } else { Unproven::text_of(reason) }
}

/// Removes what is kept about an address, whoever kept it; returns how many messages there were.
pub(crate) fn forget(config: &Config, address: &str) -> Result<usize> {
    let kept = about(config, address);
    for Kept { file, .. } in &kept {
        match fs::remove_file(file) {
            // An expiry may have been quicker.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.context(file.display())?,
        }
    }
    // Fails if a report has come meanwhile, or if nothing was ever kept.
    let _ = fs::remove_dir(folder(config, address));
    Ok(kept.len())
}

/// The report as it came, at most as large as a message may be.
pub(crate) fn read(kept: &Kept, config: &Config) -> Result<Vec<u8>> {
    let file = regular::open(&kept.file).context(kept.file.display())?;
    let mut raw = Vec::new();
    let most = config.message.max_size;
    let read = GzDecoder::new(file).take(most.saturating_add(1)).read_to_end(&mut raw);
    read.context(kept.file.display())?;
    if raw.len() as u64 > most {
        return Err(Error::new(format_args!("{}: larger than a message may be", kept.file.display()))
            .remedy("raise [message] max_size"));
    }
    Ok(raw)
}

/// Removes what has been kept long enough. What cannot be removed now is removed by a later tick.
pub(crate) fn expire(config: &Config, now_ms: i64) {
    let days = i64::from(config.kept.days);
    let oldest_ms = if days == 0 { i64::MIN } else { now_ms - days * DAY_MS };
    for shelf in folders(&config.kept_dir()) {
        for folder in folders(&shelf) {
            for old in list(&folder).into_iter().filter(|kept| kept.at_ms < oldest_ms) {
                let _ = fs::remove_file(old.file);
            }
            remove_scraps(&folder);
            // Fails while it is not empty.
            let _ = fs::remove_dir(&folder);
        }
        let _ = fs::remove_dir(&shelf);
    }
}

fn folder(config: &Config, address: &str) -> PathBuf {
    let name = digest::sha256_hex(&[in_a_labels(&address.to_lowercase()).as_bytes()], 32);
    config.kept_dir().join(&name[..2]).join(&name)
}

/// Directories with names like ours; nothing else is ever touched.
fn folders(path: &Path) -> Vec<PathBuf> {
    let ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        matches!(name.len(), 2 | 32) && name.bytes().all(|c| c.is_ascii_hexdigit()) && path.is_dir()
    };
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(ours).collect()
}

/// The reports in a directory, the newest first.
fn list(folder: &Path) -> Vec<Kept> {
    let kept = |file: PathBuf| {
        let name = file.file_name()?.to_str()?.strip_suffix(ENDING)?;
        let at_ms = name.split('-').next()?.parse().ok()?;
        Some(Kept { at_ms, file, reason: None })
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<Kept> = entries.filter_map(|entry| kept(entry.path())).collect();
    found.sort_by(|a, b| (b.at_ms, &b.file).cmp(&(a.at_ms, &a.file)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Home(Config);

    impl Home {
        fn new(per_address: usize) -> Home {
            let state = std::env::temp_dir().join(format!("carom-kept-{:x}", fastrand::u64(..)));
            let mut config = Config { state: Some(state), ..Config::default() };
            config.kept.per_address = per_address;
            Home(config)
        }
    }

    impl Drop for Home {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(self.0.state_dir());
        }
    }

    #[test]
    fn the_newest_are_kept_and_each_once() {
        let Home(config) = &Home::new(3);
        for at_ms in [5, 1, 9, 7, 7] {
            keep(config, "Joe@a.example", &format!("key {at_ms}"), at_ms, format!("mail {at_ms}").as_bytes())
                .unwrap();
        }
        let found = of(config, "joe@A.example");
        assert_eq!(found.iter().map(|kept| kept.at_ms).collect::<Vec<_>>(), [9, 7, 5]);
        assert_eq!(read(&found[1], config).unwrap(), b"mail 7");
        assert!(of(config, "jim@a.example").is_empty());
    }

    #[test]
    fn no_address_leads_out_of_the_directory() {
        let Home(config) = &Home::new(3);
        for address in
            ["../../../etc/passwd@a.example", "/etc/passwd", "a\0b@c.example", "", ".", &"x".repeat(9000)]
        {
            let path = keep(config, address, "../key", 1, b"mail").unwrap();
            assert!(
                path.starts_with(config.kept_dir()) && !path.to_string_lossy().contains(".."),
                "{path:?}"
            );
            assert_eq!(of(config, address).len(), 1);
        }
    }

    #[test]
    fn old_reports_are_removed_and_other_files_stay() {
        let Home(config) = &Home::new(3);
        let now_ms = 200 * DAY_MS;
        keep(config, "joe@a.example", "old", now_ms - 91 * DAY_MS, b"mail").unwrap();
        keep(config, "joe@a.example", "new", now_ms - 89 * DAY_MS, b"mail").unwrap();
        keep(config, "jim@a.example", "old", now_ms - 91 * DAY_MS, b"mail").unwrap();
        let foreign = config.kept_dir().join("notes.txt");
        fs::write(&foreign, "mine").unwrap();
        expire(config, now_ms);
        assert_eq!((of(config, "joe@a.example").len(), of(config, "jim@a.example").len()), (1, 0));
        assert_eq!(folders(&config.kept_dir()).len(), 1, "empty directories go");
        assert!(foreign.exists());
        expire(
            &Config { kept: crate::config::KeptTable { days: 0, ..config.kept.clone() }, ..config.clone() },
            i64::MAX,
        );
        assert_eq!(of(config, "joe@a.example").len(), 1);
    }

    #[test]
    fn what_unpacks_to_more_than_a_message_is_refused() {
        let Home(config) = &Home::new(3);
        keep(config, "joe@a.example", "bomb", 1, &vec![0; 1 << 20]).unwrap();
        let small = Config {
            message: crate::config::MessageTable { max_size: 1000, ..config.message.clone() },
            ..config.clone()
        };
        assert!(read(&of(config, "joe@a.example")[0], &small).is_err());
    }
}
