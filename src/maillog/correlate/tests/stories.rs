//! What the log says of a message from its arrival to its end.

use super::*;

#[test]
fn each_recipient_has_its_own_status() {
    let story = story_of(&[
        "smtpd: 3F1A28C0D2: client=h[192.0.2.1]",
        "cleanup: 3F1A28C0D2: message-id=<98494.1.2@shop>",
        "qmgr: 3F1A28C0D2: from=<s@example.com>, size=99, nrcpt=3 (queue active)",
        "smtp: 3F1A28C0D2: to=<a@example.com>, relay=mx[192.0.2.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)",
        "smtp: 3F1A28C0D2: to=<b@example.com>, relay=mx[192.0.2.9]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (550 no)",
        "smtp: 3F1A28C0D2: to=<c@example.com>, orig_to=<d@example.com>, relay=none, delay=1, delays=0/0/0/1, dsn=4.4.1, status=deferred (refused)",
        "bounce: 3F1A28C0D2: sender non-delivery notification: 4A00000001",
        "qmgr: 3F1A28C0D2: from=<s@example.com>, size=99, nrcpt=3 (queue active)",
        "smtp: 3F1A28C0D2: to=<c@example.com>, orig_to=<d@example.com>, relay=none, delay=9, delays=9/0/0/0, dsn=4.4.1, status=deferred (refused)",
        "qmgr: 3F1A28C0D2: from=<s@example.com>, status=expired, returned to sender",
        "qmgr: 3F1A28C0D2: removed",
    ]);
    let want = [
        to("a@example.com", LoggedStatus::Sent, 1),
        to("b@example.com", LoggedStatus::Bounced, 1),
        to("c@example.com", LoggedStatus::Expired, 2),
    ];
    assert_eq!(story.short(), want);
    for seen in story.all() {
        assert_eq!((seen.client.as_deref(), seen.message.as_deref()), (Some("shop"), Some("98494.1.2@shop")));
    }
    assert_eq!(story.all()[2].original.as_deref(), Some("d@example.com"));
    assert_eq!(story.emitted, 3, "many changes of one drain are seen once");
}

#[test]
fn the_sender_that_qmgr_names_counts_rather_than_the_local_user_of_pickup() {
    let sender = |lines: [&str; 2]| {
        let mut correlator = correlator(CorrelatorState::default());
        let sent = "smtp[7]: 3F1A28C0D2: to=<a@example.com>, relay=mx[192.0.2.9]:25, dsn=2.0.0, status=sent (250 ok)";
        for line in lines.into_iter().chain([sent]) {
            correlator.read(format!("2026-01-01T03:00:00Z mx postfix/{line}\n").as_bytes(), &mut ());
        }
        let mut sender = None;
        correlator.drain(&mut (), |delivery| sender = delivery.sender.map(str::to_owned));
        sender
    };
    let pickup = "pickup[7]: 3F1A28C0D2: uid=33 from=<www>";
    let qmgr = "qmgr[7]: 3F1A28C0D2: from=<www@shop.example>, size=99, nrcpt=1 (queue active)";
    assert_eq!(sender([pickup, qmgr]).as_deref(), Some("www@shop.example"));
    let again = "qmgr[7]: 3F1A28C0D2: from=<other@shop.example>, size=99, nrcpt=1 (queue active)";
    assert_eq!(sender([qmgr, again]).as_deref(), Some("www@shop.example"), "a whole sender stays");
}

#[test]
fn a_client_header_counts_before_or_after_the_message_id_and_in_either_case() {
    let header = "cleanup: 3F1A28C0D2: info: header Client-Id: shop from h[192.0.2.1]; from=<s@x> to=<a@example.com> proto=ESMTP helo=<h>";
    let id = "cleanup: 3F1A28C0D2: message-id=<1@example.com>";
    let sent =
        "local: 3F1A28C0D2: to=<a@example.com>, relay=local, dsn=2.0.0, status=sent (delivered to mailbox)";
    for lines in [[header, id, sent], [id, header, sent]] {
        assert_eq!(story_of(&lines).all()[0].client.as_deref(), Some("shop"));
    }
    let convention = "cleanup: 3F1A28C0D2: message-id=<98494.1.2@other>";
    for lines in [[header, convention, sent], [convention, header, sent]] {
        assert_eq!(story_of(&lines).all()[0].client.as_deref(), Some("other"), "the convention counts first");
    }
}

