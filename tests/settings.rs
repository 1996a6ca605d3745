//! The config: what is wrong is found when it is loaded and by `carom check`, with file, line, key
//! and fix; what only `carom cron` needs stops `carom cron`, and never mail.

use crate::harness::{Ran, Sandbox, finish, plain, start};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const KEY: &str = "0f8a2b5d9c3e4f7a1b6c8d0e2f4a6b8c";

fn pipe(sandbox: &Sandbox) -> Ran {
    sandbox.pipe("x@accept.sink.example", &plain("x@accept.sink.example"))
}

/// The line of a text in the config.
fn line(sandbox: &Sandbox, text: &str) -> usize {
    let config = fs::read_to_string(sandbox.path("carom.toml")).unwrap();
    1 + config.lines().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{text} in {config}"))
}

/// `pipe` defers with this place and word, and `check` says it too.
#[track_caller]
fn stops_mail(config: &str, at: &str, key: &str, says: &str) {
    let sandbox = Sandbox::new().config(config);
    let place = format!("{}: line {}: {key}: ", sandbox.path("carom.toml").display(), line(&sandbox, at));
    let piped = pipe(&sandbox);
    piped.says(75, "4.3.0 ");
    assert!(piped.stdout.contains(&place) && piped.stdout.contains(says), "{place}{says}: {piped:?}");
    let checked = sandbox.run(&["check"], b"");
    assert!(
        checked.code == 1 && checked.stderr.contains(&place) && checked.stderr.contains(says),
        "{checked:?}"
    );
}

/// `pipe` delivers; `cron` reports the part and fails, and `check` reports the place and the fix.
#[track_caller]
fn stops_only(part: &str, config: &str, at: &str, key: &str, says: &str) {
    let sandbox = Sandbox::new().config(config);
    let place = format!("line {}: {key}: ", line(&sandbox, at));
    pipe(&sandbox).silent();
    let ticked = sandbox.run(&["cron"], b"");
    let reported = ticked.stderr.contains(&format!("{part}: ")) && ticked.stderr.contains(&place);
    assert!(ticked.code == 1 && reported && ticked.stderr.contains(says), "{place}{says}: {ticked:?}");
    let checked = sandbox.run(&["check"], b"");
    assert!(
        checked.code == 1 && checked.stdout.contains(&place) && checked.stdout.contains("fix: "),
        "{checked:?}"
    );
    assert!(!checked.stdout.contains("read and understood"), "{checked:?}");
    pipe(&sandbox).silent();
}

#[test]
fn a_key_of_verp_that_is_short_is_found_when_the_config_is_loaded() {
    let verp = format!("[verp]\ndomain = \"bounces.example.com\"\nkeys = [\"short\", \"{KEY}\"]\n");
    stops_mail(&verp, "keys = [", "[verp] keys", "key 1 has less than 16 octets");
    let domain = format!("[verp]\nkeys = [\"{KEY}\"]\n");
    stops_mail(&domain, "[verp]", "[verp] domain", "use a domain that has an MX record");
    let prefix = format!("[verp]\ndomain = \"b.example\"\nprefix = \"b b\"\nkeys = [\"{KEY}\"]\n");
    stops_mail(&prefix, "prefix = ", "[verp] prefix", "cannot begin a return path");
}

