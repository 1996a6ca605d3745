//! Days go by: values are written once, what failed is tried again, and nothing is lost.

use super::*;
use crate::clock::{self, HOUR_MS};
use crate::store::Suppressed;
use crate::suppress::{self, Import, ImportDefaults};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// A directory with a store, and a config; removed with the test.
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

    /// Without a problem; returns the number of things done.
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
    assert_eq!(clock::rfc3339(MONDAY_OF_53 * DAY_MS), "2026-12-28T00:00:00.000Z");
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
fn a_reload_that_fails_is_reported_and_tried_again_until_it_succeeds() {
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
    home.store.mark("cycle a reload", "due").unwrap();
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
        ..Suppressed::default()
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
    home.store.suppress_all(&entries, None).unwrap();
    let left = || {
        let left = home.store.suppressions("", None, MONDAY_OF_53 * DAY_MS, usize::MAX).unwrap();
        left.into_iter().map(|entry| entry.address).collect::<Vec<_>>()
    };
    assert_eq!(home.good(MONDAY_OF_53 - 1, 12), 0);
    assert_eq!(left().len(), 3);
    assert_eq!(home.good(MONDAY_OF_53, 0), 1);
    assert_eq!(left(), ["by-hand@a.example", "new@a.example"]);
    let csv = home.read("purged/purged_2026-12-28.csv");
    let defaults = ImportDefaults { now_ms: MONDAY_OF_53 * DAY_MS, ..ImportDefaults::default() };
    let imported =
        Import::new(&home.store, &|_| Ok(Vec::new()), defaults).run(csv.as_bytes(), &|_, _| ()).unwrap();
    assert_eq!((imported.new, imported.invalid), (1, 0));
    assert_eq!(
        home.store.suppressions("old@", None, MONDAY_OF_53 * DAY_MS, usize::MAX).unwrap(),
        entries[..1]
    );
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
