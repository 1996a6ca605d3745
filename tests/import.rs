//! Configs of the predecessors, converted by the real binary into one that the real binary reads.

use crate::harness::{CAROM, Sandbox, finish, start};
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What `carom import` prints, and its notes.
fn imported(sandbox: &Sandbox, kind: &str, name: &str, text: &str) -> (String, String) {
    let path = sandbox.path(name);
    fs::write(&path, text).unwrap();
    let ran = sandbox.run(&["import", kind, path.to_str().unwrap()], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    (ran.stdout, ran.stderr)
}

/// Whether a message of no consequence is taken under this config.
fn is_usable(toml: &str) -> bool {
    let sandbox = Sandbox::new();
    let config = sandbox.path("imported.toml");
    fs::write(&config, toml).unwrap();
    let message = b"From: a@b.example\r\nSubject: hello\r\n\r\nhello\r\n";
    let mut command = Command::new(CAROM);
    command.arg("--config").arg(&config).arg("--state").arg(sandbox.path("state"));
    command.args(["pipe", "--sender", "", "--recipient", "b@c.example"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(start(command, message), Duration::from_secs(60)).code == 0
}

#[test]
fn a_bounced_email_service_becomes_a_config_that_notifies_the_same_applications() {
    let sandbox = Sandbox::new();
    let yaml = "production:\n  handler:\n    temporary_threshold: 4\n    domains:\n      \
                shop.example:\n        endpoint: http://127.0.0.1:7001/emails/{address}/suspend\n  \
                amqp:\n    url: amqp://u:secret@mq.example\n  pop3:\n    server: mail.example\n    password: secret\n";
    let (toml, notes) = imported(&sandbox, "bes", "config.yml", yaml);
    assert!(toml.contains("threshold = 6") && toml.contains("/emails/{address}/suspend"), "{toml}");
    assert!(notes.contains("amqp: not needed") && !notes.contains("secret"), "{notes}");
    assert!(
        notes.contains("pop3: not converted: carom fetches no mail.") && notes.contains("carom relay"),
        "{notes}"
    );
    assert!(is_usable(&toml), "{toml}");
    let wrong = sandbox.run(&["import", "bes", "-"], b"");
    assert!(wrong.code == 1 && wrong.stderr.contains("config.yml"), "{wrong:?}");
}

#[test]
fn postfix_deliverability_analytics_becomes_a_config_that_reads_the_same_log_with_its_rules() {
    let sandbox = Sandbox::new();
    fs::write(
        sandbox.path("rules.xml"),
        "<bounces><regex type=\"soft\" category=\"spam\"><or>looks like spam</or></regex></bounces>",
    )
    .unwrap();
    let conf = "app {\n  notification.recipients = [\"ops@example.com\"]\n  bounce-regex-list { url = rules.xml }\n  \
                logs { dir = \"/var/log/\", tailed-log-file = \"mail.log\" }\n  db.auth = geheim\n}\n";
    let (toml, notes) = imported(&sandbox, "pda", "application.conf", conf);
    for part in
        ["path = \"/var/log/mail.log\"", "mail = [\"ops@example.com\"]", "looks like spam", "act = false"]
    {
        assert!(toml.contains(part), "{part}: {toml}");
    }
    assert!(notes.contains("db.auth") && !notes.contains("geheim"), "{notes}");
    assert!(is_usable(&toml), "{toml}");
    fs::write(sandbox.path("broken.conf"), "app {\n  a = \"x\n}\n").unwrap();
    let wrong = sandbox.run(&["import", "pda", sandbox.path("broken.conf").to_str().unwrap()], b"");
    assert!(wrong.code == 1 && wrong.stderr.contains("broken.conf: line 3"), "{wrong:?}");
}

#[test]
fn what_carom_would_refuse_of_a_bounced_email_service_is_left_out_with_a_note() {
    let sandbox = Sandbox::new();
    let domains = [
        ("template.example", "base_url: http://localhost:7001/emails/{address}/suspend"),
        ("user.example", "endpoint: http://joe:geheim@app.example/b"),
        ("email.example", "endpoint: http://app.example/{email}"),
        ("no.example", "endpoint: no"),
        ("\"*.wild.example\"", "endpoint: https://app.example/b"),
        ("127.0.0.1", "endpoint: https://app.example/b"),
        ("twice.example", "endpoint: https://app.example/b"),
        ("Twice.Example", "endpoint: https://app.example/c"),
        ("fine.example", "base_url: https://app.example/api"),
    ];
    let domains: String =
        domains.iter().map(|(name, url)| format!("      {name}:\n        {url}\n")).collect();
    let yaml = format!("production:\n  handler:\n    domains:\n{domains}");
    let (toml, notes) = imported(&sandbox, "bes", "config.yml", &yaml);
    assert!(is_usable(&toml), "{toml}");
    let read: toml::Table = toml.parse().unwrap();
    let applications = read["notify"].as_array().unwrap();
    let named = |name: &str| applications.iter().find(|one| one["sender_domain"].as_str() == Some(name));
    assert_eq!(applications.len(), 3, "{toml}");
    let template = named("template.example").unwrap();
    assert_eq!(template["url"].as_str(), Some("http://localhost:7001/emails/{address}/suspend"));
    assert_eq!(named("fine.example").unwrap()["lookup"].as_str(), Some("https://app.example/api"));
    assert!(named("twice.example").is_some());
    for (name, why) in [
        ("template.example", "allow_private = [\"127.0.0.1/32\"]"),
        ("user.example", "URLs with user names are not allowed"),
        ("email.example", "unknown variable {email}"),
        ("no.example", "does not begin with https://"),
        ("*.wild.example", "is not a domain"),
        ("127.0.0.1", "is not a domain"),
        ("Twice.Example", "in another spelling"),
    ] {
        let note = notes.lines().find(|note| note.contains(&format!("carom: {name}: "))).unwrap_or_default();
        assert!(note.contains(why), "{name}: {notes}");
    }
    assert!(!notes.contains("geheim") && !toml.contains("geheim"), "{notes}");
}

#[test]
fn keys_that_yaml_merges_are_converted() {
    let sandbox = Sandbox::new();
    let yaml = "default: &default\n  handler: &handler\n    temporary_threshold: 4\n    domains:\n      \
                shop.example: &shop\n        endpoint: https://app.example/b\n\
                production:\n  <<: *default\n\
                staging:\n  handler:\n    <<: *handler\n    temporary_threshold: 1\n";
    let path = sandbox.path("config.yml");
    fs::write(&path, yaml).unwrap();
    for (environment, threshold) in [("production", 6), ("staging", 3)] {
        let ran = sandbox.run(&["import", "bes", path.to_str().unwrap(), "--env", environment], b"");
        let wanted = format!("threshold = {threshold}");
        assert!(ran.stdout.contains("shop.example") && ran.stdout.contains(&wanted), "{ran:?}");
        assert!(is_usable(&ran.stdout), "{ran:?}");
    }
}

#[test]
fn every_form_of_an_application_conf_is_read_and_its_notes_say_what_carom_has_today() {
    let sandbox = Sandbox::new();
    let conf = "\u{feff}app {\n  notification.recipients = [\"Ops <ops@example.com>\"]\n  \
                notification.recipients += \"duty@example.com\"\n  notification.recipients += \"nobody\"\n  \
                http-server { start = true, host = \"0.0.0.0\", port = 8080, auth = [\"joe:geheim\"] }\n  \
                db.auth = geheim\n}\n";
    let (toml, notes) = imported(&sandbox, "pda", "application.conf", conf);
    assert!(toml.contains("mail = [\"ops@example.com\", \"duty@example.com\"]"), "{toml}");
    for said in ["\"nobody\" is not an address", "carom serve", "[serve] listen", "[store] key"] {
        assert!(notes.contains(said), "{said}: {notes}");
    }
    assert!(!notes.contains("no HTTP service") && !notes.contains("geheim"), "{notes}");
    assert!(is_usable(&toml), "{toml}");
    let checked = sandbox.path("checked.toml");
    fs::write(&checked, &toml).unwrap();
    let mut command = Command::new(CAROM);
    command.arg("--config").arg(&checked).arg("--state").arg(sandbox.path("state")).args(["check", "--json"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = finish(start(command, b""), Duration::from_secs(60));
    assert!(!ran.stdout.contains("is not an address"), "{ran:?}");
}

#[test]
fn random_bounces_of_powermta_become_replies_in_any_case_and_in_latin_1() {
    let sandbox = Sandbox::new();
    let [ini, list] = ["consume-mail.ini", "blacklist.dat"].map(|name| sandbox.path(name));
    fs::write(&ini, b"[Sink]\nOOB_percent = 0\nDigit1_Days = 1\nSignals_Traffic_Prefix = gr\xfc\xdfe\n")
        .unwrap();
    fs::write(
        &list,
        b"Random_Bounce:550 5.1.1 nobody\nRANDOM_BOUNCE:550 5.1.1 nobody\nrandom_bounce:550 5.7.1 f\xfcr alle\n\
          random_bounce:550 5.7.1 f\xc3\xbcr alle\nrandom_bounce:550 5.7.1 \x85\n",
    )
    .unwrap();
    let [ini, list] = [&ini, &list].map(|path| path.to_str().unwrap());
    let ran = sandbox.run(&["sink", "import", ini, "--blacklist", list], b"");
    let replies = "replies = [{ reply = \"550 5.1.1 nobody\", weight = 2 }, \
                   { reply = \"550 5.7.1 f\u{fc}r alle\", weight = 2 }]";
    assert!(ran.code == 0 && ran.stdout.contains(replies), "{ran:?}");
    assert!(ran.stdout.contains("signals_traffic_prefix = \"gr\u{fc}\u{df}e\""), "{ran:?}");
    assert!(ran.stderr.contains("blacklist, line 5: "), "{ran:?}");
    let with_domains = ran.stdout.replace("# domains =", "domains =");
    assert!(is_usable(&with_domains), "{with_domains}");
}

#[test]
fn what_nobody_writes_in_a_config_is_refused_in_a_sentence() {
    let sandbox = Sandbox::new();
    let refused = |arguments: &[&str], text: String, why: &str| {
        let path = sandbox.path("hostile");
        fs::write(&path, text).unwrap();
        let path = path.display().to_string();
        let ran = sandbox.run(&[arguments, &[&path]].concat(), b"");
        assert!(ran.code == 1 && ran.stderr.contains(why), "{arguments:?} {ran:?}");
    };
    refused(&["rules", "import"], "<a>".repeat(20_000), "nested more than 100 deep");
    let quoted = "<a b=\"/>\" c='/'>".repeat(20_000);
    refused(&["rules", "import"], quoted, "nested more than 100 deep");
    for arguments in [&["import", "pda"][..], &["import", "bes"], &["sink", "import"], &["rules", "import"]] {
        refused(arguments, "[a]\nx = 1\n".repeat(200_000), "longer than 1 MiB");
    }
}

#[test]
fn what_is_written_to_a_full_disk_is_an_error_and_no_half_of_it_passes_for_the_whole() {
    let sandbox = Sandbox::new()
        .config("[verp]\nkeys = [\"a key of sixteen or more octets\"]\ndomain = \"bounces.example.com\"\n");
    sandbox.run(&["suppress", "add", "ann@x.example"], b"");
    let file = |name: &str, text: &str| {
        fs::write(sandbox.path(name), text).unwrap();
        sandbox.path(name).display().to_string()
    };
    let bes = "production:\n  handler:\n    domains:\n      shop.example:\n        endpoint: https://shop.example/{address}\n";
    let pda = "app {\n  notification.recipients = [\"ops@example.com\"]\n}\n";
    let (bes, pda) = (file("config.yml", bes), file("application.conf", pda));
    let ini = file("consume-mail.ini", "[Sink]\nOOB_percent = 0.5\n");
    let commands: [&[&str]; 11] = [
        &["import", "bes", &bes],
        &["import", "pda", &pda],
        &["sink", "import", &ini],
        &["suppress", "export"],
        &["suppress", "list"],
        &["find", "ann@x.example", "--export"],
        &["verp", "sign", "--stdin"],
        &["secret", "new"],
        &["policy", "wit"],
        &["export", "json"],
        &["completions", "bash"],
    ];
    for words in commands {
        let mut command = sandbox.command(words);
        command.stdout(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
        let ran = finish(start(command, b"joe@example.org\n"), Duration::from_secs(60));
        let says = ran.stderr.contains("cannot write to standard output: No space left on device");
        assert!(ran.code == 1 && says, "{words:?}: {ran:?}");
    }
}
