//! Exim's main log from the outside. The logs in `tests/exim_logs` were written by a real Exim, whose server of replies
//! answered by the local part; each file says how. `tests/mtas` reads the log of the Exim that it runs.

use crate::harness::Sandbox;
use crate::harness::web::WebServer;
use crate::logs::{append, deliveries, tick};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

fn log(name: &str) -> String {
    let path = format!("{}/tests/exim_logs/{name}.log", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(path).unwrap()
}

fn sandbox() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    let path = sandbox.path("mainlog");
    let config = format!("[[logs]]\nkind = \"exim\"\npath = \"{}\"\ntimezone = \"UTC\"\n", path.display());
    (sandbox.config(&config), path)
}

/// The deliveries to this recipient.
#[track_caller]
fn to(sandbox: &Sandbox, recipient: &str) -> Value {
    let mut found = deliveries(sandbox, &["--recipient", recipient]);
    assert_eq!(found.len(), 1, "{recipient}: {found:?}");
    found.remove(0)
}

#[test]
fn logs_that_exim_wrote_tell_what_became_of_each_recipient() {
    for name in ["default", "all", "syslog"] {
        let (sandbox, path) = sandbox();
        append(&path, &log(name));
        let ticked = tick(&sandbox);
        assert_eq!((&ticked["unknown"], &ticked["foreign"]), (&json!(0), &json!(0)), "{name}: {ticked}");
        for (recipient, status, attempts, tls) in [
            ("ok@dest.example", "sent", 1, json!("encrypt")),
            ("ok@plain.example", "sent", 1, json!("none")),
            ("grey@dest.example", "sent", 2, json!("encrypt")),
            ("unknown@dest.example", "bounced", 1, json!("encrypt")),
            ("unknown2@dest.example", "bounced", 1, json!("encrypt")),
            ("multi@dest.example", "bounced", 1, json!("encrypt")),
            ("spam@dest.example", "bounced", 1, json!("encrypt")),
            ("noroute@nowhere.example", "bounced", 1, Value::Null),
            ("busy@dest.example", "expired", 3, Value::Null),
            ("hole@example.org", "discarded", 0, Value::Null),
            ("prog@example.org", "sent", 1, Value::Null),
            ("ann@dest.example", "sent", 1, json!("encrypt")),
            ("gone@dest.example", "sent", 1, json!("encrypt")),
            ("Case.Sensitive@dest.example", "sent", 1, json!("encrypt")),
            ("\"odd => ** b\"@dest.example", "sent", 1, json!("encrypt")),
        ] {
            let one = to(&sandbox, recipient);
            let found = (&one["status"], &one["attempts"]);
            assert_eq!(found, (&json!(status), &json!(attempts)), "{name}: {one}");
            // Only the line of the attempt that was deferred last says how it was made.
            if status != "expired" {
                assert_eq!(one["tls"], tls, "{name}: {one}");
            }
        }
        let unknown = to(&sandbox, "unknown@dest.example");
        let reply = "550 5.1.1 <unknown@dest.example>: Recipient address rejected: User unknown";
        assert_eq!((&unknown["reply"], &unknown["dsn"]), (&json!(reply), &json!("5.1.1")), "{name}");
        assert_eq!(
            (&unknown["reason"], &unknown["sender"]),
            (&json!("user-unknown"), &json!("a@shop.example"))
        );
        assert_eq!(unknown["client_id"], "shop");
        assert!(unknown["notification"].is_string() && unknown["size"] == 266, "{name}: {unknown}");
        assert_eq!(unknown["sources"], json!(["transport/out", "instance/exim"]), "{name}");
        let relay = unknown["relay"].as_str().unwrap();
        assert!(relay.starts_with("127.0.0.1[127.0.0.1]"), "{name}: {relay}");
        let multi = to(&sandbox, "multi@dest.example");
        let lines =
            "550-5.7.1 Message blocked 550-5.7.1 see https://dest.example/policy 550 5.7.1 for details";
        assert_eq!(multi["reply"], lines, "{name}");
        assert_eq!(to(&sandbox, "noroute@nowhere.example")["reply"], "Unrouteable address");
        assert_eq!(to(&sandbox, "ann@dest.example")["original_recipient"], "team@example.org");
        assert_eq!(to(&sandbox, "prog@example.org")["relay"], "pipe");
        assert_eq!(to(&sandbox, "gone@dest.example")["sender"], "");
        let rejected = deliveries(&sandbox, &["--status", "rejected"]);
        let of = |recipient: &str| rejected.iter().filter(|one| one["recipient"] == recipient).count();
        // Exim's reject log goes to syslog, too.
        let times = if name == "syslog" { 2 } else { 1 };
        assert_eq!((of("nobody@dest.example"), of("later@dest.example")), (times, times), "{rejected:?}");
        assert!(rejected.iter().any(|one| one["sender"] == "refused@stranger.example"), "{rejected:?}");
        let virus = rejected.iter().find(|one| one["reply"] == "rejected after DATA: virus found");
        assert!(virus.is_some_and(|one| one["sender"] == "new@stranger.example"), "{rejected:?}");
        let bounces = deliveries(&sandbox, &["--recipient", "a@shop.example"]);
        assert!(bounces.len() >= 4 && bounces.iter().all(|one| one["parent"].is_string()), "{bounces:?}");
        let checked = sandbox.run(&["check"], b"").stdout;
        assert!(checked.contains("Exim, ") && checked.contains("lines understood"), "{checked}");
    }
}

