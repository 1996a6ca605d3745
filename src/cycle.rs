//! Values that change by the day of the week: today's is written into a file of the mail server, and a reload command is run; what is
//! to be done once a day is done at its first tick.
//!
//! Days begin at 00 h UTC, and weeks are counted from a Monday, so that a year of 53 of them does not make the cycle jump. Invariant:
//! a file that says the same is left alone; a reload that is owed stays owed until it succeeds, and what is done once a day is done
//! once, whatever kills the process in between: but for a command, which is run again if it was killed with us.

use crate::clock::{self, DAY_MS};
use crate::config::{Config, CycleTable, PurgeTable};
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::files::command;
use crate::files::owner;
use crate::files::publish::publish;
use crate::store::Store;
use crate::suppress;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Monday 2025-12-22, in days since 1970, as the sink policy has it: in 2026 the count of weeks equals the ISO week.
const ANCHOR: i64 = 20_444;
/// How the line begins that says who wrote a file.
const HEADER: &str = "# Written by carom ";
/// Exports of one day.
const EXPORTS: u32 = 100;

/// What was done, and what could not be.
#[derive(Debug, Default)]
pub(crate) struct Turned {
    /// What was done, a line each.
    pub(crate) done: Vec<String>,
    /// What could not be done; the next tick tries again.
    pub(crate) problems: Vec<Error>,
}

/// Does what each cycle wants now. One at a time: see [`Store::lock_tick`].
pub(crate) fn turn(
    cycles: &[CycleTable],
    config: &Config,
    store: &Store,
    now_ms: i64,
    deadline: Deadline,
) -> Turned {
    let mut turned = Turned::default();
    for cycle in cycles {
        let timeout = Duration::from_millis(cycle.timeout.ms().unsigned_abs());
        let day = Day { cycle, config, store, now_ms, today: now_ms.div_euclid(DAY_MS), timeout, deadline };
        for done in [day.file(), day.purge(), day.run()] {
            match done {
                Ok(done) => turned.done.extend(done),
                Err(error) => turned.problems.push(error.within(format_args!("[[cycle]] {}", cycle.name))),
            }
        }
    }
    turned
}

/// A cycle, today.
struct Day<'a> {
    cycle: &'a CycleTable,
    config: &'a Config,
    store: &'a Store,
    now_ms: i64,
    today: i64,
    timeout: Duration,
    deadline: Deadline,
}

/// The index into a cycle of so many days.
fn place(day: i64, length: usize) -> usize {
    (day - ANCHOR).rem_euclid(length.max(1) as i64) as usize
}

