//! The rows: what is written, claimed, skipped, removed, and kept on a full disk.

use super::holder::Holders;
use super::purge::PIECE;
use super::store_schema;
use crate::clock::{self, DAY_MS};
use crate::deadline::Deadline;
use crate::plan::{Condition, StepEnd};
use crate::store::tests::{LEASE, Place, claim, count, promise, put, release, settle, step, tally};
use crate::store::{FinishedMessage, Standing, Store, Suppressed};
use rusqlite::{Connection, params};
use std::time::Duration;

/// The file as any other program sees it.
pub(super) fn shell(place: &Place) -> Connection {
    Connection::open(place.file()).unwrap()
}

pub(super) fn states(place: &Place, key: &str) -> Vec<String> {
    let shell = shell(place);
    let mut select = shell.prepare("SELECT state FROM steps WHERE key = ?1 ORDER BY step").unwrap();
    let rows = select.query_map([key], |row| row.get(0)).unwrap();
    rows.map(|state| state.unwrap()).collect()
}

/// As if another process worked on a message.
fn owned_by(place: &Place, key: &str, owner: &str) {
    let changed =
        shell(place).execute("UPDATE journal SET owner = ?2 WHERE key = ?1", params![key, owner]).unwrap();
    assert_eq!(changed, 1);
}

/// Another process, and its name in the journal.
fn another_process(place: &Place) -> (Holders, String) {
    let process = Holders::of(&place.file());
    let owner = process.this_process().unwrap();
    (process, owner)
}

#[test]
fn commits_reach_the_disk_before_they_are_reported() {
    let place = Place::new();
    let store = place.open();
    let pragma = |name: &str| {
        store
            .db
            .read(|db| {
                db.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, rusqlite::types::Value>(0))
            })
            .unwrap()
    };
    // SQLite syncs the log before it is moved, and `write` after each transaction.
    assert_eq!(pragma("synchronous"), rusqlite::types::Value::Integer(1), "NORMAL");
    assert_eq!(pragma("journal_mode"), rusqlite::types::Value::Text("wal".into()));
}

#[test]
fn a_step_is_settled_once() {
    let place = Place::new();
    let store = place.open();
    promise(&store, "k", vec![step(None, 0)], 0).unwrap();
    assert_eq!(claim(&store, "k", 1), [0; 0], "it is leased with the promise");
    for _ in 0..3 {
        settle(&store, "k", 0, StepEnd::Succeeded);
    }
    assert_eq!(count(&store, "settled"), 1);
    let message: Option<Vec<u8>> =
        shell(&place).query_row("SELECT message FROM journal", [], |row| row.get(0)).unwrap();
    assert_eq!(message, None, "a finished message is not kept");
}

#[test]
fn what_waits_for_another_end_is_skipped_and_so_is_what_waits_for_that() {
    let place = Place::new();
    let store = place.open();
    let steps = vec![
        step(None, 0),
        step(Some((0, Condition::Succeeded)), 0),
        step(Some((1, Condition::Finished)), 0),
        step(Some((0, Condition::Failed)), 0),
    ];
    promise(&store, "k", steps, 0).unwrap();
    assert_eq!(claim(&store, "k", 1), [0; 0]);
    settle(&store, "k", 0, StepEnd::GivenUp);
    assert_eq!(states(&place, "k"), ["given up", "skipped", "skipped", "pending"]);
    assert_eq!(claim(&store, "k", 1), [3]);
    settle(&store, "k", 3, StepEnd::Succeeded);
    assert_eq!(promise(&store, "k", vec![], 0).unwrap(), Standing::Finished);
}

#[test]
fn what_a_dead_process_had_taken_is_free_at_once() {
    let place = Place::new();
    let store = place.open();
    promise(&store, "k", vec![step(None, 0)], 0).unwrap();
    owned_by(&place, "k", "byte:4000000");
    assert_eq!(promise(&store, "k", vec![], 0).unwrap(), Standing::Open);
    assert_eq!(store.claim_due(2, LEASE, 10, u64::MAX).unwrap().due.len(), 1);
}

#[test]
fn what_a_dead_tick_had_taken_is_free_at_once() {
    let place = Place::new();
    let store = place.open();
    promise(&store, "k", vec![step(None, 0)], 0).unwrap();
    release(&store, "k");
    assert_eq!(store.claim_due(LEASE + 1, LEASE, 10, u64::MAX).unwrap().due.len(), 1);
    let owner: Option<String> =
        shell(&place).query_row("SELECT owner FROM journal", [], |row| row.get(0)).unwrap();
    assert!(owner.is_some(), "a tick that is killed leaves its name");
}

