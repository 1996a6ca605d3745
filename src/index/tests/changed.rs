//! Deliveries that changed: their JSON, their order, and how long they are known.

use super::*;

/// Rows and JSON of what `next` gives, in pieces of two changes, and the last change.
fn given(index: &Index) -> (Vec<(i64, String)>, i64) {
    let (mut given, mut last) = (Vec::new(), 0);
    let mut changed = index.changed_deliveries().unwrap();
    while let Some(number) = changed
        .next(2, &mut |one| given.push((one.row, String::from_utf8(one.json.clone()).unwrap())))
        .unwrap()
    {
        last = number;
    }
    (given, last)
}

fn rows(index: &Index) -> Vec<i64> {
    given(index).0.into_iter().map(|(row, _)| row).collect()
}

fn note(index: &Index, rows: &[i64]) {
    let mut batch = index.begin().unwrap();
    rows.iter().for_each(|row| batch.note_change(*row).unwrap());
    batch.commit(None).unwrap();
}

#[test]
fn a_changed_delivery_is_the_same_json_as_a_stored_one() {
    let place = Place::new("changed-json");
    let index = place.index();
    let class = |rule: &str, about| Class {
        reason: "user-unknown".to_owned(),
        category: "bad-mailbox".to_owned(),
        severity: Severity::Hard,
        about,
        rule: rule.to_owned(),
        evidence: String::new(),
    };
    let plain = delivery(1, START, "4Xn0y83s5Zz1a", "a@x.example");
    let odd = Delivery {
        message_id: None,
        client_id: Some("a\"b\\c\nd\u{7f}\u{1}ä"),
        sender: Some(""),
        original_recipient: Some("o@x.example"),
        status: LoggedStatus::Bounced,
        attempts: 12,
        last_seen: START + 1234,
        relay: None,
        category: Some("spam-related"),
        delay: Some(12.0),
        size: None,
        route: DeliveryRoute::default()
            .with_syslog_name("postfix-out/slow")
            .with(SourceKind::Campaign, Some("spring \"1\""))
            .with_tls(Some("encrypt/(requiretls)"))
            .with_whose(Whose::Others),
        host: None,
        requeued_as: Some("4Xn0y83s6Zz1a"),
        parent: Some("4Xn0y83s5Zz1p"),
        notification: Some("4Xn0y83s5Zz1n"),
        ..delivery(2, START, "4Xn0y83s5Zz1b", "b@x.example")
    };
    let bare = Delivery { id: 3, ..Delivery::default() };
    let refused = Delivery { status: LoggedStatus::Rejected, id: 4, ..odd.clone() };
    let mut batch = index.begin().unwrap();
    let unknown = class("", About::Nobody);
    for (one, class) in [
        (&plain, None),
        (&odd, Some(class("r\"1", About::Recipient))),
        (&bare, Some(unknown)),
        (&refused, None),
    ] {
        let row = batch.put(one, class.as_ref()).unwrap();
        batch.note_change(row).unwrap();
    }
    batch.commit(None).unwrap();
    let mut stored = all(&index, &Filter::default());
    stored.sort_by_key(|one| one.id);
    let stored: Vec<String> = stored.iter().map(|one| serde_json::to_string(one).unwrap()).collect();
    let mut changed = given(&index).0;
    changed.sort_unstable();
    assert_eq!(changed.into_iter().map(|(_, json)| json).collect::<Vec<_>>(), stored);
}

#[test]
fn a_delivery_that_changes_again_is_given_once_and_all_are_known_until_they_are_delivered() {
    let place = Place::new("changed");
    let index = place.index();
    let put = |id: u64| put(&index, &[delivery(id, START, "4Xn0y83s5Zz1a", "a@x.example")])[0];
    let [a, b, c, d] = [put(1), put(2), put(3), put(4)];
    note(&index, &[a, b, a, c, b, a]);
    assert_eq!(rows(&index), [c, b, a], "in the order of their last changes");
    assert!(!index.has_queued_changes().unwrap());
    let (_, last) = given(&index);
    index.changes_are_queued(last).unwrap();
    note(&index, &[d]);
    assert!(index.has_queued_changes().unwrap());
    assert_eq!(rows(&index), [d], "the others are in the queue");
    index.changes_are_lost().unwrap();
    assert_eq!(rows(&index), [c, b, a, d]);
    index.changes_are_queued(last).unwrap();
    index.changes_are_delivered().unwrap();
    assert!(!index.has_queued_changes().unwrap());
    assert_eq!(rows(&index), [d], "what was not in the queue stays");
    index.changes_are_queued(given(&index).1).unwrap();
    index.changes_are_delivered().unwrap();
    assert_eq!(rows(&index), [] as [i64; 0]);
    // Numbers begin again, and none is skipped.
    index.connection.execute("DELETE FROM deliveries WHERE id = ?1", [c]).unwrap();
    note(&index, &[b, c, a]);
    assert_eq!(rows(&index), [b, a], "one that has expired is left out");
}