impl Day<'_> {
    fn value(&self, day: i64) -> f64 {
        let values = &self.cycle.values;
        values.get(place(day, values.len())).copied().unwrap_or_default()
    }

    fn mark(&self, what: &str) -> String {
        format!("cycle {} {what}", self.cycle.name)
    }

    /// Writes the file if it does not say today's value, and runs the reload command if that is owed.
    fn file(&self) -> Result<Option<String>> {
        let Some(path) = &self.cycle.file else { return Ok(None) };
        let (value, mark) = (self.value(self.today), self.mark("reload"));
        let body = self.cycle.text.replace("{value}", &value.to_string());
        let body = format!("{}\n", body.trim_end_matches('\n'));
        let changes = fs::read_to_string(path).ok().is_none_or(|there| without_header(&there) != body);
        if changes {
            // On record before the file changes: who is killed in between still owes the command.
            self.store.mark(&mark, "owed")?;
            let days = self.cycle.values.len();
            let header = format!(
                "{HEADER}at {}: [[cycle]] {}, day {} of {days}. It will be written again.\n",
                clock::rfc3339(self.now_ms),
                self.cycle.name,
                place(self.today, days) + 1
            );
            publish(path, (header + &body).as_bytes(), 0o644)?;
        }
        if self.store.marked(&mark)?.as_deref() == Some("owed") {
            command::run(&self.cycle.reload, self.deadline.within(self.timeout))?;
            self.store.mark(&mark, "done")?;
        }
        Ok(changes.then(|| format!("[[cycle]] {}: {value} in {}", self.cycle.name, path.display())))
    }

    /// The word under which it is on record, if there is something to do on this day, or was on one that had no tick.
    fn is_due(&self, what: &str) -> Result<Option<String>> {
        let mark = self.mark(what);
        let done: Option<i64> = self.store.marked(&mark)?.and_then(|day| day.parse().ok());
        if done == Some(self.today) {
            return Ok(None);
        }
        let week = i64::try_from(self.cycle.values.len()).unwrap_or(7);
        // A day that is still to come was a clock that went wrong.
        let first = done.filter(|day| *day < self.today).map_or(self.today, |day| day + 1);
        let due = (first.max(self.today - week)..=self.today).any(|day| self.value(day) > 0.0);
        if !due {
            self.store.mark(&mark, &self.today.to_string())?;
        }
        Ok(due.then_some(mark))
    }

    fn run(&self) -> Result<Option<String>> {
        if self.cycle.run.is_empty() {
            return Ok(None);
        }
        let Some(mark) = self.is_due("run")? else { return Ok(None) };
        command::run(&self.cycle.run, self.deadline.within(self.timeout))?;
        self.store.mark(&mark, &self.today.to_string())?;
        Ok(Some(format!("[[cycle]] {}: {} was run", self.cycle.name, self.cycle.run[0])))
    }

    fn purge(&self) -> Result<Option<String>> {
        let Some(purge) = &self.cycle.purge else { return Ok(None) };
        let Some(mark) = self.is_due("purge")? else { return Ok(None) };
        let mut entries = self.store.suppressions("", self.now_ms)?;
        entries.retain(|entry| {
            let is = |names: &[String], name: &str| names.iter().any(|one| one.eq_ignore_ascii_case(name));
            is(&purge.sources, &entry.source)
                && (purge.sender_domains.is_empty() || is(&purge.sender_domains, &entry.sender_domain))
                && entry.added_ms <= self.now_ms - purge.older_than.ms()
        });
        let today = self.today.to_string();
        if entries.is_empty() {
            self.store.mark(&mark, &today)?;
            return Ok(None);
        }
        let path = self.export(purge, &suppress::csv(&entries))?;
        let gone = self.store.purge_suppressions(&entries, &mark, &today)?;
        let (name, path) = (&self.cycle.name, path.display());
        Ok(Some(format!("[[cycle]] {name}: {gone} suppressions purged, kept in {path}")))
    }

    /// Writes what is about to go, beside what went on the same day.
    fn export(&self, purge: &PurgeTable, text: &str) -> Result<PathBuf> {
        let directory = purge.directory.clone().unwrap_or_else(|| self.config.state_dir());
        // Whether that worked is seen when the file is written.
        let _ = owner::make_directory(&directory);
        let date: String = clock::rfc3339(self.now_ms).chars().take("2026-11-21".len()).collect();
        let named = |number: u32| match number {
            1 => format!("purged_{date}.csv"),
            _ => format!("purged_{date}_{number}.csv"),
        };
        let same = |path: &Path| fs::read(path).is_ok_and(|there| there == text.as_bytes());
        let mut paths = (1..=EXPORTS).map(|number| directory.join(named(number)));
        let path = paths.find(|path| !path.exists() || same(path)).ok_or_else(|| {
            Error::new(format_args!("{}: too many exports of one day", directory.display()))
                .remedy("move some of purged_*.csv away")
        })?;
        publish(&path, text.as_bytes(), 0o600)?;
        Ok(path)
    }
}

