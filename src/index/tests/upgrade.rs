//! Files that an earlier release wrote.

use super::filters::plan;
use super::*;

#[test]
fn a_file_of_an_earlier_release_keeps_what_it_has() {
    let place = Place::new("upgrade");
    let path = place.0.join("index.db");
    std::fs::create_dir_all(&place.0).unwrap();
    let old = Connection::open(&path).unwrap();
    for migration in &index_schema::MIGRATIONS[..2] {
        old.execute_batch(migration).unwrap();
    }
    old.pragma_update(None, "user_version", 2).unwrap();
    old.execute_batch(
        "INSERT INTO meanings VALUES (1, 'user-unknown', 'bad-mailbox', 'hard', 'r'), (-2, 'undetermined', 'other', 'unknown', '');
         INSERT INTO classes VALUES (7, 1);
         INSERT INTO deliveries (id, mark, status, attempts, first_seen, last_seen, queue_id, recipient, reply, meaning) VALUES
         (1, 0, 'bounced', 1, 1000, 2000, '4Xn0y83s5Zz1a', 'a@x.example', 'gone', 1),
         (2, 0, 'bounced', 1, 1000, 3000, '4Xn0y83s5Zz1b', 'b@x.example', 'odd', -2);
         INSERT INTO meta VALUES ('indexed', '1');",
    )
    .unwrap();
    drop(old);
    let index = Index::look(&path).unwrap().unwrap();
    index.complete().unwrap();
    let shown = |one: &StoredDelivery| {
        (one.recipient.clone(), one.reason.clone(), one.rule.clone(), one.about.clone(), one.source.clone())
    };
    let text = |text: &str| Some(text.to_owned());
    let found: Vec<_> = all(&index, &Filter::default()).iter().map(shown).collect();
    let want = [
        (text("b@x.example"), text("undetermined"), text(""), text("nobody"), None),
        (text("a@x.example"), text("user-unknown"), text("r"), text("recipient"), None),
    ];
    assert_eq!(found, want);
    assert_eq!(index.unclassified(&Filter::default()).unwrap()[0].count, 1);
    let mut batch = index.begin().unwrap();
    assert_eq!(batch.class(7).unwrap(), None, "it is asked for again");
    let route = DeliveryRoute::default().with(SourceKind::Vmta, Some("mta1"));
    batch.put(&Delivery { route, ..delivery(9, START, "4Xn0y83s5Zz1c", "c@x.example") }, None).unwrap();
    batch.commit(None).unwrap();
    let filter = Filter { source: text("mta1"), ..Filter::default() };
    assert!(plan(&index, &filter).contains("deliveries_route"));
    assert_eq!(all(&index, &filter).len(), 1);
}

#[test]
fn events_that_an_earlier_release_noted_are_those_of_changes() {
    let place = Place::new("upgrade-events");
    let path = place.0.join("index.db");
    std::fs::create_dir_all(&place.0).unwrap();
    let old = Connection::open(&path).unwrap();
    for migration in &index_schema::MIGRATIONS[..5] {
        old.execute_batch(migration).unwrap();
    }
    old.pragma_update(None, "user_version", 5).unwrap();
    old.execute_batch(
        "INSERT INTO deliveries (id, mark, status, attempts, first_seen, last_seen) VALUES
         (1, 0, 'sent', 1, 1000, 2000), (2, 0, 'sent', 1, 1000, 3000), (3, 0, 'sent', 1, 1000, 4000);
         INSERT INTO owed (what, row) VALUES ('event', 1), ('event', 3), ('queued event', 2), ('failure', 2);",
    )
    .unwrap();
    drop(old);
    let index = Index::look(&path).unwrap().unwrap();
    let rows = || {
        let (mut rows, mut changed) = (Vec::new(), index.changed_deliveries().unwrap());
        while changed.next(10, &mut |one| rows.push(one.row)).unwrap().is_some() {}
        rows
    };
    assert_eq!((rows(), index.has_queued_changes().unwrap()), (vec![1, 3], true));
    let failures = index.pending_failures(i64::MIN, START, 10, &mut |_, _| Ok(())).unwrap();
    assert_eq!(failures, [2]);
    index.changes_are_lost().unwrap();
    assert_eq!(rows(), [2, 1, 3]);
}
