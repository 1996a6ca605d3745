//! How costs grow with what is on record: a store with 1, 10 and 100 times the messages, soft bounces and suppressions. What is done
//! to each of them should cost the same at any size, and what a tick or a look-up costs should hardly grow.
//!
//! `CAROM_BENCH_MESSAGES` and `CAROM_BENCH_SUPPRESSIONS` are the largest sizes; `make bench` takes 1,000,000 of each.

use super::{Bench, Outcome, measured};
use rusqlite::Connection;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Sizes, as parts of the largest.
const PARTS: [u64; 3] = [100, 10, 1];
/// Runs of what is too short to be measured once.
const RUNS: u32 = 10;
const LARGEST: u64 = 1_000_000;

pub(super) fn run(bench: &Bench) -> Outcome<()> {
    messages(&bench.binary, &bench.dir)?;
    suppressions(&bench.binary, &bench.dir)
}

/// A state directory, and how carom is run on it.
struct State<'b> {
    binary: &'b Path,
    dir: PathBuf,
}

/// What is measured, at each size.
struct Growth {
    what: &'static str,
    /// Microseconds.
    each: Vec<f64>,
}

impl State<'_> {
    /// CPU time of a command, in seconds.
    fn carom(&self, arguments: &[&str]) -> Outcome<f64> {
        let mut command = Command::new(self.binary);
        command.arg("--config").arg(self.dir.join("carom.toml")).args(arguments).stdout(Stdio::null());
        Ok(measured::run(&mut command)?.cpu_ms / 1e3)
    }

    /// The same in microseconds, the mean of several runs.
    fn mean(&self, arguments: &[&str]) -> Outcome<f64> {
        let mut seconds = 0.0;
        for _ in 0..RUNS {
            seconds += self.carom(arguments)?;
        }
        Ok(seconds * 1e6 / f64::from(RUNS))
    }

    /// CPU time of the ticks until none of these rows is there, in seconds.
    fn expired(&self, rows: &str) -> Outcome<f64> {
        let mut seconds = self.carom(&["cron", "-q"])?;
        let db = Connection::open(self.dir.join("state/carom.db"))?;
        let some = format!("SELECT EXISTS (SELECT 1 FROM {rows})");
        while db.query_row(&some, [], |row| row.get(0))? {
            seconds += self.carom(&["cron", "-q"])?;
        }
        Ok(seconds)
    }

    fn sql(&self, sql: &str) -> Outcome<()> {
        let db = Connection::open(self.dir.join("state/carom.db"))?;
        db.execute_batch(&format!("PRAGMA synchronous = OFF; BEGIN; {sql}; COMMIT;"))?;
        Ok(())
    }
}

fn new_state<'b>(binary: &'b Path, dir: &Path, name: &str) -> Outcome<State<'b>> {
    let dir = dir.join(name);
    fs::create_dir_all(&dir)?;
    fs::write(dir.join("carom.toml"), format!("state = {:?}\n", dir.join("state")))?;
    let state = State { binary, dir };
    state.carom(&["cron", "-q"])?;
    Ok(state)
}

/// A journal of finished messages, each with a notification and a soft bounce.
fn messages(binary: &Path, dir: &Path) -> Outcome<()> {
    let largest = size("CAROM_BENCH_MESSAGES");
    println!("\n{largest} messages in the journal, each with a notification and a soft bounce");
    let names = ["a tick", "finding an address", "the ticks that expire them, each"];
    let mut growths = names.map(|what| Growth { what, each: Vec::new() });
    for part in PARTS {
        let many = largest / part;
        let state = new_state(binary, dir, &format!("messages-{many}"))?;
        state.sql(&filled(many))?;
        growths[0].each.push(state.mean(&["cron", "-q"])?);
        growths[1].each.push(state.mean(&["find", "user77@d7.example"])?);
        let old = "UPDATE journal SET at_ms = at_ms - 11 * 86400000";
        state.sql(old)?;
        growths[2].each.push(state.expired("journal WHERE state = 'finished'")? * 1e6 / many as f64);
        fs::remove_dir_all(state.dir)?;
    }
    growths.iter().for_each(|growth| growth.show(largest));
    Ok(())
}

