//! Where deliveries were sent from and how: sources and TLS levels, from the logs of Postfix and the accounting files of
//! PowerMTA into `carom deliveries`, reports, exports and alerts. The lines are invented.

use crate::harness::Sandbox;
use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::logs::{append, deliveries, sandbox, tick};
use serde_json::Value;

/// One delivery: the program that made it, its fields after `delays=`, and lines of cleanup before it.
fn message(n: u32, tag: &str, fields: &str, header: &str) -> String {
    let id = format!("4Xn0y8{n:06}zZ1f");
    let line = |tag: &str, text: &str| {
        format!("2026-03-01T10:00:{:02}.000000+00:00 mx {tag}[9]: {id}: {text}\n", n % 60)
    };
    let header = match header {
        "" => String::new(),
        header => line(
            "postfix/cleanup",
            &format!(
                "info: header {header} from app.example[192.0.2.7]; from=<s@shop.example> to=<u{n}@dest.example> proto=ESMTP helo=<app>"
            ),
        ),
    };
    let host = if n.is_multiple_of(2) { "mx1.google.com" } else { "mx.dest.example" };
    header
        + &line("postfix/qmgr", "from=<s@shop.example>, size=1000, nrcpt=1 (queue active)")
        + &line(
            tag,
            &format!(
                "to=<u{n}@dest{}.example>, relay={host}[192.0.2.9]:25, delay=1.5, delays=0.1/0/0.4/1, {fields}",
                n % 3
            ),
        )
        + &line("postfix/qmgr", "removed")
}

const SENT: &str = "dsn=2.0.0, status=sent (250 2.0.0 Ok)";
const GONE: &str = "dsn=5.1.1, status=bounced (host mx.dest.example[192.0.2.9] said: 550 5.1.1 no such user (in reply to RCPT TO command))";

/// Six messages: of the usual instance, of two transports and of another instance, with and without TLS.
fn streams() -> Sandbox {
    let sandbox = sandbox();
    let with = |tls: &str, end: &str| format!("tls={tls}, {end}");
    let lines = [
        message(1, "postfix/smtp", SENT, ""),
        message(2, "postfix/smtp-marketing/smtp", &with("may", SENT), "X-Campaign: spring sale"),
        message(3, "postfix/smtp-marketing/smtp", &with("may:none", GONE), "feedback-id: c7:shop:news:1"),
        message(4, "postfix/relay/smtp", &with("encrypt/(requiretls)", SENT), ""),
        message(5, "postfix-out/smtp", &with("none", SENT), "X-Campaign: spring sale"),
        message(6, "mta-b/lmtp", &with("dane", SENT), "X-Other: spring sale"),
    ];
    append(&sandbox.path("mail.log"), &lines.concat());
    tick(&sandbox);
    sandbox
}

