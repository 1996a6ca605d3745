//! The index without logs: rows that want the same place, what filters find, what goes when.

mod changed;
mod filters;
mod unwritten;
mod upgrade;

use super::filter::statement;
use super::*;
use crate::class::{About, Class, Severity};
use crate::clock::DAY_MS;
use crate::config::IndexTable;
use crate::maillog::correlate::{QueuedMessage, Shelf};
use crate::maillog::postfix::Grammar;
use crate::maillog::{Delivery, DeliveryRoute, LoggedStatus, SourceKind, Whose};
use rusqlite::params_from_iter;

/// 2026-03-01T00:00:00Z.
const START: i64 = 1_772_323_200_000;

fn limits(keep_days: u32, max_rows: u64) -> IndexTable {
    IndexTable { keep_days, max_rows, ..IndexTable::default() }
}

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let directory = std::env::temp_dir().join(format!("carom-index-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        Place(directory)
    }

    fn index(&self) -> Index {
        Index::open(&self.0.join("index.db")).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn delivery<'a>(id: u64, at_ms: i64, queue_id: &'a str, recipient: &'a str) -> Delivery<'a> {
    Delivery {
        id,
        queue_id: Some(queue_id).filter(|id| !id.is_empty()),
        message_id: Some("1@shop.example"),
        client_id: Some("shop"),
        sender: Some("a@shop.example"),
        recipient: Some(recipient),
        original_recipient: None,
        status: LoggedStatus::Deferred,
        attempts: 1,
        first_seen: at_ms,
        last_seen: at_ms,
        relay: Some("mx.example[192.0.2.1]:25"),
        dsn: Some("4.2.2"),
        reply: Some("later"),
        category: None,
        delay: Some(0.5),
        delays: Some("0/0/0/0.5"),
        size: Some(100),
        nrcpt: Some(1),
        route: DeliveryRoute::default().with_syslog_name("postfix"),
        host: Some("mx"),
        requeued_as: None,
        parent: None,
        notification: None,
        before: None,
        superseded: false,
    }
}

fn put(index: &Index, deliveries: &[Delivery<'_>]) -> Vec<i64> {
    let mut batch = index.begin().unwrap();
    let rows = deliveries.iter().map(|delivery| batch.put(delivery, None).unwrap()).collect();
    batch.commit(None).unwrap();
    rows
}

fn all(index: &Index, filter: &Filter) -> Vec<StoredDelivery> {
    let mut found = Vec::new();
    index
        .deliveries(filter, |one| {
            found.push(one);
            Ok(true)
        })
        .unwrap();
    found
}

#[test]
fn deliveries_that_want_the_same_row_each_have_one_and_keep_it() {
    let place = Place::new("collision");
    let index = place.index();
    // Equal in the second and in the half of the id that rows are made of; the second and third in
    // all of the id.
    let low = 0x1234_5678;
    let wanted = [
        delivery(low, START, "4Xn0y83s5Zz1a", "a@x.example"),
        delivery((0xabcd << 32) | low, START + 999, "4Xn0y83s5Zz1b", "b@x.example"),
        delivery((0xabcd << 32) | low, START, "4Xn0y83s5Zz1c", "c@x.example"),
        // Without a queue id, as PowerMTA has them, the recipient tells.
        delivery((0xabcd << 32) | low, START, "", "d@x.example"),
        delivery((0xabcd << 32) | low, START, "", "e@x.example"),
        // The row that the second has got.
        delivery((0xabcd << 32) | (low + 1), START, "4Xn0y83s5Zz1d", "f@x.example"),
    ];
    let rows = put(&index, &wanted);
    assert_eq!(rows.iter().map(|row| row - rows[0]).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    for _ in 0..2 {
        let again: Vec<_> = wanted
            .iter()
            .map(|one| Delivery { status: LoggedStatus::Sent, attempts: 2, ..one.clone() })
            .collect();
        assert_eq!(put(&index, &again), rows, "the same lines have the same rows");
    }
    let mut found: Vec<_> =
        all(&index, &Filter::default()).into_iter().map(|one| (one.recipient.unwrap(), one.status)).collect();
    found.sort();
    let told: Vec<_> =
        wanted.iter().map(|one| (one.recipient.unwrap().to_owned(), "sent".to_owned())).collect();
    assert_eq!(found, told);
    // Read again from the beginning, by another process: still the same.
    assert_eq!(put(&place.index(), &wanted), rows);
}

#[test]
fn what_was_absent_is_written_when_it_is_there_and_forgotten_when_it_is_gone() {
    let place = Place::new("absent");
    let index = place.index();
    let bare = delivery(1, START, "4Xn0y83s5Zz1a", "a@x.example");
    let full = Delivery {
        id: 2,
        original_recipient: Some("o@x.example"),
        parent: Some("4Xn0y83s5Zz1p"),
        delay: None,
        relay: None,
        ..delivery(2, START, "4Xn0y83s5Zz1b", "b@x.example")
    };
    put(&index, &[bare.clone(), full.clone(), bare.clone(), full, bare]);
    let found = all(&index, &Filter::default());
    let told: Vec<_> = found
        .iter()
        .map(|one| (one.original_recipient.as_deref(), one.parent.as_deref(), one.delay, one.relay.is_some()))
        .collect();
    assert_eq!(
        told,
        [(Some("o@x.example"), Some("4Xn0y83s5Zz1p"), None, false), (None, None, Some(0.5), true)]
    );
}

#[test]
fn meanings_are_written_once_and_those_that_no_rule_knew_are_found() {
    let place = Place::new("meaning");
    let index = place.index();
    let class = |reason: &str, rule: &str| Class {
        reason: reason.into(),
        category: "bad-mailbox".into(),
        severity: Severity::Hard,
        about: About::Recipient,
        rule: rule.into(),
        evidence: String::new(),
    };
    for _ in 0..2 {
        let mut batch = index.begin().unwrap();
        for n in 0..10 {
            let class = if n % 2 == 0 { class("user-unknown", "rule") } else { class("unknown", "") };
            let queue_id = format!("4Xn0y83s5Zz1{n}");
            batch.put(&delivery(n, START, &queue_id, "a@x.example"), Some(&class)).unwrap();
            batch.learn(n, &class).unwrap();
            assert_eq!(batch.class(n).unwrap(), Some(class));
        }
        batch.commit(None).unwrap();
    }
    let many: i64 =
        index.connection.query_row("SELECT count(*) FROM meanings", [], |row| row.get(0)).unwrap();
    assert_eq!(many, 2);
    assert_eq!(index.unclassified(&Filter::default()).unwrap()[0].count, 5);
    let found = all(&index, &Filter::default());
    let known = found.iter().filter(|one| one.rule.as_deref() == Some("rule"));
    assert_eq!(known.filter(|one| one.severity.as_deref() == Some("hard")).count(), 5);
    let readable: i64 = index
        .connection
        .query_row("SELECT count(*) FROM readable WHERE reason = 'user-unknown'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(readable, 5);
}

#[test]
fn a_stamp_in_the_future_wipes_nothing() {
    let place = Place::new("future");
    let index = place.index();
    let now = START + 300 * DAY_MS;
    let queue_ids: Vec<String> = (0..100).map(|n| format!("4Xn0y83s5Zz{n:03}")).collect();
    let mut rows: Vec<_> = (0..100)
        .map(|n| delivery(n, START + n as i64 * DAY_MS, &queue_ids[n as usize], "a@x.example"))
        .collect();
    // A log of last year, and one server whose clock is years ahead.
    rows.push(delivery(200, START + 9_000 * DAY_MS, "4Xn0y83s5Zzzz", "f@x.example"));
    put(&index, &rows);
    assert_eq!(index.expire(now, &limits(200, 0), &|| false).unwrap(), 0);
    assert_eq!(
        index.expire(now + DAY_MS, &limits(30, 0), &|| false).unwrap(),
        69,
        "counted back from the newest"
    );
    assert_eq!(index.count().unwrap(), 32);
    // What is too much goes from the future first.
    assert_eq!(index.expire(now + 2 * DAY_MS, &limits(0, 10), &|| false).unwrap(), 22);
    assert!(
        all(&index, &Filter::default()).iter().all(|one| one.recipient.as_deref() == Some("a@x.example"))
    );
    // And alone it is not the newest either.
    let alone = Place::new("future-alone");
    let index = alone.index();
    put(&index, &[delivery(200, START + 9_000 * DAY_MS, "4Xn0y83s5Zzzz", "f@x.example")]);
    assert_eq!(index.expire(now, &limits(1, 0), &|| false).unwrap(), 0);
}

#[test]
fn an_expiry_that_was_stopped_goes_on_at_the_next_tick() {
    let place = Place::new("stopped");
    let index = place.index();
    let queue_ids: Vec<String> = (0..20_010).map(|n| format!("4Xn0y83s5Zz{n:05}")).collect();
    let rows: Vec<_> = (0..20_010u64)
        .map(|n| delivery(n << 32 | n, START + n as i64, &queue_ids[n as usize], "a@x.example"))
        .collect();
    put(&index, &rows);
    put(&index, &[delivery(1, START + 100 * DAY_MS, "4Xn0y83s6Zz", "b@x.example")]);
    let now = START + 100 * DAY_MS;
    assert_eq!(index.expire(now, &limits(30, 0), &|| true).unwrap(), 20_000);
    assert_eq!(index.expire(now + 1000, &limits(30, 0), &|| false).unwrap(), 10);
    assert_eq!(index.expire(now + 2000, &limits(1, 0), &|| false).unwrap(), 0, "once an hour");
    assert_eq!(index.count().unwrap(), 1);
}

#[test]
fn a_file_with_a_bound_on_its_rows_does_not_grow() {
    let place = Place::new("bounded");
    let index = place.index();
    let pages = || -> i64 {
        index.connection.query_row("SELECT page_count FROM pragma_page_count", [], |row| row.get(0)).unwrap()
    };
    let mut sizes = Vec::new();
    for round in 0..24u64 {
        let names: Vec<(String, String)> = (0..2000)
            .map(|n| (format!("4Xn0y8{round:03}Zz{n:04}"), format!("user{n}.{round}@x.example")))
            .collect();
        let at_ms = START + round as i64 * DAY_MS;
        let rows: Vec<_> = (0..2000u64)
            .map(|n| {
                let (queue_id, recipient) = &names[n as usize];
                delivery((round * 2000 + n) * 0x9e37_79b9, at_ms + n as i64 * 1000, queue_id, recipient)
            })
            .collect();
        put(&index, &rows);
        index.complete().unwrap();
        index.expire(at_ms + DAY_MS, &limits(0, 4000), &|| false).unwrap();
        assert!(index.count().unwrap() <= 4000);
        sizes.push(pages());
    }
    assert!(sizes[23] <= sizes[7] + sizes[7] / 20, "{sizes:?}");
    let by_age = index.expire(START + 30 * DAY_MS, &limits(1, 0), &|| false).unwrap();
    assert!(by_age > 1000 && pages() == sizes[23], "{by_age} {sizes:?}");
}

#[test]
fn messages_on_the_shelf_are_found_whether_or_not_all_that_are_there_are_known() {
    let place = Place::new("shelf");
    let index = place.index();
    let log = index.log("mail.log").unwrap();
    let message = |n: u32| -> QueuedMessage {
        serde_json::from_str(&format!(
            "{{\"texts\":[\"4Xn0y83s5Zz{n}\",\"mx\",null,null,null,\"4Xn0y83s6Zz{n}\",null]}}"
        ))
        .unwrap()
    };
    for known in [false, true] {
        let batch = index.begin().unwrap();
        let mut shelf = batch.shelf(log.id).unwrap();
        (0..5).for_each(|n| shelf.put(message(n)));
        if known {
            (0..3000).for_each(|n| assert!(shelf.take("mx", &format!("4Xn0y83s7Zz{n}")).is_none()));
        }
        shelf.put(message(7));
        assert!(shelf.take("mx", "4Xn0y83s5Zz1").is_some() && shelf.take("mx", "4Xn0y83s5Zz1").is_none());
        assert!(shelf.take("mx", "4Xn0y83s6Zz2").is_some() && shelf.take("mx", "4Xn0y83s5Zz2").is_none());
        assert!(shelf.take("other", "4Xn0y83s5Zz3").is_none());
        assert!(shelf.take("mx", "4Xn0y83s6Zz7").is_some(), "known: {known}");
        batch.commit(Some(shelf)).unwrap();
    }
}

#[test]
fn a_message_to_many_comes_back_from_the_shelf_as_it_was_and_leaves_nothing() {
    let place = Place::new("pieces");
    let index = place.index();
    let log = index.log("mail.log").unwrap();
    let message = |recipients: u32| -> QueuedMessage {
        let mut message: QueuedMessage =
            serde_json::from_str("{\"texts\":[\"4Xn0y83s5Zz1\",\"mx\"]}").unwrap();
        for n in 0..recipients {
            message.recipients.push(Some(&format!("r{n}@x.example")), None, LoggedStatus::Deferred, 7);
        }
        message
    };
    let text = |message: &QueuedMessage| serde_json::to_string(message).unwrap();
    let pieces = || -> i64 {
        let count = "SELECT count(*) FROM under_way_recipients";
        index.connection.query_row(count, [], |row| row.get(0)).unwrap()
    };
    for recipients in [199, 200, 201, 1000, 1001] {
        let mut batch = index.begin().unwrap();
        let mut shelf = batch.shelf(log.id).unwrap();
        shelf.put(message(2000));
        shelf.put(message(recipients));
        assert_eq!(pieces(), i64::from(recipients.div_ceil(200)) - 1);
        let back = shelf.take("mx", "4Xn0y83s5Zz1").unwrap();
        assert!(text(&back) == text(&message(recipients)) && pieces() == 0, "{recipients}");
        shelf.put(back);
        batch.tidy_shelf(log.id, START + i64::from(recipients) * DAY_MS, 0).unwrap();
        assert_eq!(pieces(), 0, "of messages that are forgotten");
        batch.commit(Some(shelf)).unwrap();
    }
}

#[test]
fn recipients_of_a_message_to_very_many_come_back_from_the_shelf_by_their_states() {
    let place = Place::new("faded");
    let index = place.index();
    let log = index.log("mail.log").unwrap();
    let mut message: QueuedMessage = serde_json::from_str("{\"texts\":[\"4Xn0y83s5Zz1\",\"mx\"]}").unwrap();
    for n in 0..11_000 {
        let address = format!("r{n}@x.example");
        let at = message.recipients.push(Some(&address), None, LoggedStatus::Deferred, 7);
        message.recipients[at].attempts = 3;
        message.recipients.note_report(at, Whose::Others);
    }
    assert!(message.bound(1_000_000) && message.recipients.len() == 1000);
    let batch = index.begin().unwrap();
    let mut shelf = batch.shelf(log.id).unwrap();
    shelf.put(message);
    let mut back = shelf.take("mx", "4Xn0y83s5Zz1").unwrap();
    batch.commit(Some(shelf)).unwrap();
    let grammar = Grammar::default();
    assert_eq!(back.recipients.len(), 1000);
    assert_eq!(back.find("r9999@x.example", Some("other@x.example")), None);
    for n in [9999, 0, 10_999] {
        let at = back.find(&format!("r{n}@x.example"), None).unwrap();
        let delivery = back.delivery(at, &grammar.own);
        let before = delivery.before.unwrap();
        assert_eq!((delivery.attempts, before.attempts, before.last_seen), (3, 3, 7));
        assert_eq!((delivery.id.wrapping_sub(back.id()), before.whose), (n, Whose::Others));
    }
}

#[test]
fn work_that_is_noted_while_a_batch_is_handled_stays() {
    let place = Place::new("pending");
    let index = place.index();
    let note = |at_ms: i64, recipient: &str| {
        let one = delivery(7, at_ms, "4Xn0y83s5Zz1a", recipient);
        let mut batch = index.begin().unwrap();
        let row = batch.put(&one, None).unwrap();
        batch.note_failure(row).unwrap();
        batch.commit(None).unwrap();
        row
    };
    let first = note(START, "new@x.example");
    let pending = || {
        let mut taken = Vec::new();
        let mut take = |row: i64, _: &StoredDelivery<&str>| {
            taken.push(row);
            Ok(())
        };
        let rows = index.pending_failures(i64::MIN, START, 10, &mut take).unwrap();
        assert_eq!(rows, taken);
        rows
    };
    let rows = pending();
    assert_eq!(rows, [first]);
    // A delivery of an older message fails meanwhile: its row comes before the others.
    let older = note(START - DAY_MS, "old@x.example");
    assert!(older < first);
    index.forget_failures(&rows).unwrap();
    assert_eq!(pending(), [older]);
    index.forget_failures(&[older]).unwrap();
    assert!(pending().is_empty());
}