/// What a file says, without the line that says who wrote it.
fn without_header(text: &str) -> &str {
    match text.split_once('\n') {
        Some((first, rest)) if first.starts_with(HEADER) => rest,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::HOUR_MS;
    use crate::store::Suppressed;
    use std::os::unix::fs::MetadataExt;

    /// A directory, a store in it, and a config that begins with these lines; all goes with the test.
    struct Home {
        path: PathBuf,
        config: Config,
        store: Store,
    }

    impl Home {
        fn new(toml: &str) -> Home {
            let path = std::env::temp_dir().join(format!("carom-cycle-{:x}", fastrand::u64(..)));
            let toml = toml.replace("DIR", &path.display().to_string());
            let config = Config::parse(&format!("state = {path:?}\n{toml}")).unwrap();
            let store = Store::open(&config.store_path()).unwrap();
            Home { path, config, store }
        }

        fn turn(&self, day: i64, hour: i64) -> Turned {
            let now_ms = day * DAY_MS + hour * HOUR_MS;
            turn(
                self.config.cycles.get().unwrap(),
                &self.config,
                &self.store,
                now_ms,
                Deadline::after(Duration::from_secs(20)),
            )
        }

        /// Without a problem; returns how many things were done.
        fn good(&self, day: i64, hour: i64) -> usize {
            let turned = self.turn(day, hour);
            assert!(turned.problems.is_empty(), "{turned:?}");
            turned.done.len()
        }

        fn read(&self, name: &str) -> String {
            fs::read_to_string(self.path.join(name)).unwrap_or_default()
        }
    }

    impl Drop for Home {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.path);
        }
    }

    /// Monday 2026-12-28, week 53 of its year.
    const MONDAY_OF_53: i64 = 20_815;

    #[test]
    fn b2_b20_the_value_of_today_is_written_once_and_a_year_of_53_weeks_makes_no_jump() {
        let home = Home::new(
            "[[cycle]]\nname = \"bounces\"\nvalues = [1, 2, 3, 4, 5, 6, 7, 11, 12.5, 13, 14, 15, 16, 0]\n\
             file = \"DIR/blackhole.conf\"\ntext = \"dummy-smtp-blacklist-bounce-percent {value}\"\n\
             reload = [\"sh\", \"-c\", \"echo x >> DIR/reloads\"]\n",
        );
        assert_eq!(clock::rfc3339(MONDAY_OF_53 * DAY_MS), "2026-12-28T00:00:00Z");
        // Two weeks that are both odd by their ISO numbers.
        let wanted = ["11", "12.5", "13", "14", "15", "16", "0", "1", "2", "3", "4", "5", "6", "7", "11"];
        for (day, value) in wanted.iter().enumerate() {
            let day = MONDAY_OF_53 + day as i64;
            assert_eq!(home.good(day, 0), 1, "{value}");
            let inode = fs::metadata(home.path.join("blackhole.conf")).unwrap().ino();
            assert_eq!((home.good(day, 1), home.good(day, 23)), (0, 0));
            assert_eq!(fs::metadata(home.path.join("blackhole.conf")).unwrap().ino(), inode, "left alone");
            let text = home.read("blackhole.conf");
            assert!(text.starts_with("# Written by carom at 202"), "{text}");
            assert!(text.ends_with(&format!(".\ndummy-smtp-blacklist-bounce-percent {value}\n")), "{text}");
        }
        assert_eq!(home.read("reloads").lines().count(), wanted.len());
        fs::write(home.path.join("blackhole.conf"), "by hand").unwrap();
        assert_eq!(home.good(MONDAY_OF_53 + 14, 5), 1, "what was changed by hand is written again");
    }

    #[test]
    fn a_reload_that_fails_is_told_and_tried_again_until_it_succeeds() {
        let home = Home::new(
            "[[cycle]]\nname = \"a\"\nvalues = [1, 2, 3, 4, 5, 6, 7]\nfile = \"DIR/map\"\ntext = \"x {value}\"\n\
             reload = [\"sh\", \"-c\", \"echo x >> DIR/tries; cat DIR/good\"]\n\
             [[cycle]]\nname = \"b\"\nvalues = [1, 1, 1, 1, 1, 1, 1]\nfile = \"DIR/other\"\ntext = \"y {value}\"\n",
        );
        let failed = home.turn(MONDAY_OF_53, 0);
        assert!(failed.problems[0].to_string().starts_with("[[cycle]] a: sh: exit status"), "{failed:?}");
        assert!(home.read("map").ends_with("x 1\n") && home.read("other").ends_with("y 1\n"));
        assert_eq!(home.turn(MONDAY_OF_53, 1).problems.len(), 1);
        fs::write(home.path.join("good"), "").unwrap();
        assert_eq!((home.good(MONDAY_OF_53, 2), home.good(MONDAY_OF_53, 3)), (0, 0));
        assert_eq!(home.read("tries").lines().count(), 3);
        // A tick that was killed between the file and the command.
        home.store.mark("cycle a reload", "owed").unwrap();
        home.good(MONDAY_OF_53, 4);
        assert_eq!(home.read("tries").lines().count(), 4);
        let file = home.path.join("map");
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        let failed = home.turn(MONDAY_OF_53, 5);
        assert!(failed.problems.len() == 1 && home.read("tries").lines().count() == 4, "{failed:?}");
    }

    fn suppressed(address: &str, source: &str, days: i64) -> Suppressed {
        Suppressed {
            address: address.into(),
            sender_domain: "shop.example".into(),
            reason: "user-unknown".into(),
            source: source.into(),
            added_ms: (MONDAY_OF_53 - days) * DAY_MS,
            expires_ms: None,
        }
    }

    #[test]
    fn b2_the_list_is_purged_once_on_its_days_of_what_came_from_tests_and_kept_in_a_file() {
        let home = Home::new(
            "[[cycle]]\nname = \"purge\"\nvalues = [1, 0, 0, 0, 1, 0, 0]\n\
             purge = { sources = [\"report\"], older_than = \"2d\", directory = \"DIR/purged\" }\n",
        );
        let entries = [
            suppressed("old@a.example", "report", 3),
            suppressed("new@a.example", "report", 1),
            suppressed("by-hand@a.example", "operator", 300),
        ];
        home.store.suppress_all(&entries).unwrap();
        let left = || {
            let left = home.store.suppressions("", MONDAY_OF_53 * DAY_MS).unwrap();
            left.into_iter().map(|entry| entry.address).collect::<Vec<_>>()
        };
        assert_eq!(home.good(MONDAY_OF_53 - 1, 12), 0);
        assert_eq!(left().len(), 3);
        assert_eq!(home.good(MONDAY_OF_53, 0), 1);
        assert_eq!(left(), ["by-hand@a.example", "new@a.example"]);
        let csv = home.read("purged/purged_2026-12-28.csv");
        assert_eq!(suppress::read(&csv, "import", 0).unwrap(), entries[..1]);
        home.store.suppress(&suppressed("old@a.example", "report", 3)).unwrap();
        assert_eq!((home.good(MONDAY_OF_53, 0), left().len()), (0, 3), "once a day");
        // Friday had no tick: it is made good on Saturday, once.
        assert_eq!((home.good(MONDAY_OF_53 + 5, 7), home.good(MONDAY_OF_53 + 5, 8)), (1, 0));
        assert_eq!(left(), ["by-hand@a.example"]);
        assert!(home.read("purged/purged_2027-01-02.csv").contains("old@a.example"));
    }

    #[test]
    fn a_purge_that_was_killed_after_its_export_is_done_and_no_export_is_lost() {
        let home = Home::new(
            "[[cycle]]\nname = \"purge\"\nvalues = [1, 1, 1, 1, 1, 1, 1]\npurge = { sources = [\"report\"] }\n",
        );
        let entry = suppressed("a@a.example", "report", 3);
        home.store.suppress(&entry).unwrap();
        fs::write(home.path.join("purged_2026-12-28.csv"), suppress::csv(&[entry])).unwrap();
        assert_eq!(home.good(MONDAY_OF_53, 0), 1);
        assert_eq!(home.read("purged_2026-12-28_2.csv"), "", "the same export is not written twice");
        home.store.suppress(&suppressed("b@a.example", "report", 3)).unwrap();
        home.store.mark("cycle purge purge", "").unwrap();
        assert_eq!(home.good(MONDAY_OF_53, 0), 1);
        assert!(home.read("purged_2026-12-28.csv").contains("a@a.example"));
        assert!(home.read("purged_2026-12-28_2.csv").contains("b@a.example"));
        // One that changed since it was listed is not taken off.
        let changed = suppressed("c@a.example", "report", 3);
        home.store.suppress(&Suppressed { added_ms: 1, ..changed.clone() }).unwrap();
        assert_eq!(home.store.purge_suppressions(&[changed], "x", "y").unwrap(), 0);
    }

    #[test]
    fn a_command_is_run_once_a_day_and_again_until_it_succeeds() {
        let home = Home::new(
            "[[cycle]]\nname = \"run\"\nvalues = [0, 1, 1, 0, 0, 0, 0]\n\
             run = [\"sh\", \"-c\", \"echo x >> DIR/runs; cat DIR/good\"]\n",
        );
        assert_eq!(home.good(MONDAY_OF_53, 0), 0);
        assert_eq!(home.turn(MONDAY_OF_53 + 1, 0).problems.len(), 1);
        fs::write(home.path.join("good"), "").unwrap();
        assert_eq!((home.good(MONDAY_OF_53 + 1, 1), home.good(MONDAY_OF_53 + 1, 2)), (1, 0));
        assert_eq!((home.good(MONDAY_OF_53 + 2, 0), home.good(MONDAY_OF_53 + 3, 0)), (1, 0));
        assert_eq!(home.read("runs").lines().count(), 3);
    }
}