#[test]
fn a_notification_that_could_not_be_sent_is_found_when_the_config_is_loaded() {
    let notify = |rest: &str| format!("[[notify]]\nsender_domain = \"*\"\n{rest}\n");
    let url = |url: &str| notify(&format!("url = \"{url}\""));
    stops_mail(&url("not a url"), "url = ", "[[notify]] url", "is not allowed in a URL");
    stops_mail(&url("tracker.example:18180/b/{address}"), "url = ", "[[notify]] url", "https://app.example/");
    stops_mail(&url("https://a.example/{addres}"), "url = ", "[[notify]] url", "unknown variable {addres}");
    let variables = "use {address}, {sender_domain}, {event}";
    stops_mail(&url("https://a.example/{?addres}"), "url = ", "[[notify]] url", variables);
    stops_mail(
        &url("https://a.example/{+address}"),
        "url = ",
        "[[notify]] url",
        "{+address}` is not supported",
    );
    let good = "url = \"https://a.example/\"\n";
    for secret in ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_…", "whsec_c2hvcnQ="] {
        let config = notify(&format!("{good}secrets = [\"{secret}\"]"));
        stops_mail(&config, "secrets = ", "[[notify]] secrets", "carom secret new --webhook");
    }
    let twice = notify(good) + &notify("url = \"https://b.example/\" # second");
    let sandbox = Sandbox::new().config(&twice);
    let second = line(&sandbox, "# second") - 1;
    let piped = pipe(&sandbox);
    assert!(piped.stdout.contains(&format!("line {second}: [[notify]] sender_domain: ")), "{piped:?}");
}

#[test]
fn what_a_message_needs_is_found_when_the_config_is_loaded() {
    stops_mail("[dns]\ntimeout = 0\n", "timeout = 0", "[dns] timeout", "must be at least 1 second");
    stops_mail(
        "[message]\ndeadline = 0\n",
        "deadline = 0",
        "[message] deadline",
        "must be at least 1 second",
    );
    stops_mail("[visit]\nuser_agents = [\"a\\r\\nb\"]\n", "user_agents", "[visit] user_agents", "printable");
    stops_mail("[kept]\nper_address = 0\n", "per_address", "[kept] per_address", "nothing would be kept");
    stops_mail("[limits]\nmemory = 1\n", "memory = 1", "[limits] memory", "at least 65536 bytes");
}

#[test]
fn a_key_is_not_blamed_for_its_namesake_in_another_table() {
    let config = "[policy.bounce.settings]\nkeep = true\n[policies]\nkeep = 0 # none\n";
    stops_mail(config, "# none", "[policies] keep", "the current release is one of those kept");
}

#[test]
fn a_wrong_alert_stops_alerts_and_never_mail() {
    let alert = |rest: &str| format!("[[alert]]\nname = \"a\"\n{rest}\n");
    let tick = |rest: &str| alert(&format!("when = \"tick-failed\"\n{rest}"));
    stops_only("alerts", &tick(""), "[[alert]]", "[[alert]]", "alerts nobody");
    stops_only("alerts", &tick("mail = [\"ops\"]"), "mail = ", "[[alert]] mail", "is not an address");
    stops_only("alerts", &tick("webhook = \"x\""), "webhook = ", "[[alert]] webhook", "https://");
    let secret = tick("webhook = \"https://a.example/\"\nsecrets = [\"hush\"]");
    stops_only("alerts", &secret, "secrets = ", "[[alert]] secrets", "webhook secret 1");
    stops_only(
        "alerts",
        "[alerts]\nserver = \"a:b\"\n",
        "server = ",
        "[alerts] server",
        "is not a mail server",
    );
    let sandbox = Sandbox::new().config(&alert("when = \"luck\"\nmail = [\"a@b.example\"]"));
    pipe(&sandbox).silent();
    let ticked = sandbox.run(&["cron"], b"");
    assert!(ticked.code == 1 && ticked.stderr.contains("`luck` is not a statistic"), "{ticked:?}");
}

#[test]
fn a_wrong_export_cycle_or_log_stops_only_itself() {
    stops_only("export", "[export]\ntop = 0\n", "top = 0", "[export] top", "must be at least 1");
    let cycle = |rest: &str| format!("[[cycle]]\nname = \"a\"\nvalues = [1, 2, 3, 4, 5, 6, 7]\n{rest}\n");
    let text = cycle("file = \"/x\"\ntext = \"{value} {valeu}\"");
    stops_only("cycle", &text, "text = ", "[[cycle]] text", "unknown variable {valeu}");
    let twice = cycle("run = [\"true\"]") + &cycle("run = [\"true\"]").replace("\"a\"", "\"a\" # second");
    stops_only("cycle", &twice, "# second", "[[cycle]] name", "is the name of another [[cycle]]");
    let zone = "[[logs]]\nkind = \"postfix\"\npath = \"/x\"\ntimezone = \"Europe/Berlni\"\n";
    stops_only("logs", zone, "timezone", "[[logs]] timezone", "\"Europe/Berlni\" does not exist");
    let log = "[[logs]]\nkind = \"postfix\"\npath = \"/x\"\n";
    stops_only(
        "logs",
        &(log.to_owned() + &log.replace("\"/x\"", "\"/x\" # second")),
        "# second",
        "[[logs]] path",
        "remove one",
    );
}