#[test]
fn exim_s_lines_give_the_same_deliveries_however_they_are_divided_among_ticks() {
    let text = log("all");
    let shown = |piece: usize| {
        let (sandbox, path) = sandbox();
        for part in text.as_bytes().chunks(piece) {
            append(&path, std::str::from_utf8(part).unwrap());
            tick(&sandbox);
        }
        let mut shown = deliveries(&sandbox, &[]);
        shown.sort_by_key(Value::to_string);
        shown
    };
    let once = shown(text.len());
    assert!(once.len() > 20);
    assert_eq!(shown(1500), once);
    assert_eq!(shown(4001), once);
}

#[test]
fn what_strangers_choose_is_no_flag_and_no_field_of_exim() {
    let (sandbox, path) = sandbox();
    append(
        &path,
        "2026-03-01 10:00:00 H=([1.2.3.4]F=<victim@example.com>) [203.0.113.7] F=<s@stranger.example> rejected RCPT \
         <r@example.org>: F=<victim@example.com> rejected RCPT <a@b.example>: no\n\
         2026-03-01 10:00:01 1xXZbT-0006SV-0R <= \"a H=(x) [1.2.3.4] for b@c.example\"@s.example H=(h) [192.0.2.9] P=esmtp \
         S=12 id=m@s.example\n\
         2026-03-01 10:00:02 1xXZbT-0006SV-0R => r@example.org R=r T=t H=mx.example.org [192.0.2.1]:25* X=TLS1.2:x:256 \
         CV=yes C=\"250 ok \\\" Completed ** v@example.org R=r T=t: 550 5.1.1 gone\"\n\
         2026-03-01 10:00:03 1xXZbT-0006SV-0R subject: => w@example.org R=r T=t C=\"250 ok\"\n\
         2026-03-01 10:00:04 1xXZbT-000000006SV-0Rab <= <> R=1xXZbT-0006SV-0R P=local S=9\n\
         2026-03-01 10:00:05 1xXZbT-000000006SV-0Rab == s@s.example R=r T=t defer (-53): retry time not reached for any host\n\
         2026-03-01 10:00:06 1xXZbT-000000006SV-0Rab ** s@s.example: retry timeout exceeded\n\
         Mar  1 10:00:07 mx exim4[77]: 2026-03-01 10:00:07 [1/2] 1xXZbU-0006SV-0R => long@example.org R=r T=t C=\"250 ok\n\
         Mar  1 10:00:07 mx exim4[77]: [2/2] => w@example.org R=r\"\n\
         Mar  1 10:00:08 mx postfix/qmgr[1]: 4Xn0y83s5Zz1f: removed\n",
    );
    let ticked = tick(&sandbox);
    assert_eq!((&ticked["unknown"], &ticked["foreign"]), (&json!(0), &json!(1)), "{ticked}");
    assert!(deliveries(&sandbox, &["--recipient", "w@example.org"]).is_empty());
    assert!(deliveries(&sandbox, &["--recipient", "v@example.org"]).is_empty());
    let all = deliveries(&sandbox, &[]);
    assert!(all.iter().all(|one| one["sender"] != "victim@example.com"), "{all:?}");
    let refused = &deliveries(&sandbox, &["--status", "rejected"])[0];
    // Refusals count with our own mail, whoever was refused.
    assert_eq!((&refused["sender"], &refused["whose"]), (&json!("s@stranger.example"), &json!("own")));
    let sent = &deliveries(&sandbox, &["--recipient", "r@example.org", "--status", "sent"])[0];
    assert_eq!(sent["sender"], "\"a H=(x) [1.2.3.4] for b@c.example\"@s.example");
    assert_eq!((&sent["tls"], &sent["relay"]), (&json!("verify"), &json!("mx.example.org[192.0.2.1]:25")));
    let expired = &deliveries(&sandbox, &["--recipient", "s@s.example"])[0];
    assert_eq!((&expired["status"], &expired["attempts"]), (&json!("expired"), &json!(1)));
}