#[test]
fn a_step_is_not_done_twice_when_the_process_beside_it_dies() {
    let place = Place::new();
    let store = place.open();
    promise(&store, "k", vec![step(None, 0), step(None, 0)], 0).unwrap();
    let (process, owner) = another_process(&place);
    owned_by(&place, "k", &owner);
    // The other process is at the first step when a tick and a redelivery come by.
    shell(&place).execute("UPDATE steps SET lease_ms = 900000 * (step = 0)", []).unwrap();
    let ticks: usize =
        store.claim_due(1, LEASE, 10, u64::MAX).unwrap().due.iter().map(|job| job.steps.len()).sum();
    let redelivered = store.claim_message("k", 1, LEASE).unwrap().map_or(0, |job| job.steps.len());
    drop(process);
    let later: usize =
        store.claim_due(2, LEASE, 10, u64::MAX).unwrap().due.iter().map(|job| job.steps.len()).sum();
    assert_eq!(ticks + redelivered + later, 2, "each step is somebody's once");
}

#[test]
fn a_process_that_hangs_loses_its_steps_when_the_lease_is_over() {
    let place = Place::new();
    let store = place.open();
    promise(&store, "k", vec![step(None, 0)], 0).unwrap();
    let (process, owner) = another_process(&place);
    owned_by(&place, "k", &owner);
    let before = store.claim_due(LEASE - 1, LEASE, 10, u64::MAX).unwrap().due.len();
    let after = store.claim_due(LEASE + 1, LEASE, 10, u64::MAX).unwrap().due.len();
    drop(process);
    assert_eq!((before, after), (0, 1));
}

#[test]
fn a_full_disk_is_an_error_and_changes_nothing() {
    let place = Place::new();
    let store = place.open();
    store.db.read(|db| db.query_row("PRAGMA max_page_count = 12", [], |_| Ok(()))).unwrap();
    let failed =
        (0..200).find(|number| promise(&store, &format!("{number:0>200}"), vec![step(None, 0)], 0).is_err());
    let kept = failed.expect("the file cannot grow for ever");
    assert_eq!(count(&store, "total_messages"), kept as u64);
    assert_eq!(store.pending_steps().unwrap().len(), kept);
}

#[test]
fn files_that_are_not_ours_are_refused_with_a_remedy() {
    let place = Place::new();
    std::fs::write(place.file(), "this is a text of more than a few letters, not a database".repeat(20))
        .unwrap();
    assert!(Store::open(&place.file()).is_err());
    for version in [-1, 1 + store_schema::VERSION] {
        let _ = std::fs::remove_file(place.file());
        shell(&place).pragma_update(None, "user_version", version).unwrap();
        assert!(Store::open(&place.file()).is_err(), "version {version}");
    }
}

#[test]
fn what_notes_changes_is_there_while_the_host_shares() {
    let place = Place::new();
    let ask = |sql: &str| shell(&place).query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let notes =
        || ask("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name GLOB 'shared_*'") > 0;
    let store = place.open();
    assert!(!notes());
    store.begin_sharing(7, 4).unwrap();
    assert!(notes());
    drop(store);
    // Before, they were always there.
    shell(&place).pragma_update(None, "user_version", 9).unwrap();
    let store = place.open();
    assert!(notes());
    store.remember("http://tracker.example", true, i64::MAX).unwrap();
    assert_eq!(ask("SELECT count(*) FROM shared_queue"), 1);
    store.end_sharing().unwrap();
    assert!(!notes());
    store.remember("http://other.example", true, i64::MAX).unwrap();
    assert_eq!(ask("SELECT count(*) FROM shared_queue"), 0);
}

