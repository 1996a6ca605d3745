//! The suppression list as access maps of Postfix, which refuse suppressed recipients: one for what
//! gets no mail from any sender, and one for each sender domain of the config.
//!
//! An access map knows the recipient and not the sender, so entries of one sender domain are in
//! another map. Not here: what Postfix looks up (`access_key`). Invariant: under its name a map is
//! whole, or the one before; one that says the same is left alone, and the first one changes with
//! each other.

use super::access_key::AccessKey;
use super::each_some;
use crate::config::{AccessMap, ExportTable, shown_reason};
use crate::deadline::Deadline;
use crate::digest;
use crate::error::{Context, Error, Result};
use crate::files::command::{self, shell_word};
use crate::files::publish::Unfinished;
use crate::files::user_database::SYSTEM;
use crate::mailbox_syntax::normal_domain;
use crate::store::{Store, Suppressed};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Postfix opens its maps before it gives up root's rights, so nobody else has to read addresses.
const MODE: u32 = 0o640;
const COMPILER: &str = "postmap";
/// A million entries take it 3 s, and a busy host makes that many times longer.
const PATIENCE: Duration = Duration::from_secs(180);

/// Writes every map that `[export]` asks for.
pub(crate) fn write(export: &ExportTable, store: &Store, now_ms: i64) -> Result<()> {
    let Some(first) = &export.postfix_access else { return Ok(()) };
    let written = (|| {
        let mut lists = vec![UnfinishedMap::create("", first.clone())?];
        for domain in &export.postfix_access_senders {
            lists.push(UnfinishedMap::create(&normal_domain(domain), first.of_sender(domain))?);
        }
        Ok(lists)
    })();
    let mut lists = written.map_err(|error| unwritable(&first.path, error))?;
    each_some(store, "", now_ms, |entries| {
        for entry in entries.iter().filter(|entry| !entry.has_expired(now_ms)) {
            for list in lists.iter_mut().filter(|list| list.sender == entry.sender_domain) {
                list.add(entry).context(first.path.display())?;
            }
        }
        Ok(())
    })?;
    // The first map is written last: it names the state of all.
    let mut state = String::new();
    for list in lists.into_iter().rev() {
        let map = list.map.clone();
        state = list.finish(&state).map_err(|error| unwritable(&map.path, error))?;
        compile(&map)?;
    }
    Ok(())
}

fn unwritable(path: &Path, error: io::Error) -> Error {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let (shown, user) = (directory.display(), SYSTEM.name(rustix::process::geteuid().as_raw()));
    let fix = match directory.exists() {
        true => format!("let {user} write in {shown}"),
        false => format!("make the directory: install -d -o {user} {}", shell_word(directory)),
    };
    let error = Error::new(format_args!("{}: {error}", path.display()));
    error.remedy(format_args!("{fix}, or set [export] postfix_access"))
}

/// A map with its table of patterns, on the way to their names.
struct UnfinishedMap {
    /// The domain whose mail it refuses; empty: of any.
    sender: String,
    map: AccessMap,
    keys: BufWriter<Unfinished>,
    patterns: BufWriter<Unfinished>,
    entries: u64,
    /// Entries that Postfix cannot look up.
    left_out: u64,
    digest: String,
}

impl UnfinishedMap {
    fn create(sender: &str, map: AccessMap) -> io::Result<UnfinishedMap> {
        let directory = map.path.parent().unwrap_or(Path::new("/"));
        let [mut keys, mut patterns] =
            [Unfinished::create(directory)?, Unfinished::create(directory)?].map(BufWriter::new);
        for file in [&mut keys, &mut patterns] {
            writeln!(file, "# The suppression list, written by `carom cron`: changes are overwritten.")?;
        }
        let sender = sender.to_owned();
        Ok(UnfinishedMap { sender, map, keys, patterns, entries: 0, left_out: 0, digest: String::new() })
    }

    fn add(&mut self, entry: &Suppressed) -> io::Result<()> {
        let answer = answer(entry);
        let (file, lines): (_, Vec<String>) = match AccessKey::of(entry) {
            Some(AccessKey::Address(keys)) => {
                (&mut self.keys, keys.into_iter().map(|key| format!("{key}\t{answer}\n")).collect())
            }
            Some(AccessKey::Patterns(patterns)) => {
                let line = |pattern| format!("/{pattern}$/\t{answer}\n");
                (&mut self.patterns, patterns.into_iter().map(line).collect())
            }
            None => {
                self.left_out += 1;
                return Ok(());
            }
        };
        self.entries += 1;
        let lines = lines.concat();
        self.digest = digest::sha256_hex(&[self.digest.as_bytes(), lines.as_bytes()], 16);
        file.write_all(lines.as_bytes())
    }

    /// Gives both files their names. Returns the state of this map and of those before.
    fn finish(mut self, before: &str) -> io::Result<String> {
        let state = digest::sha256_hex(&[before.as_bytes(), self.digest.as_bytes()], 16);
        writeln!(self.keys, "# {} entries, {} left out, state {state}", self.entries, self.left_out)?;
        if self.left_out > 0 {
            tracing::warn!(left_out = self.left_out, map = %self.map.path.display(), "entries have no key");
        }
        self.patterns.into_inner()?.replace_if_new(&self.map.patterns(), MODE)?;
        self.keys.into_inner()?.replace_if_new(&self.map.path, MODE)?;
        Ok(state)
    }
}

/// What the client is sent.
fn answer(entry: &Suppressed) -> String {
    format!("550 5.7.1 this address is suppressed: {}", shown_reason(entry.given_reason()))
}

/// Has postmap(1) compile the map, if the text is newer. It replaces the compiled map as a whole.
fn compile(map: &AccessMap) -> Result<()> {
    let Some(compiled) = map.compiled() else { return Ok(()) };
    let dated = |path: &Path| path.metadata().and_then(|about| about.modified()).ok();
    let is_newer = |compiled: SystemTime| dated(&map.path).is_some_and(|text| text <= compiled);
    if dated(&compiled).is_some_and(is_newer) {
        return Ok(());
    }
    let postmap = ["/usr/sbin/postmap", "/usr/bin/postmap"].into_iter().find(|path| command::exists(path));
    let written = format!("{}:{}", map.kind.name(), map.path.display());
    let arguments = [postmap.unwrap_or(COMPILER).to_owned(), written.clone()];
    command::run(&arguments, Deadline::after(PATIENCE)).map_err(|error| {
        let shown = map.path.display();
        error.within("[export] postfix_access").remedy(format_args!(
            "let `postmap {written}` work (Debian: postfix-cdb), or set texthash:{shown}"
        ))
    })
}