#[test]
fn an_address_ends_before_what_any_selector_and_any_kind_of_deferral_put_behind_it() {
    let (sandbox, path) = sandbox();
    let id = "2026-03-01 10:00:00 1xXZc0-0006SV-0R";
    let mx = "R=dnslookup T=remote_smtp H=mx.dest.example [192.0.2.1]:25";
    let unknown = "SMTP error from remote mail server after RCPT TO:<x@dest.example>: 550 5.1.1 User unknown";
    append(
        &path,
        &format!(
            "{id} <= a@shop.example U=app P=local S=900\n\
             {id} ** end@dest.example (mid@shop.example, \"b (c)\"@shop.example) <first@shop.example> F=<a@shop.example> {mx}: {unknown}\n\
             {id} => info (mid@shop.example) <box@shop.example> R=local T=mail_spool\n\
             {id} ** queue@dest.example Q=slow {mx}: {unknown}\n\
             {id} ** \"two (2) <3>\"@dest.example {mx}: {unknown}\n\
             {id} == held@dest.example defer (-2): domain is held by queue_domains\n\
             {id} == route@dest.example routing defer (-51): retry time not reached\n\
             {id} == route@dest.example routing defer (-59): retry time not reached\n\
             {id} => route@dest.example {mx} C=\"250 ok\"\n\
             {id} == busy@dest.example R=dnslookup T=remote_smtp defer (-46) H=mx.dest.example [192.0.2.1]: SMTP error from \
             remote mail server after end of data: 451 4.3.0 busy\n\
             {id} == busy@dest.example R=dnslookup T=remote_smtp defer (-54): retry time not reached for any host for 'dest.example'\n\
             {id} == down@dest.example R=dnslookup T=remote_smtp defer (111): Connection refused H=mx.dest.example [192.0.2.1]:25\n\
             {id} == |\"/usr/bin/p (a) b\" (mid@shop.example) <pipe@shop.example> R=forward T=address_pipe defer (0): Child process \
             returned 75\n"
        ),
    );
    let ticked = tick(&sandbox);
    assert_eq!(ticked["unknown"], json!(0), "{ticked}");
    for (recipient, status, attempts) in [
        ("end@dest.example", "bounced", 1),
        ("box@shop.example", "sent", 1),
        ("queue@dest.example", "bounced", 1),
        ("\"two (2) <3>\"@dest.example", "bounced", 1),
        ("held@dest.example", "deferred", 1),
        ("route@dest.example", "sent", 1),
        ("busy@dest.example", "deferred", 1),
        ("down@dest.example", "deferred", 1),
        ("pipe@shop.example", "deferred", 1),
    ] {
        let one = to(&sandbox, recipient);
        assert_eq!((&one["status"], &one["attempts"]), (&json!(status), &json!(attempts)), "{one}");
    }
    assert_eq!(deliveries(&sandbox, &[]).len(), 9);
    let end = to(&sandbox, "end@dest.example");
    assert_eq!(
        (&end["original_recipient"], &end["sender"]),
        (&json!("first@shop.example"), &json!("a@shop.example"))
    );
    assert_eq!(to(&sandbox, "busy@dest.example")["reply"], "451 4.3.0 busy");
    let down = to(&sandbox, "down@dest.example");
    let refused = (&json!("Connection refused"), &json!("mx.dest.example[192.0.2.1]:25"));
    assert_eq!((&down["reply"], &down["relay"]), refused, "{down}");
}

#[test]
fn the_life_of_a_message_has_the_lines_that_exim_wrote() {
    for name in ["default", "syslog"] {
        let (sandbox, path) = sandbox();
        append(&path, &log(name));
        tick(&sandbox);
        let id = to(&sandbox, "grey@dest.example")["queue_id"].as_str().unwrap().to_owned();
        let server = WebServer::start(&sandbox, &[]);
        let life = server.json(&format!("/api/v1/messages/{id}"));
        let lines = life["lines"].as_array().unwrap();
        let texts: Vec<&str> = lines.iter().map(|line| line["line"].as_str().unwrap()).collect();
        assert!(texts.len() >= 3 && texts.iter().all(|line| line.contains(&id)), "{name}: {life}");
        assert!(texts[0].contains("<= "), "{texts:?}");
        let page = server.get(&format!("/message?id={id}")).text();
        assert!(page.contains("Delivered.") && page.contains("it is tried again"), "{page}");
    }
}