#[test]
fn rows_of_an_older_file_get_the_one_spelling_of_their_sender_domain() {
    let place = Place::new();
    drop(place.open());
    let put = |sql: &str| shell(&place).execute_batch(sql).unwrap();
    for (address, domain, expires) in [
        ("one@x.example", "b\u{fc}cher.example", "NULL"),
        ("two@x.example", "b\u{fc}cher.example", "NULL"),
        ("two@x.example", "xn--bcher-kva.example", "9"),
    ] {
        put(&format!(
            "INSERT INTO suppressions (address, sender_domain, reason, source, added_ms, expires_ms)
             VALUES ('{address}', '{domain}', '', 'operator', 5, {expires})"
        ));
    }
    for (domain, key) in [("b\u{fc}cher.example", "k1"), ("xn--bcher-kva.example", "k2")] {
        put(&format!(
            "INSERT INTO strikes (address, sender_domain, key, at_ms, proven)
             VALUES ('three@x.example', '{domain}', '{key}', 5, 1)"
        ));
    }
    shell(&place).pragma_update(None, "user_version", 11).unwrap();
    let store = place.open();
    for address in ["one@x.example", "two@x.example"] {
        for domain in ["b\u{fc}cher.example", "XN--bcher-kva.example"] {
            let entry = store.suppressed(address, domain, 10).unwrap().expect(address);
            assert_eq!(entry.sender_domain, "xn--bcher-kva.example");
        }
    }
    let strikes = store.strikes("three@x.example").unwrap();
    assert_eq!(strikes.len(), 2);
    assert!(strikes.iter().all(|(domain, ..)| domain == "xn--bcher-kva.example"));
}

#[test]
fn a_new_file_and_its_directory_are_made_by_many_at_once() {
    for _ in 0..40 {
        let place = Place::new();
        let file = place.0.join("not/yet/carom.db");
        let together = std::sync::Barrier::new(16);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    together.wait();
                    Store::open(&file).unwrap().inspect(None).unwrap()
                });
            }
        });
        assert!(Store::open(&file).unwrap().counters().unwrap().0.is_some());
    }
}

#[test]
fn what_is_old_is_purged_and_what_is_owed_is_not() {
    let place = Place::new();
    let store = place.open();
    let now = clock::now_ms();
    put(&store, FinishedMessage { key: Some("old"), tally: &tally(&[]), at_ms: 0, message: true });
    promise(&store, "owed", vec![step(None, 0)], 0).unwrap();
    store.remember("a", true, now + 1000).unwrap();
    store.remember("b", true, now - 1000).unwrap();
    assert_eq!(store.remembered("b", now).unwrap(), None);
    store.purge(now, Deadline::after(Duration::ZERO)).unwrap();
    assert_eq!(store.series().unwrap(), []);
    assert_eq!(store.remembered("a", now).unwrap(), Some(true));
    assert_eq!(store.pending_steps().unwrap().len(), 1);
    let keys: i64 = shell(&place).query_row("SELECT count(*) FROM journal", [], |row| row.get(0)).unwrap();
    assert_eq!(keys, 1);
}

#[test]
fn rows_whose_time_has_passed_are_gone_and_counters_stay() {
    let place = Place::new();
    let store = place.open();
    let now_ms = clock::now_ms();
    let old_ms = now_ms - 11 * 86_400_000;
    let entry = |address: &str, expires_ms| Suppressed {
        address: address.into(),
        sender_domain: String::new(),
        reason: "x".into(),
        source: "operator".into(),
        added_ms: old_ms,
        expires_ms,
        ..Suppressed::default()
    };
    store
        .suppress_all(&[entry("gone@a.example", Some(now_ms - 1000)), entry("here@a.example", None)], None)
        .unwrap();
    store.remember("old", true, now_ms - 1000).unwrap();
    store.remember("new", true, now_ms + 3_600_000).unwrap();
    for (key, at_ms) in [("old", old_ms), ("new", now_ms)] {
        let tally = tally(&["seen"]);
        put(&store, FinishedMessage { key: Some(key), tally: &tally, at_ms, message: true });
    }
    store.purge(now_ms, Deadline::after(Duration::ZERO)).unwrap();
    let shell = shell(&place);
    let all = |select: &str| -> String {
        let rows = format!("SELECT group_concat(x) FROM (SELECT {select})");
        shell.query_row(&rows, [], |row| row.get::<_, Option<String>>(0)).unwrap().unwrap_or_default()
    };
    assert_eq!(all("address AS x FROM suppressions"), "here@a.example");
    assert_eq!(
        (all("name AS x FROM memory").as_str(), all("key AS x FROM journal").as_str()),
        ("new", "new")
    );
    assert_eq!(all("count(*) AS x FROM series"), "1");
    assert_eq!(count(&store, "seen"), 2);
}