/// The numbers of the messages found.
#[track_caller]
fn found(sandbox: &Sandbox, filters: &[&str]) -> Vec<u32> {
    let number = |one: &Value| one["recipient"].as_str().unwrap()[1..2].parse().unwrap();
    let mut numbers: Vec<u32> = deliveries(sandbox, filters).iter().map(number).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn instances_transports_and_logged_headers_of_postfix_are_sources() {
    let sandbox = streams();
    let shown = |n: u32| {
        let one = deliveries(&sandbox, &["--queue-id", &format!("4Xn0y8{n:06}zZ1f")]).remove(0);
        (one["source"].clone(), one["sources"].clone(), one["tls"].clone())
    };
    let of = |sources: &[&str], tls: Value| (sources[0].into(), sources.to_vec().into(), tls);
    let campaign = "campaign/spring sale";
    assert_eq!(shown(1), of(&["instance/postfix"], Value::Null));
    assert_eq!(shown(2), of(&["transport/smtp-marketing", "instance/postfix", campaign], "may".into()));
    let with_id = ["transport/smtp-marketing", "instance/postfix", "campaign/c7:shop:news:1"];
    assert_eq!(shown(3), of(&with_id, "may:none".into()));
    assert_eq!(shown(4), of(&["transport/relay", "instance/postfix"], "encrypt/(requiretls)".into()));
    assert_eq!(shown(5), of(&["instance/postfix-out", campaign], "none".into()));
    assert_eq!(shown(6), of(&["instance/mta-b"], "dane".into()));
    for (source, numbers) in [
        ("smtp-marketing", &[2, 3][..]),
        ("transport/smtp-marketing", &[2, 3]),
        ("Transport/SMTP-Marketing", &[2, 3]),
        ("campaign/smtp-marketing", &[]),
        ("spring sale", &[2, 5]),
        ("postfix", &[1, 2, 3, 4]),
        ("instance/postfix-out", &[5]),
        ("c7:shop:news:1", &[3]),
    ] {
        assert_eq!(found(&sandbox, &["--source", source]), numbers, "{source}");
    }
    assert_eq!(found(&sandbox, &["--source", "smtp-marketing", "--failed"]), [3]);
    assert_eq!(found(&sandbox, &["--source", "spring sale", "--tls", "none", "--limit", "5"]), [5]);
    assert_eq!(found(&sandbox, &["--tls", "none"]), [3, 5]);
    assert_eq!(found(&sandbox, &["--tls", "encrypt"]), [4]);
    assert_eq!(found(&sandbox, &["--tls", "encrypt/(requiretls)"]), [4]);
}

#[test]
fn a_source_is_that_of_the_last_attempt_however_the_lines_are_read() {
    let later = "dsn=4.4.1, status=deferred (connect to mx[192.0.2.9]:25: Connection timed out)";
    let first = message(7, "postfix/smtp-a/smtp", &format!("tls=may, {later}"), "X-Campaign: spring");
    let first: String =
        first.lines().filter(|line| !line.ends_with("removed")).map(|line| format!("{line}\n")).collect();
    let second = message(7, "postfix/smtp-b/smtp", SENT, "");
    for at_once in [true, false] {
        let sandbox = sandbox();
        append(&sandbox.path("mail.log"), &first);
        if !at_once {
            tick(&sandbox);
        }
        append(&sandbox.path("mail.log"), &second);
        tick(&sandbox);
        let one = deliveries(&sandbox, &[]).remove(0);
        assert_eq!(
            one["sources"],
            Value::from(vec!["transport/smtp-b", "instance/postfix", "campaign/spring"])
        );
        assert_eq!((&one["tls"], &one["attempts"]), (&Value::Null, &2.into()));
    }
}

#[test]
fn virtual_mtas_pools_addresses_and_jobs_of_powermta_are_sources() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("acct.csv");
    let sandbox = sandbox.config(&format!(
        "[[logs]]\nkind = \"powermta\"\npath = \"{}\"\ncampaign_headers = [\"X-Mailing\"]\n",
        path.display()
    ));
    let row = |n: u32, rest: &str| {
        format!("d,1772359{n:03},1772359000,a@shop.example,u{n}@dest.example,2.0.0,{rest}\r\n")
    };
    let rows = [
        "type,timeLogged,timeQueued,orig,rcpt,dsnStatus,dlvSourceIp,VMTA,jobId,header_X-Mailing,vmtaPool\r\n"
            .into(),
        row(1, "192.0.2.1,mta1,job-1,autumn,pool-a"),
        row(2, "2001:db8::1,,,autumn,pool-a"),
        row(3, "192.0.2.1,,,,"),
        row(4, ",,,,"),
    ];
    append(&path, &rows.concat());
    tick(&sandbox);
    let shown: Vec<Value> =
        deliveries(&sandbox, &[]).into_iter().rev().map(|one| one["sources"].clone()).collect();
    let want = [
        vec!["vmta/mta1", "pool/pool-a", "ip/192.0.2.1", "campaign/job-1"],
        vec!["pool/pool-a", "ip/2001:db8::1", "campaign/autumn"],
        vec!["ip/192.0.2.1"],
        vec![],
    ];
    assert_eq!(shown, want.map(Value::from));
    assert_eq!(found(&sandbox, &["--source", "192.0.2.1"]), [1, 3]);
    assert_eq!(found(&sandbox, &["--source", "pool-a"]), [1, 2]);
    assert_eq!(found(&sandbox, &["--source", "ip/2001:db8::1"]), [2]);
    assert_eq!(found(&sandbox, &["--source", "job-1", "--since", "2026-01-01"]), [1]);
}