#[test]
fn a_requeued_message_stays_the_same_delivery() {
    let story = story_of(&[
        "smtpd: 4Xn0y83s5Zz1f: client=h[192.0.2.1]",
        "cleanup: 4Xn0y83s5Zz1f: message-id=<98494.1.2@shop>",
        "qmgr: 4Xn0y83s5Zz1f: from=<s@example.com>, size=99, nrcpt=1 (queue active)",
        "smtp: 4Xn0y83s5Zz1f: to=<a@example.com>, orig_to=<b@example.com>, relay=none, dsn=4.4.1, status=deferred (x)",
        "postsuper: 4Xn0y83s5Zz1f: requeued",
        "pickup: 4Xn0yC2rQlz1k: uid=103 from=<s@example.com> orig_id=4Xn0y83s5Zz1f",
        "cleanup: 4Xn0yC2rQlz1k: message-id=<98494.1.2@shop>",
        "qmgr: 4Xn0yC2rQlz1k: from=<s@example.com>, size=120, nrcpt=1 (queue active)",
        "smtp: 4Xn0yC2rQlz1k: to=<a@example.com>, relay=none, dsn=4.4.1, status=deferred (x)",
        "postsuper: 4Xn0yC2rQlz1k: requeued",
        "pickup: 4Xn0yF5c1Yz1m: uid=103 from=<s@example.com> orig_id=4Xn0yC2rQlz1k",
        "smtp: 4Xn0yF5c1Yz1m: to=<a@example.com>, relay=none, dsn=2.0.0, status=sent (x)",
        "qmgr: 4Xn0yF5c1Yz1m: removed",
    ]);
    assert_eq!(story.short(), [to("a@example.com", LoggedStatus::Sent, 3)]);
    assert_eq!(story.all()[0].queue_id.as_deref(), Some("4Xn0y83s5Zz1f"));
}

#[test]
fn operators_delete_hold_and_expire() {
    let begun = [
        "smtpd: 3F1A28C0D2: client=h[192.0.2.1]",
        "cleanup: 3F1A28C0D2: message-id=<1@example.com>",
        "qmgr: 3F1A28C0D2: from=<s@example.com>, size=99, nrcpt=2 (queue active)",
        "smtp: 3F1A28C0D2: to=<a@example.com>, relay=none, dsn=2.0.0, status=sent (x)",
        "smtp: 3F1A28C0D2: to=<b@example.com>, relay=none, dsn=4.4.1, status=deferred (x)",
    ];
    let ends = |lines: &[&str]| story_of(&[&begun[..], lines].concat()).short();
    let sent = to("a@example.com", LoggedStatus::Sent, 1);
    let with = |status| vec![sent.clone(), to("b@example.com", status, 1)];
    assert_eq!(ends(&["postsuper: 3F1A28C0D2: removed"]), with(LoggedStatus::Deleted));
    assert_eq!(ends(&["postsuper: 3F1A28C0D2: placed on hold"]), with(LoggedStatus::Held));
    let released = ["postsuper: 3F1A28C0D2: placed on hold", "postsuper: 3F1A28C0D2: released from hold"];
    assert_eq!(ends(&released), with(LoggedStatus::Deferred));
    let expired = [
        "postsuper: 3F1A28C0D2: expired",
        "qmgr: 3F1A28C0D2: from=<s@example.com>, status=force-expired, returned to sender",
    ];
    assert_eq!(ends(&expired), with(LoggedStatus::Expired));
    let nobody = story_of(&["smtpd: 3F1A28C0D2: client=h[192.0.2.1]", "postsuper: 3F1A28C0D2: removed"]);
    assert_eq!(nobody.short(), [to("", LoggedStatus::Deleted, 0)]);
}

#[test]
fn a_held_message_stays_the_same_delivery_when_it_is_released() {
    let story = story_of(&[
        "smtpd: NOQUEUE: hold: RCPT from h[192.0.2.1]: <s@x>: Sender address triggers HOLD action; from=<s@x> to=<b@example.com> proto=ESMTP helo=<h>",
        "smtpd: 3F1A28C0D2: client=h[192.0.2.1]",
        "cleanup: 3F1A28C0D2: message-id=<1@example.com>",
    ]);
    assert_eq!(story.short(), [to("b@example.com", LoggedStatus::Held, 0)]);
    let hold = "smtpd: NOQUEUE: hold: RCPT from h[192.0.2.1]: <s@x>: x; from=<s@x> to=<b@example.com> proto=ESMTP helo=<h>";
    let reject = "smtpd: NOQUEUE: reject: RCPT from h[192.0.2.1]: 550 x; from=<s@x> to=<b@example.com> proto=ESMTP helo=<h>";
    let other = "smtpd: 3F1A28C0D2: client=h[192.0.2.1]";
    assert_eq!(
        story_of(&[hold, "smtpd: disconnect from h[192.0.2.1]", "smtpd: connect from h[192.0.2.1]", other])
            .short(),
        []
    );
    assert_eq!(story_of(&[hold, reject, other]).short(), [to("b@example.com", LoggedStatus::Rejected, 0)]);
    let story = story_of(&[
        "smtpd: 3F1A28C0D2: client=h[192.0.2.1]",
        "cleanup: 3F1A28C0D2: message-id=<1@example.com>",
        "cleanup: 3F1A28C0D2: milter-hold: END-OF-MESSAGE from h[192.0.2.1]: milter triggers HOLD action; from=<s@x> to=<b@example.com> proto=ESMTP helo=<h>",
        "qmgr: 3F1A28C0D2: from=<s@x>, size=9, nrcpt=2 (queue active)",
        "smtp: 3F1A28C0D2: to=<c@example.com>, orig_to=<b@example.com>, relay=none, dsn=2.0.0, status=sent (x)",
        "smtp: 3F1A28C0D2: to=<d@example.com>, orig_to=<b@example.com>, relay=none, dsn=2.0.0, status=sent (x)",
        "qmgr: 3F1A28C0D2: removed",
    ]);
    assert_eq!(
        story.short(),
        [to("c@example.com", LoggedStatus::Sent, 1), to("d@example.com", LoggedStatus::Sent, 1)]
    );
}

