//! What filters find, and by which index.

use super::*;

#[test]
fn a_route_is_stored_once_found_by_each_of_its_names_and_removed_with_its_last_delivery() {
    let place = Place::new("routes");
    let index = place.index();
    let job = DeliveryRoute::default()
        .with(SourceKind::Vmta, Some("mta1"))
        .with(SourceKind::Ip, Some("192.0.2.1"))
        .with(SourceKind::Campaign, Some("Spring"));
    let usual = DeliveryRoute::default().with_syslog_name("postfix");
    let routes = [
        usual,
        usual.with_syslog_name("postfix/smtp-marketing").with_tls(Some("encrypt/(requiretls)")),
        usual.with_syslog_name("postfix-out").with_tls(Some("may:none")),
        job,
        job.with(SourceKind::Campaign, Some("spring")),
        DeliveryRoute::default(),
    ];
    let queue_ids: Vec<String> = (0..12).map(|n| format!("4Xn0y83s5Zz{n:03}")).collect();
    for _ in 0..2 {
        let rows: Vec<_> = (0..12)
            .map(|n| Delivery {
                route: routes[n % 6],
                ..delivery(n as u64, START, &queue_ids[n], "a@x.example")
            })
            .collect();
        put(&index, &rows);
    }
    let count = |sql: &str| -> i64 { index.connection.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(count("SELECT count(*) FROM routes"), 5);
    let of =
        |source: &str| all(&index, &Filter { source: Some(source.to_owned()), ..Filter::default() }).len();
    for (source, many) in [
        ("mta1", 4),
        ("VMTA/MTA1", 4),
        ("ip/192.0.2.1", 4),
        ("192.0.2.1", 4),
        ("spring", 4),
        ("smtp-marketing", 2),
        ("transport/smtp-marketing", 2),
        ("postfix", 4),
        ("instance/postfix-out", 2),
        ("pool/mta1", 0),
        ("nothing", 0),
    ] {
        assert_eq!(of(source), many, "{source}");
    }
    let with = |tls: &str| all(&index, &Filter { tls: Some(tls.to_owned()), ..Filter::default() }).len();
    assert_eq!(["encrypt", "encrypt/(requiretls)", "none", "may:none", "may"].map(with), [2, 2, 2, 2, 0]);
    let same = "SELECT count(*) FROM readable WHERE source IS ?1";
    for one in all(&index, &Filter::default()) {
        assert_eq!(one.source, one.sources.first().cloned());
        let found: i64 = index.connection.query_row(same, [&one.source], |row| row.get(0)).unwrap();
        assert!(found >= 2, "{:?}", one.source);
    }
    index.complete().unwrap();
    assert_eq!(index.expire(START + 100 * DAY_MS, &limits(0, 4), &|| false).unwrap(), 8);
    assert_eq!(
        count("SELECT count(*) FROM routes WHERE id > 0 AND id NOT IN (SELECT route FROM deliveries)"),
        0
    );
    assert_eq!(count("SELECT count(*) FROM routes WHERE id = 0"), 1);
}

/// What SQLite would do.
pub(super) fn plan(index: &Index, filter: &Filter) -> String {
    let (sql, values) = statement(&index.with_meanings(filter).unwrap());
    let mut explain = index.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let steps = explain.query_map(params_from_iter(&values), |row| row.get::<_, String>(3)).unwrap();
    steps.map(|step| step.unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_filter_and_every_combination_is_answered_by_an_index() {
    let place = Place::new("plan");
    let index = place.index();
    put(&index, &[delivery(1, START, "4Xn0y83s5Zz1a", "a@x.example")]);
    index.complete().unwrap();
    let text = |bits: u32, bit: u32| (bits >> bit & 1 == 1).then(|| "x".to_owned());
    let number = |bits: u32, bit: u32| (bits >> bit & 1 == 1).then_some(1);
    for bits in 0..1 << 14 {
        let filter = Filter {
            seen: crate::index::Seen::AllMail,
            recipient: text(bits, 0),
            client: text(bits, 1),
            queue_id: text(bits, 2),
            message_id: text(bits, 3),
            since_ms: number(bits, 4),
            until_ms: number(bits, 5),
            limit: number(bits, 6).map(|_| 10),
            latest: bits >> 7 & 1 == 1,
            failed: bits >> 8 & 1 == 1,
            statuses: text(bits, 9).map_or(Vec::new(), |_| vec!["bounced".to_owned(), "deferred".to_owned()]),
            source: text(bits, 10),
            tls: text(bits, 11),
            own: number(bits, 13).map(|_| bits & 16 == 0),
            about: (bits >> 12 & 1 == 1).then_some(About::Sender),
            ..Filter::default()
        };
        let plan = plan(&index, &filter);
        let of_deliveries: Vec<&str> = plan.lines().filter(|step| step.contains(" deliveries ")).collect();
        let indexes: &[&str] = match &filter {
            Filter { recipient: None, queue_id: None, message_id: None, client: Some(_), .. } => {
                &["deliveries_client (client_id=?", "deliveries_status (status=?"]
            }
            Filter { recipient: None, queue_id: None, message_id: None, .. } => {
                &["deliveries_status (status=?", "deliveries_route (route=?", "deliveries_time"]
            }
            _ => &[
                "deliveries_recipient (recipient=?",
                "deliveries_original (original_recipient=?",
                "deliveries_queue (queue_id=?",
                "deliveries_requeued (requeued_as=?",
                "deliveries_message (message_id=?",
            ],
        };
        assert!(!of_deliveries.is_empty(), "{plan}");
        for step in of_deliveries {
            assert!(indexes.iter().any(|index| step.contains(index)), "{filter:?}\n{plan}");
            // Walking through a whole index is right only where nothing but its order is asked for.
            let nothing = filter.since_ms.is_none() && filter.until_ms.is_none();
            assert!(step.starts_with("SEARCH") || (nothing && step.contains("deliveries_time")), "{plan}");
        }
        let sorted = plan.contains("TEMP B-TREE FOR ORDER BY");
        // Routes are found one by one, and each has its own order.
        let by_time = indexes.contains(&"deliveries_time") && !plan.contains("deliveries_route");
        assert!(!(by_time && sorted), "{filter:?}\n{plan}");
    }
}

#[test]
fn a_reason_is_found_by_its_meanings_in_the_order_of_time() {
    let place = Place::new("reason");
    let index = place.index();
    let queue_ids: Vec<String> = (0..60).map(|n| format!("4Xn0y83s5Zz{n:03}")).collect();
    let of = |n: usize| delivery(n as u64, START + n as i64 * 1000, &queue_ids[n], "a@x.example");
    put(&index, &(0..60).map(of).collect::<Vec<_>>());
    index.complete().unwrap();
    index
        .connection
        .execute_batch(
            "INSERT INTO meanings (id, reason, category, severity, rule, about) VALUES
                (1, 'quota', '', 'soft', 'one', ''), (2, 'quota', '', 'soft', 'two', ''), (-3, 'other', '', 'soft', '', '');
             UPDATE deliveries SET meaning = CASE (last_seen / 1000) % 4 WHEN 0 THEN 1 WHEN 1 THEN 2 WHEN 2 THEN -3 END",
        )
        .unwrap();
    let quota = Filter { reason: Some("Quota".into()), ..Filter::default() };
    let expected: Vec<i64> = all(&index, &Filter::default())
        .into_iter()
        .filter(|one| one.reason.as_deref() == Some("quota"))
        .map(|one| one.id)
        .collect();
    assert_eq!(expected.len(), 30);
    let ids = |filter: &Filter| all(&index, filter).into_iter().map(|one| one.id).collect::<Vec<_>>();
    assert_eq!(ids(&quota), expected);
    let some = Filter {
        since_ms: Some(START + 9000),
        statuses: vec!["deferred".into()],
        limit: Some(7),
        ..quota.clone()
    };
    assert_eq!(ids(&some), expected[..7]);
    for filter in [&quota, &some] {
        let plan = plan(&index, filter);
        assert_eq!(plan.matches("deliveries_meaning (meaning=?").count(), 2, "{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
    assert!(ids(&Filter { reason: Some("none".into()), ..Filter::default() }).is_empty());
}