/// The day of the lines, in UTC.
const DAY: [&str; 4] = ["--since", "2026-03-01T00:00:00Z", "--until", "2026-03-02T00:00:00Z"];

#[track_caller]
fn report(sandbox: &Sandbox) -> Value {
    let ran = sandbox.run(&[&["report", "--json"][..], &DAY].concat(), b"");
    assert!(ran.code == 0 && ran.stderr.is_empty(), "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn reports_and_exports_count_by_source_and_show_which_destinations_were_sent_mail_without_tls() {
    let sandbox = streams();
    let figures = report(&sandbox);
    let of = |list: &str, name: &str| {
        let all = figures[list].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name}: {figures}")).clone()
    };
    for (source, sent, bounced) in [
        ("instance/postfix", 3, 1),
        ("transport/smtp-marketing", 1, 1),
        ("transport/relay", 1, 0),
        ("instance/postfix-out", 1, 0),
        ("instance/mta-b", 1, 0),
        ("campaign/spring sale", 2, 0),
        ("campaign/c7:shop:news:1", 0, 1),
    ] {
        let outcomes = of("sources", source)["outcomes"].clone();
        assert_eq!((&outcomes["sent"], &outcomes["bounced"]), (&sent.into(), &bounced.into()), "{source}");
    }
    assert_eq!(figures["sources"].as_array().unwrap().len(), 7);
    // A bounce was not sent, with or without TLS.
    assert_eq!(figures["tls"], serde_json::json!({"dane": 1, "encrypt": 1, "may": 1, "none": 1}));
    assert_eq!(of("recipient_domains", "dest2.example")["tls"], serde_json::json!({"may": 1, "none": 1}));
    assert_eq!(of("providers", "google")["tls"], serde_json::json!({"dane": 1, "encrypt": 1, "may": 1}));
    let shown = sandbox.run(&[&["report"][..], &DAY].concat(), b"").stdout;
    for expected in ["Sources", "transport/smtp-marketing", "TLS by recipient domain", "without TLS"] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let sheet =
        |list: &str| sandbox.run(&[&["export", "csv", "--list", list][..], &DAY].concat(), b"").stdout;
    assert!(sheet("sources").contains("\r\ncampaign/spring sale,2,0,0,"), "{}", sheet("sources"));
    let tls = sheet("tls");
    assert!(tls.starts_with("by,destination,level,deliveries\r\n"), "{tls}");
    assert!(
        tls.contains("provider,google,dane,1\r\n")
            && tls.contains("recipient-domain,dest2.example,none,1\r\n")
    );
    let page = sandbox.run(&[&["export", "html"][..], &DAY].concat(), b"").stdout;
    assert!(page.contains("instance/mta-b") && page.contains("TLS by provider"), "{page}");
    let exposed = sandbox.run(&["export", "prometheus"], b"").stdout;
    assert!(exposed.contains("carom_tls_deliveries_total{tls=\"none\"} 1\n"), "{exposed}");
    assert!(exposed.contains("carom_provider_tls_deliveries_total{provider=\"google\",tls=\"dane\"} 1\n"));
    let events = sandbox.run(&[&["export", "events"][..], &DAY].concat(), b"").stdout;
    assert!(events.contains("\"tls\":\"may:none\",\"source\":\"transport/smtp-marketing\""), "{events}");
    let find = sandbox.run(&["find", "u5@dest2.example", "--json"], b"").stdout;
    let find: Value = serde_json::from_str(&find).unwrap();
    assert_eq!(find["deliveries"][0]["source"], "instance/postfix-out");
}