#[test]
fn refusals_are_deliveries_with_or_without_a_queue_id() {
    let reject = "smtpd: NOQUEUE: reject: RCPT from h[192.0.2.1]: 554 5.7.1 <a@example.com>: Relay access denied; from=<s@x> to=<a@example.com> proto=ESMTP helo=<h>";
    let story = story_of(&[reject, reject]);
    assert_eq!(story.short(), vec![to("a@example.com", LoggedStatus::Rejected, 0); 2]);
    assert_eq!((&story.all()[0].queue_id, story.all()[0].dsn.as_deref()), (&None, Some("5.7.1")));
    let story = story_of(&[
        "smtpd: 3F1A28C0D2: client=h[192.0.2.1]",
        "smtpd: 3F1A28C0D2: reject: RCPT from h[192.0.2.1]: 550 5.1.1 <no@example.com>: unknown; from=<s@x> to=<no@example.com> proto=ESMTP helo=<h>",
        "cleanup: 3F1A28C0D2: message-id=<1@example.com>",
        "smtp: 3F1A28C0D2: to=<b@example.com>, relay=none, dsn=4.4.1, status=deferred (x)",
        "qmgr: 3F1A28C0D2: from=<s@x>, status=expired, returned to sender",
    ]);
    assert_eq!(
        story.short(),
        [to("no@example.com", LoggedStatus::Rejected, 0), to("b@example.com", LoggedStatus::Expired, 1)]
    );
    for (action, status) in
        [("milter-reject", LoggedStatus::Rejected), ("milter-discard", LoggedStatus::Discarded)]
    {
        let line = format!(
            "cleanup: 3F1A28C0D2: {action}: END-OF-MESSAGE from h[192.0.2.1]: 5.7.1 x; from=<s@x> to=<b@example.com> proto=ESMTP helo=<h>"
        );
        let story = story_of(&["cleanup: 3F1A28C0D2: message-id=<1@example.com>", &line]);
        assert_eq!(story.short(), [to("b@example.com", status, 0)]);
    }
    let note = "smtpd: NOQUEUE: filter: RCPT from h[192.0.2.1]: <s@x>: triggers FILTER x; from=<s@x> to=<a@example.com> proto=ESMTP helo=<h>";
    assert_eq!(story_of(&[note]).short(), []);
}

#[test]
fn notifications_and_forwarded_messages_know_where_they_come_from() {
    let story = story_of(&[
        "cleanup: 4Xn0y83s5Zz1f: message-id=<1@example.com>",
        "cleanup: 4Xn0y83s5Zz1f: info: header client-id: shop from h[192.0.2.1]; from=<s@x> to=<a@example.com> proto=ESMTP helo=<h>",
        "cleanup: 4Xn0yC2rQlz1k: message-id=<1@example.com>",
        "local: 4Xn0y83s5Zz1f: to=<a@example.com>, relay=local, dsn=2.0.0, status=sent (forwarded as 4Xn0yC2rQlz1k)",
        "smtp: 4Xn0yC2rQlz1k: to=<b@example.com>, orig_to=<a@example.com>, relay=none, dsn=5.1.1, status=bounced (x)",
        "cleanup: 4Xn0yF5c1Yz1m: message-id=<2@mx>",
        "bounce: 4Xn0yC2rQlz1k: sender non-delivery notification: 4Xn0yF5c1Yz1m",
        "smtp: 4Xn0yF5c1Yz1m: to=<s@x>, relay=none, dsn=2.0.0, status=sent (x)",
        "cleanup: 4Xn0yG2b8Rz1n: message-id=<1@example.com>",
        "smtp: 4Xn0yG2b8Rz1n: to=<e@example.com>, relay=mx.evil[192.0.2.66]:25, dsn=2.0.0, status=sent (250 queued as 4Xn0yF5c1Yz1m)",
    ]);
    let seen = story.all();
    assert_eq!([seen[0].status, seen[3].status], [LoggedStatus::Forwarded, LoggedStatus::Sent]);
    assert_eq!((seen[1].parent.as_deref(), seen[1].client.as_deref()), (Some("4Xn0y83s5Zz1f"), Some("shop")));
    assert_eq!((seen[2].parent.as_deref(), seen[2].client.as_deref()), (Some("4Xn0yC2rQlz1k"), None));
}

#[test]
fn probes_are_not_deliveries() {
    let story = story_of(&[
        "cleanup: 3F1A28C0D2: message-id=<1@mx>",
        "smtp: 3F1A28C0D2: to=<a@example.com>, relay=none, dsn=5.1.1, status=undeliverable (x)",
        "qmgr: 3F1A28C0D2: removed",
    ]);
    assert_eq!(story.short(), []);
}