#[test]
fn check_finds_a_program_that_does_not_exist() {
    let config = "[[cycle]]\nname = \"a\"\nvalues = [1, 2, 3, 4, 5, 6, 7]\nrun = [\"sh\"]\nfile = \"/tmp/carom-x\"\n\
                  text = \"{value}\"\nreload = [\"pmtactl-of-nobody\"]\n";
    let checked = Sandbox::new().config(config).run(&["check"], b"");
    let says = checked.stdout.contains("[[cycle]] a reload: there is no program \"pmtactl-of-nobody\"");
    assert!(checked.code == 1 && says && !checked.stdout.contains("a run:"), "{checked:?}");
}

#[test]
fn check_does_not_say_that_dns_answers_when_no_server_does() {
    let checked =
        Sandbox::new().config("[dns]\nservers = [\"127.0.0.1:9\"]\ntimeout = 1\n").run(&["check"], b"");
    let wrong = checked.stdout.lines().any(|line| line.starts_with("wrong") && line.contains(" dns "));
    assert!(checked.code == 1 && wrong, "{checked:?}");
    let answered = Sandbox::new().run(&["check"], b"");
    assert!(answered.stdout.contains("answers"), "{answered:?}");
}

#[test]
fn check_names_the_line_of_a_wrong_setting_of_a_policy() {
    let rule = |pattern: &str| {
        format!(
            "[auth]\nown_servers = [\"198.51.100.25/32\"]\n\
             [[policy.bounce.settings.rules]]\nname = \"ours\"\npattern = {pattern}\nreason = \"filtered\"\n"
        )
    };
    for pattern in ["'.*user.*unknown'", "'^550'", "'\\d+ users'", "'mailbox [a-z]+'", "'(?i)user unknown'"] {
        let sandbox = Sandbox::new().config(&rule(pattern));
        let checked = sandbox.run(&["check"], b"");
        let place = format!("line {}: rules[0] (ours): ", line(&sandbox, "pattern ="));
        assert!(checked.code == 1 && checked.stdout.contains(&place), "{pattern} {place}: {checked:?}");
    }
    for pattern in ["'(user|recipient) unknown'", "'^rejected$'", "'mailbox * full'"] {
        let checked = Sandbox::new().config(&rule(pattern)).run(&["check"], b"");
        assert!(checked.code == 0, "{pattern}: {checked:?}");
    }
}

#[test]
fn verp_verify_explains_an_address_that_a_milter_tagged() {
    let config = format!("[verp]\ndomain = \"bounces.example.com\"\nkeys = [\"{KEY}\"]\n");
    let sandbox = Sandbox::new().config(&config);
    let signed = sandbox.run(&["verp", "sign", "joe@there.example"], b"").stdout;
    let tagged = format!("prvs=0686aabbcc={}", signed.trim());
    let verified = sandbox.run(&["verp", "verify", &tagged], b"");
    assert!(
        verified.code == 0 && verified.stdout.starts_with("joe@there.example, signed 0 days"),
        "{verified:?}"
    );
    let foreign = sandbox.run(&["verp", "verify", "prvs=0686aabbcc=ann@here.example"], b"");
    assert!(foreign.code == 1 && foreign.stderr.contains("ann@here.example"), "{foreign:?}");
}