#[test]
fn what_is_old_goes_in_pieces_the_oldest_first() {
    let place = Place::new();
    let store = place.open();
    let now_ms = clock::now_ms();
    let old_ms = now_ms - 11 * DAY_MS;
    store.purge(now_ms, Deadline::after(Duration::ZERO)).unwrap();
    let (shell, many) = (shell(&place), 2 * PIECE + 10);
    let each = format!("WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {many})");
    shell
        .execute_batch(&format!(
            "{each} INSERT INTO journal (key, state, at_ms) SELECT 'k' || n, 'finished', {old_ms} - n FROM n;
             {each} INSERT INTO steps (key, step, action, state, due_ms) SELECT 'k' || n, 0, 'x', 'succeeded', 0 FROM n;
             {each} INSERT INTO memory SELECT n, 1, {now_ms} - n FROM n;
             {each} INSERT INTO suppressions (address, sender_domain, reason, source, added_ms, expires_ms)
                SELECT 'a' || n, '', '', 'report', 0, {now_ms} - n FROM n;
             {each} INSERT INTO reported SELECT 'soft-bounce', n, '', '', {now_ms} - n FROM n;
             {each} INSERT INTO strikes (address, sender_domain, key, at_ms, proven)
                SELECT 'a', '', n, -n, 1 FROM n;"
        ))
        .unwrap();
    let tables = ["journal", "steps", "memory", "suppressions", "reported", "strikes"];
    let left = |table: &str| -> usize {
        let count = format!("SELECT count(*) FROM {table}");
        shell.query_row(&count, [], |row| row.get::<_, i64>(0)).unwrap() as usize
    };
    for rest in [PIECE + 10, 10, 0] {
        store.purge(now_ms, Deadline::after(Duration::ZERO)).unwrap();
        assert_eq!(tables.map(left), [rest; 6]);
        let oldest = "SELECT min(at_ms) FROM journal";
        let oldest: Option<i64> = shell.query_row(oldest, [], |row| row.get(0)).unwrap();
        assert_eq!(oldest, (rest > 0).then(|| old_ms - rest as i64), "the newest stay longest");
    }
}

#[test]
fn what_is_old_goes_until_the_deadline() {
    let place = Place::new();
    let store = place.open();
    let (now_ms, many) = (clock::now_ms(), 2 * PIECE + 10);
    store.remember("here", true, now_ms + DAY_MS).unwrap();
    let fill = format!(
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {many})
         INSERT INTO memory SELECT n, 1, {now_ms} - n FROM n"
    );
    let shell = shell(&place);
    shell.execute(&fill, []).unwrap();
    store.purge(now_ms, Deadline::after(Duration::from_secs(600))).unwrap();
    let left: i64 = shell.query_row("SELECT count(*) FROM memory", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 1);
}

#[test]
fn the_log_of_sqlite_does_not_grow_for_ever() {
    let place = Place::new();
    for number in 0..300 {
        promise(&place.open(), &format!("{number}"), vec![step(None, 0)], 0).unwrap();
    }
    let log = std::fs::metadata(place.0.join("carom.db-wal")).unwrap().len();
    assert!(log < 300_000, "{log} bytes");
}

#[test]
fn what_is_parked_stays_until_somebody_cares_or_months_have_passed() {
    let place = Place::new();
    let store = place.open();
    let now_ms = clock::now_ms();
    let steps =
        vec![step(None, 0), step(Some((0, Condition::Failed)), 0), step(Some((0, Condition::Succeeded)), 0)];
    promise(&store, "key", steps, now_ms).unwrap();
    settle(&store, "key", 0, StepEnd::Parked);
    assert_eq!(states(&place, "key"), ["parked", "pending", "skipped"], "for what hangs on it, it failed");
    settle(&store, "key", 1, StepEnd::Succeeded);
    store.forget(&["key".into()]).unwrap();
    store.purge(now_ms + 80 * DAY_MS, Deadline::after(Duration::ZERO)).unwrap();
    let owed = store.pending_steps().unwrap();
    assert!(owed.len() == 1 && owed[0].state == "parked" && owed[0].id == "key/0", "{owed:?}");
    assert!(
        store.claim_due(i64::MAX - LEASE, LEASE, 9, u64::MAX).unwrap().due.is_empty(),
        "nobody does it by himself"
    );
    let steps = [("key".to_owned(), 0)];
    assert_eq!(store.retry(&steps, now_ms).unwrap(), 1);
    assert_eq!(claim(&store, "key", now_ms), [0]);
    assert_eq!(
        (store.retry(&steps, now_ms).unwrap(), store.give_up(&steps, now_ms).unwrap().len()),
        (0, 0),
        "under way"
    );
    settle(&store, "key", 0, StepEnd::Parked);
    store.purge(now_ms + 91 * DAY_MS, Deadline::after(Duration::ZERO)).unwrap();
    assert!(store.pending_steps().unwrap().is_empty());
    assert!(states(&place, "key").iter().all(|state| state != "parked"), "given up, and gone in time");
}
