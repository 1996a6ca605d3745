//! Rows that wait in memory are written as if each state had been written when it came.

use super::*;
use crate::maillog::PackedDeliveries;
use std::rc::Rc;

fn class_of(key: u64) -> Class {
    Class {
        reason: format!("reason-{key}"),
        category: "bad-mailbox".into(),
        severity: Severity::Hard,
        about: About::Recipient,
        rule: "rule".into(),
        evidence: String::new(),
    }
}

/// Every column of every row, as text; not the numbers of meanings, which are given as they come.
fn dump(index: &Index) -> Vec<String> {
    let mut select = index
        .connection
        .prepare("SELECT d.*, m.reason AS why FROM deliveries d LEFT JOIN meanings m ON m.id = meaning ORDER BY d.id")
        .unwrap();
    let names: Vec<String> = select.column_names().map(str::to_owned).collect();
    let row = |row: &rusqlite::Row<'_>| {
        let columns = (0..names.len()).filter(|at| names[*at] != "meaning");
        Ok(columns.map(|at| format!("{:?} ", row.get_ref(at).unwrap())).collect::<String>())
    };
    select.query_map([], row).unwrap().map(|row| row.unwrap()).collect()
}

#[test]
fn the_last_state_of_each_delivery_is_written_once_with_its_reason_and_all_of_its_work() {
    // Some want the same row: equal in the second and in the lower half of the id.
    let low = 0x1234_5678;
    let queue_ids: Vec<String> = (0..40).map(|n| format!("4Xn0y83s5Zz{n:02}")).collect();
    let states: Vec<(Delivery<'_>, Option<u64>)> = (0..400u64)
        .map(|n| {
            let which = n * 7 % 40;
            let id = if which < 8 { (which << 32) | low } else { which.wrapping_mul(0x9e37_79b9_7f4a_7c15) };
            let queue_id = if which % 8 == 7 { "" } else { &queue_ids[which as usize] };
            let recipient = if n % 2 == 0 { "a@x.example" } else { "A@x.example" };
            let at_ms = START - which as i64 * 1000 * i64::from(which >= 8);
            let one = Delivery {
                attempts: n as u32,
                last_seen: at_ms + n as i64,
                status: if n % 3 == 0 { LoggedStatus::Bounced } else { LoggedStatus::Sent },
                ..delivery(id, at_ms, queue_id, recipient)
            };
            (one, (n % 3 == 0).then_some(n % 5))
        })
        .collect();
    let one_by_one = Place::new("one-by-one");
    let index = one_by_one.index();
    let mut batch = index.begin().unwrap();
    for (one, reply) in &states {
        let row = batch.put(one, reply.map(class_of).as_ref()).unwrap();
        if reply.is_some() {
            batch.note_failure(row).unwrap();
        }
    }
    batch.commit(None).unwrap();
    let together = Place::new("together");
    let waited = together.index();
    let mut batch = waited.begin().unwrap();
    let mut rows = UnwrittenRows::default();
    for states in states.chunks(150) {
        let mut packed = PackedDeliveries::default();
        for (at, (one, reply)) in states.iter().enumerate() {
            packed.push(one);
            rows.expect(at, &packed, *reply, Work { event: false, failure: reply.is_some() });
        }
        rows.keep(packed);
        assert!(rows.weight() > 0);
    }
    rows.write(&mut batch, |_, key| Ok(Some(Rc::new(class_of(key))))).unwrap();
    assert_eq!(rows.weight(), 0);
    batch.commit(None).unwrap();
    assert_eq!(dump(&waited), dump(&index));
    let work = |index: &Index| index.pending_failures(i64::MIN, START, 1000, &mut |_, _| Ok(())).unwrap();
    assert!(!work(&index).is_empty());
    assert_eq!(work(&waited), work(&index));
}

#[test]
fn a_state_that_waits_is_known_like_one_that_is_written() {
    let place = Place::new("known");
    let index = place.index();
    let mut batch = index.begin().unwrap();
    let mut rows = UnwrittenRows::default();
    let one = delivery(7, START, "4Xn0y83s5Zz1a", "a@x.example");
    let later = Delivery { attempts: 2, last_seen: START + 5000, ..one.clone() };
    assert_eq!(batch.known(&one, rows.last(&one)).unwrap(), std::cmp::Ordering::Less);
    rows.note_last(&later);
    let known = [&one, &later].map(|state| batch.known(state, rows.last(state)).unwrap());
    assert_eq!(known, [std::cmp::Ordering::Greater, std::cmp::Ordering::Equal]);
    batch.put(&later, None).unwrap();
    let written = [&one, &later].map(|state| batch.known(state, None).unwrap());
    assert_eq!(written, known);
}