/// One in a hundred waits for another try in an hour, one in a thousand has failed.
fn filled(many: u64) -> String {
    let each = format!("WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {many})");
    let now = "unixepoch() * 1000";
    let plan = r#"'{"verdict":"accept","steps":[{"action":"notify","event":"bounce.soft","address":"user' || n || '@d' || n % 70
        || '.example","sender_domain":"shop.example","fields":[]}]}'"#;
    format!(
        "{each} INSERT INTO journal (key, state, at_ms, policy, seed, envelope, plan)
            SELECT printf('%016x%016x', n * 2654435761, n), iif(n % 100, 'finished', 'open'), {now} - n % 1000, 'bounce', '1',
            '{{\"sender\":\"\",\"recipient\":\"bounces@shop.example\"}}', {plan} FROM n;
         {each} INSERT INTO steps (key, step, action, state, due_ms, attempts, note, address)
            SELECT printf('%016x%016x', n * 2654435761, n), 0, 'notify',
            CASE WHEN n % 100 = 0 THEN 'pending' WHEN n % 1000 = 1 THEN 'failed' ELSE 'succeeded' END,
            {now} + 3600000, 1, '', 'user' || n || '@d' || n % 70 || '.example' FROM n;
         {each} INSERT INTO strikes (address, sender_domain, key, at_ms, proven)
            SELECT 'user' || n || '@d' || n % 70 || '.example', 'shop.example', 'k' || n, {now} - n, 1 FROM n"
    )
}

/// A list that is imported, looked up, written out, and expires in part.
fn suppressions(binary: &Path, dir: &Path) -> Outcome<()> {
    let largest = size("CAROM_BENCH_SUPPRESSIONS");
    println!("\n{largest} suppressions");
    let names =
        ["an import, each", "a look-up", "listing, each", "a tick", "the ticks that expire a tenth, each"];
    let mut growths = names.map(|what| Growth { what, each: Vec::new() });
    for part in PARTS {
        let many = largest / part;
        let state = new_state(binary, dir, &format!("suppressions-{many}"))?;
        let list = state.dir.join("list");
        write_list(&list, many)?;
        let each = |seconds: f64, of: u64| seconds * 1e6 / of as f64;
        let list = list.display().to_string();
        growths[0].each.push(each(state.carom(&["suppress", "import", &list])?, many));
        growths[1].each.push(state.mean(&["suppress", "check", "nobody@d7.example"])?);
        growths[2].each.push(each(state.carom(&["suppress", "export"])?, many));
        growths[3].each.push(state.mean(&["cron", "-q"])?);
        state.sql("UPDATE suppressions SET expires_ms = 1 WHERE substr(address, 5, 1) = '9'")?;
        growths[4].each.push(each(state.expired("suppressions WHERE expires_ms = 1")?, many / 10));
        fs::remove_dir_all(state.dir)?;
    }
    growths.iter().for_each(|growth| growth.show(largest));
    Ok(())
}

/// One address a line, in no order.
pub(super) fn write_list(path: &Path, many: u64) -> Outcome<()> {
    let mut list = BufWriter::new(File::create(path)?);
    for n in 0..many {
        let n = n * 7919 % many;
        writeln!(list, "user{n}@d{}.example", n % 70)?;
    }
    Ok(list.flush()?)
}

impl Growth {
    fn show(&self, largest: u64) {
        let sizes = PARTS.iter().zip(&self.each);
        let each: Vec<String> =
            sizes.map(|(part, each)| format!("{each:>9.1} µs at {}", largest / part)).collect();
        let grown = self.each.last().zip(self.each.first()).map_or(0.0, |(last, first)| last / first);
        println!("  {:34} {}   {grown:.2} times", self.what, each.join("  "));
    }
}

pub(super) fn size(name: &str) -> u64 {
    std::env::var(name).ok().and_then(|size| size.parse().ok()).unwrap_or(LARGEST)
}