#[test]
fn a_log_of_one_usual_postfix_has_no_table_of_sources_or_tls() {
    let sandbox = sandbox();
    append(&sandbox.path("mail.log"), &message(1, "postfix/smtp", SENT, ""));
    tick(&sandbox);
    let shown = sandbox.run(&[&["report"][..], &DAY].concat(), b"").stdout;
    assert!(shown.contains("Relays") && !shown.contains("Sources") && !shown.contains("TLS"), "{shown}");
    let figures = report(&sandbox);
    assert_eq!(figures["sources"][0]["name"], "instance/postfix");
    assert!(figures.get("tls").is_none(), "{figures}");
}

#[test]
fn names_of_campaigns_that_strangers_choose_are_bounded() {
    let sandbox = sandbox();
    let long = "x".repeat(500);
    let lines: String =
        (0..300).map(|n| message(n, "postfix/smtp", SENT, &format!("X-Campaign: {n}-{long}"))).collect();
    append(&sandbox.path("mail.log"), &lines);
    tick(&sandbox);
    let one = deliveries(&sandbox, &["--limit", "1"]).remove(0);
    assert!(one["sources"][1].as_str().unwrap().len() <= 140, "{one}");
    assert!(
        sandbox.run(&["export", "prometheus"], b"").stdout.matches("carom_source_deliveries{").count() <= 51
    );
}

#[test]
fn an_alert_is_about_each_source_or_one_by_name() {
    let peer = SmtpPeer::start(ACCEPT);
    let rule = |name: &str, of: &str| {
        format!(
            "[[alert]]\nname = \"{name}\"\nwhen = \"bounce-rate\"\nof = \"{of}\"\nabove = 50\nat_least = 2\n\
             mail = [\"ops@sender.example\"]\n"
        )
    };
    let rules = rule("each", "source:each")
        + &rule("bare", "source:SMTP-marketing")
        + &rule("other", "source:smtp-b");
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let log = sandbox.path("mail.log");
    let sandbox = sandbox.config(&format!(
        "[alerts]\nserver = \"127.0.0.1:{}\"\n[[logs]]\nkind = \"postfix\"\npath = \"{}\"\ntimezone = \"UTC\"\n[index]\nact = false\n{rules}",
        peer.port,
        log.display()
    ));
    let then: jiff::Timestamp = "2026-03-01T10:05:00Z".parse().unwrap();
    sandbox.set_clock(then.as_millisecond() - jiff::Timestamp::now().as_millisecond());
    let lines = [
        message(1, "postfix/smtp-marketing/smtp", GONE, ""),
        message(2, "postfix/smtp-marketing/smtp", GONE, ""),
        message(3, "postfix/smtp-b/smtp", SENT, ""),
        message(4, "postfix/smtp-b/smtp", SENT, ""),
        message(5, "postfix/smtp-b/smtp", SENT, ""),
    ];
    append(&log, &lines.concat());
    sandbox.run(&["cron"], b"").silent();
    let shown = sandbox.run(&["alerts", "--json"], b"").stdout;
    let firing: Vec<Value> = shown
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|rule| rule["state"] == "firing")
        .collect();
    let names: Vec<&str> = firing.iter().map(|rule| rule["name"].as_str().unwrap_or_default()).collect();
    assert_eq!(names.len(), 2, "{shown}");
    let text: String =
        peer.mails().iter().map(|mail| String::from_utf8_lossy(&mail.data).into_owned()).collect();
    assert!(text.contains("bounce-rate of source transport/smtp-marketing is 100 %"), "{text}");
    assert!(
        text.contains("carom deliveries --failed --since 1h --source transport/smtp-marketing"),
        "{text}"
    );
    assert!(!text.contains("smtp-b") && !text.contains("instance/postfix"), "{text}");
}