#[test]
fn a_config_that_is_no_text_file_is_found_with_the_reason() {
    let sandbox = Sandbox::new();
    let config = sandbox.path("carom.toml");
    let stops = |says: &str| {
        let (piped, checked) = (pipe(&sandbox), sandbox.run(&["check"], b""));
        assert!(piped.code == 75 && piped.stdout.contains(says), "{piped:?}");
        assert!(checked.code == 1 && checked.stderr.contains(says), "{checked:?}");
        std::fs::remove_file(&config).unwrap();
    };
    std::fs::write(&config, b"# one\n# caf\xe9\n").unwrap();
    stops("line 2: not UTF-8; save the file as UTF-8");
    std::fs::File::create(&config).unwrap().set_len(5 << 20).unwrap();
    stops("longer than 4 MiB");
    assert!(std::process::Command::new("mkfifo").arg(&config).status().unwrap().success());
    stops("not a regular file");
}

#[test]
fn an_empty_path_is_found_when_the_config_is_loaded() {
    stops_mail("[log]\ndirectory = \"\"\n", "directory = ", "[log] directory", "is empty");
}

#[test]
fn secrets_may_be_in_files_and_in_credentials_of_systemd() {
    let other = "another key of this test, long enough";
    let sandbox = Sandbox::new();
    let (file, credentials) = (sandbox.path("verp.key"), sandbox.path("credentials"));
    fs::write(&file, format!("{KEY}\n")).unwrap();
    fs::create_dir(&credentials).unwrap();
    fs::write(credentials.join("old"), format!("{other}\n")).unwrap();
    let config = format!(
        "[verp]\ndomain = \"bounces.example.com\"\nkeys = [\"file:{}\", \"credential:old\"]\n",
        file.display()
    );
    let sandbox = sandbox.config(&config);
    let run = |sandbox: &Sandbox, arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        command.env("CREDENTIALS_DIRECTORY", &credentials);
        finish(start(command, b""), Duration::from_secs(60))
    };
    let inline = |key: &str| {
        let verp = format!("[verp]\ndomain = \"bounces.example.com\"\nkeys = [\"{key}\"]\n");
        Sandbox::new().config(&verp).run(&["verp", "sign", "joe@there.example"], b"").stdout
    };
    let signed = run(&sandbox, &["verp", "sign", "joe@there.example"]);
    assert_eq!(signed.stdout, inline(KEY), "{signed:?}");
    let old = inline(other);
    assert_eq!(run(&sandbox, &["verp", "verify", old.trim()]).code, 0);
    // Without the credential nothing is signed, and mail waits.
    let without = sandbox.run(&["verp", "sign", "joe@there.example"], b"");
    assert!(without.code == 1 && without.stderr.contains("LoadCredential=old:FILE"), "{without:?}");
    assert_eq!(pipe(&sandbox).code, 75);
    for (text, says) in [("", "its first line is empty"), ("\u{0}short", "less than 16 octets")] {
        fs::write(&file, text).unwrap();
        let ran = run(&sandbox, &["verp", "sign", "joe@there.example"]);
        assert!(ran.code == 1 && ran.stderr.contains(says) && !ran.stderr.contains("short"), "{ran:?}");
    }
    fs::remove_file(&file).unwrap();
    assert!(run(&sandbox, &["verp", "sign", "joe@there.example"]).stderr.contains("verp.key"));
    // What everyone can read is no secret.
    fs::write(&file, KEY).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let found = run(&sandbox, &["check"]).stdout;
    assert!(found.contains("verp.key: everyone can read the key or secret in it"), "{found}");
}

#[test]
#[cfg(not(feature = "sqlcipher"))]
fn a_key_of_the_databases_is_refused_where_they_cannot_be_encrypted() {
    let sandbox = Sandbox::new();
    let key = sandbox.path("store.key");
    fs::write(&key, "a key of the databases").unwrap();
    let sandbox = sandbox.config(&format!("[store]\nkey = \"file:{}\"\n", key.display()));
    let ran = pipe(&sandbox);
    assert!(ran.code == 75 && ran.stdout.contains("--features sqlcipher"), "{ran:?}");
    let written = Sandbox::new().config("[store]\nkey = \"a key of the databases\"\n");
    let ran = pipe(&written);
    assert!(ran.code == 75 && ran.stdout.contains("write it into a file"), "{ran:?}");
}
