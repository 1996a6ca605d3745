//! `carom postfix`: a Postfix that hands mail to carom after one command, and is as before after another.

use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::postfix::Postfix;
use crate::harness::{Ran, SENDER, Sandbox, plain, wait_for};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Command;

pub(crate) const SINK_AND_BOUNCES: &str = "policy = \"sink\"\n[policy.sink.settings]\ndomains = [\"sink.example\"]\n\
    [verp]\nkeys = [\"a key of this test, long enough\"]\ndomain = \"bounces.example\"\n";

/// A config directory of Postfix with these lines in main.cf; runs `carom postfix` on it.
pub(crate) struct Instance {
    pub(crate) sandbox: Sandbox,
}

impl Instance {
    pub(crate) fn new(main: &str) -> Instance {
        let sandbox = Sandbox::new();
        let instance = Instance { sandbox };
        instance.configure(SINK_AND_BOUNCES);
        let sandbox = &instance.sandbox;
        // The state belongs to the user of the services.
        let state = sandbox.path("state");
        fs::create_dir_all(&state).unwrap();
        let chowned = Command::new("chown").arg("nobody").arg(&state).status().unwrap();
        assert!(chowned.success(), "run the tests as root");
        fs::create_dir_all(sandbox.path("etc")).unwrap();
        fs::write(sandbox.path("etc/main.cf"), format!("# of the operator\n{main}")).unwrap();
        let services = "smtp inet n - y - - smtpd\nsmtp unix - - y - - smtp\n";
        fs::write(sandbox.path("etc/master.cf"), services).unwrap();
        instance
    }

    pub(crate) fn configure(&self, config: &str) {
        let state = format!("state = \"{}\"\n", self.sandbox.path("state").display());
        fs::write(self.sandbox.path("carom.toml"), state + config).unwrap();
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        let directory = self.sandbox.path("etc");
        let directory = directory.to_str().unwrap();
        let user: &[&str] = if words[0] == "enable" { &["--user", "nobody"] } else { &[] };
        self.sandbox.run(&[&["postfix"], words, &["-c", directory], user].concat(), b"")
    }

    pub(crate) fn file(&self, name: &str) -> String {
        fs::read_to_string(self.sandbox.path("etc").join(name)).unwrap()
    }

    pub(crate) fn replace(&self, name: &str, old: &str, new: &str) {
        let text = self.file(name);
        assert!(text.contains(old), "{text}");
        fs::write(self.sandbox.path("etc").join(name), text.replace(old, new)).unwrap();
    }

    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(self.sandbox.path("etc")).unwrap();
        let read = |entry: std::io::Result<fs::DirEntry>| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap())
        };
        let mut files: Vec<_> = entries.map(read).collect();
        files.sort();
        files
    }
}

#[test]
fn what_enable_adds_disable_removes_to_the_byte() {
    for main in [
        "",
        "relay_domains = \ntransport_maps = \n",
        "compatibility_level = 3.6\nrelay_domains = a.example, b.example\ntransport_maps = inline:{ {a.example=smtp:x} }\n",
    ] {
        let postfix = Instance::new(main);
        let before = postfix.files();
        let shown = postfix.run(&["show"]);
        assert!(shown.code == 1 && shown.stdout.contains("no service that runs carom pipe"), "{shown:?}");
        let rehearsed = postfix.run(&["enable", "--dry-run"]);
        assert!(rehearsed.code == 0 && postfix.files() == before, "{rehearsed:?}");
        let enabled = postfix.run(&["enable"]);
        assert_eq!(enabled.code, 0, "{enabled:?}");
        assert!(enabled.stdout.starts_with(&rehearsed.stdout), "{rehearsed:?} {enabled:?}");
        let (main_cf, master_cf) = (postfix.file("main.cf"), postfix.file("master.cf"));
        for line in [
            "{sink.example=carom}, {.sink.example=carom}",
            "{bounces.example=carom-bounce}",
            "carom_destination_recipient_limit = 1",
            "carom-bounce_time_limit = 120s",
        ] {
            assert!(main_cf.contains(line), "{line}: {main_cf}");
        }
        // postconf breaks lines where the path of carom makes them long.
        let words: Vec<_> = master_cf.split_whitespace().collect();
        assert!(words.windows(2).any(|two| two == ["--policy", "bounce"]), "{master_cf}");
        let shown = postfix.run(&["show"]);
        assert_eq!(shown.code, 0, "{shown:?}");
        assert!(
            shown.stdout.contains("mail for bounces.example and domains below it goes to carom-bounce"),
            "{shown:?}"
        );
        let enabled = postfix.files();
        let again = postfix.run(&["enable"]);
        assert!(
            again.code == 0 && postfix.files() == enabled && !again.stdout.contains("postconf"),
            "{again:?}"
        );
        let disabled = postfix.run(&["disable"]);
        assert_eq!((disabled.code, postfix.files()), (0, before), "{disabled:?}");
    }
}

#[test]
fn domains_that_change_in_the_config_change_in_postfix_and_edits_of_others_stay() {
    let postfix = Instance::new("relay_domains = a.example\n");
    assert_eq!(postfix.run(&["enable"]).code, 0);
    postfix.replace("main.cf", "relay_domains = a.example, ", "relay_domains = a.example, later.example, ");
    let config = SINK_AND_BOUNCES.replace("\"sink.example\"", "\"new.example\"");
    postfix.configure(&config);
    let shown = postfix.run(&["show"]);
    assert!(
        shown.code == 1 && shown.stdout.contains("mail for new.example does not go to carom"),
        "{shown:?}"
    );
    assert_eq!(postfix.run(&["enable"]).code, 0);
    let main_cf = postfix.file("main.cf");
    assert!(main_cf.contains("{.new.example=carom}") && !main_cf.contains("sink.example"), "{main_cf}");
    assert!(main_cf.contains("later.example"), "{main_cf}");
    assert_eq!(postfix.run(&["disable"]).code, 0);
    assert_eq!(postfix.file("main.cf"), "# of the operator\nrelay_domains = a.example, later.example\n");
}

#[test]
fn mail_for_an_earlier_domain_of_return_paths_comes_to_carom_as_long_as_the_config_names_it() {
    let postfix = Instance::new("");
    let changed = SINK_AND_BOUNCES.replace("bounces.example", "returns.example");
    postfix.configure(&(changed.clone() + "earlier = [\"b+@bounces.example\"]\n"));
    assert_eq!(postfix.run(&["enable"]).code, 0);
    for domain in ["bounces.example", "returns.example"] {
        let entry = format!("{{{domain}=carom-bounce}}");
        assert!(postfix.file("main.cf").contains(&entry), "{}", postfix.file("main.cf"));
    }
    postfix.configure(&changed);
    assert_eq!(postfix.run(&["enable"]).code, 0);
    assert!(!postfix.file("main.cf").contains("bounces.example"), "{}", postfix.file("main.cf"));
}

#[test]
fn a_service_of_that_name_comes_back() {
    let postfix = Instance::new("");
    let mine = "carom unix - n n - 3 pipe flags=R user=nobody argv=/usr/bin/carom pipe --sender ${sender}";
    let master_cf = postfix.file("master.cf");
    let lines = "carom-bounce  unix  -       n       n   -  3       pipe\n  # theirs\n    -o syslog_name=theirs\n  flags=R user=nobody\n\
                 \targv=/usr/bin/carom pipe --sender ${sender}\n# the end\nlast unix - - y - - smtp\n";
    fs::write(postfix.sandbox.path("etc/master.cf"), format!("{master_cf}{mine}\n{lines}")).unwrap();
    let before = postfix.files();
    for _ in 0..2 {
        assert_eq!(postfix.run(&["enable"]).code, 0);
        assert!(postfix.file("master.cf").contains("flags=DORX"));
    }
    let rehearsed = postfix.run(&["disable", "--dry-run"]).stdout;
    assert!(rehearsed.contains("# master.cf: carom-bounce/unix is written as it was before"), "{rehearsed}");
    assert_eq!(postfix.run(&["disable"]).code, 0);
    assert_eq!(postfix.files(), before, "{}", postfix.file("master.cf"));
}

/// An access table for recipients, in main.cf.
fn recipient(entry: &str) -> String {
    let table = format!("check_recipient_access inline:{{ {{{entry}}} }}");
    format!("smtpd_recipient_restrictions = permit_mynetworks, {table}, reject_unauth_destination\n# of")
}

#[test]
fn what_would_keep_mail_from_carom_is_found() {
    let postfix = Instance::new("");
    assert_eq!(postfix.run(&["enable"]).code, 0);
    let enabled = postfix.file("main.cf");
    for (old, new, found) in [
        ("carom_time_limit = 120s", "carom_time_limit = 1m", "not above carom's own deadline of 60 s"),
        ("carom_destination_recipient_limit = 1", "", "carom_destination_recipient_limit is not 1"),
        ("{.sink.example=carom}", "{.sink.example=smtp:}", "mail for .sink.example goes to smtp:"),
        ("{.sink.example=carom}", "{.sink.example=carom-bounce}", "goes to carom-bounce, which runs bounce"),
        ("relay_domains = ", "relay_domains = x.example\n# ", "is not in relay_domains"),
        ("# of", "mydestination = sink.example\n# of", "sink.example is in mydestination"),
        ("# of", "content_filter = amavis:[127.0.0.1]:10024\n# of", "carom sees the filter as the client"),
        ("# of", "smtpd_proxy_filter = 127.0.0.1:10025\n# of", "carom sees the filter as the client"),
        ("# of", "relay_recipient_maps = inline:{a@b.example=x}\n# of", "recipients that it does not list"),
        (
            "# of",
            "virtual_alias_maps = inline:{ {@sink.example=me@x.example} }\n# of",
            "virtual_alias_maps replaces",
        ),
        (
            "# of",
            "canonical_maps = inline:{ {@accept.sink.example=@x.example} }\n# of",
            "replaces addresses in sink",
        ),
        (
            "# of",
            "recipient_canonical_maps = regexp:{ {/^(.*)@bounces/ $1@x.example} }\n# of",
            "addresses in bounces",
        ),
        (
            "# of",
            &recipient("sink.example=REJECT no such domain"),
            "`REJECT no such domain` for sink.example",
        ),
        ("# of", &recipient(".sink.example=550 5.1.1 no"), "keeps mail for sink.example from carom"),
        (
            "# of",
            "smtpd_sender_restrictions = check_sender_access inline:{<>=REJECT}\n# of",
            "keeps bounces from carom",
        ),
        ("# of", "message_size_limit = 0\n# of", "message_size_limit is no limit"),
        ("# of", "message_size_limit = 100000000\n# of", "message_size_limit is 100000000 bytes"),
    ] {
        postfix.replace("main.cf", old, new);
        let shown = postfix.run(&["show"]);
        assert!(shown.stdout.contains(found), "{found}: {shown:?}");
        fs::write(postfix.sandbox.path("etc/main.cf"), &enabled).unwrap();
    }
    postfix.replace("master.cf", "user=nobody", "user=no-such-user-here");
    postfix.replace("master.cf", "flags=DORX", "flags=DORXu");
    let shown = postfix.run(&["show"]);
    assert!(shown.stdout.contains("useradd") && shown.stdout.contains("lower case"), "{shown:?}");
    // `carom check` says the same of this host's own Postfix; here, that it does not know carom.
    let checked = postfix.sandbox.run(&["check"], b"");
    assert!(checked.stdout.contains("no service that runs carom pipe"), "{checked:?}");
}

#[test]
fn tables_that_leave_mail_for_carom_as_it_is_are_no_fault() {
    let same = "virtual_alias_maps = inline:{ {@sink.example=@sink.example}, {@x.example=me@x.example} }\n";
    let access = recipient("sink.example=OK").replace("\n# of", "\n");
    let postfix = Instance::new(&format!("{same}{access}message_size_limit = 50000000\n"));
    assert_eq!(postfix.run(&["enable"]).code, 0);
    let shown = postfix.run(&["show"]);
    assert!(shown.code == 0 && !shown.stdout.contains("wrong"), "{shown:?}");
}

#[test]
fn files_that_only_a_group_may_read_stay_so() {
    let postfix = Instance::new("");
    let (main, master) = (postfix.sandbox.path("etc/main.cf"), postfix.sandbox.path("etc/master.cf"));
    let seen =
        || [&main, &master].map(|file| fs::metadata(file).map(|found| (found.mode(), found.gid())).unwrap());
    for (file, mode) in [(&main, 0o640), (&master, 0o600)] {
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
        chown(file, None, Some(8)).unwrap();
    }
    let before = seen();
    for command in ["enable", "disable"] {
        assert_eq!(postfix.run(&[command]).code, 0);
        assert_eq!(seen(), before, "{command}");
    }
}

#[test]
fn a_state_directory_that_is_named_is_named_to_postfix_too() {
    let postfix = Instance::new("");
    let state = postfix.sandbox.path("state").display().to_string();
    let directory = postfix.sandbox.path("etc").display().to_string();
    let words = ["--state", &state, "postfix", "enable", "-c", &directory, "--user", "nobody"];
    let enabled = postfix.sandbox.run(&words, b"");
    assert_eq!(enabled.code, 0, "{enabled:?}");
    let master_cf = postfix.file("master.cf");
    let words: Vec<_> = master_cf.split_whitespace().collect();
    assert!(words.windows(3).any(|three| three == ["--state", &state, "pipe"]), "{master_cf}");
}

#[test]
fn a_user_who_does_not_exist_is_refused_before_anything_is_changed() {
    let postfix = Instance::new("");
    let (before, directory) = (postfix.files(), postfix.sandbox.path("etc").display().to_string());
    let words = ["postfix", "enable", "-c", &directory, "--user", "carom-of-nowhere"];
    let refused = postfix.sandbox.run(&words, b"");
    let fix = "useradd --system --no-create-home --shell /usr/sbin/nologin carom-of-nowhere";
    assert!(refused.code == 1 && refused.stderr.contains(fix), "{refused:?}");
    assert!(postfix.files() == before);
    let rehearsed = postfix.sandbox.run(&[&words[..], &["--dry-run"]].concat(), b"");
    assert!(rehearsed.code == 0 && rehearsed.stdout.contains("user=carom-of-nowhere"), "{rehearsed:?}");
}

#[test]
fn a_config_that_names_no_domain_is_refused() {
    let postfix = Instance::new("");
    fs::write(postfix.sandbox.path("carom.toml"), "policy = \"sink\"\n").unwrap();
    let before = postfix.files();
    let refused = postfix.run(&["enable"]);
    assert!(
        refused.code == 1 && refused.stderr.contains("set [policy.sink.settings] domains"),
        "{refused:?}"
    );
    assert!(postfix.files() == before);
}

#[test]
fn mail_arrives_after_one_command() {
    let bounces = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new();
    let postfix = Postfix::start_unwired(&sandbox, bounces.port);
    let directory = sandbox.path("postfix/config");
    let words = |command| {
        let user: &[&str] = if command == "enable" { &["--user", "nobody"] } else { &[] };
        [&["postfix", command, "-c", directory.to_str().unwrap()], user].concat()
    };
    // The program that it writes into master.cf is the one that runs: the mail user must reach it.
    let config = sandbox.path("carom.toml");
    let run = |command| {
        let output =
            Command::new(sandbox.path("carom")).arg("--config").arg(&config).args(words(command)).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    run("enable");
    for recipient in ["x@sink.example", "x@accept.sink.example"] {
        postfix.send(SENDER, recipient, &plain(recipient));
    }
    wait_for(60, "both messages", || sandbox.counter("total_messages") == 2);
    run("disable");
    postfix.send(SENDER, "x@accept.sink.example", &plain("x@accept.sink.example"));
    wait_for(60, "the relay host", || bounces.mails().len() == 1);
    assert_eq!(
        (bounces.mails()[0].to.as_str(), sandbox.counter("total_messages")),
        ("x@accept.sink.example", 2)
    );
}

#[test]
fn a_file_whose_last_line_has_no_end_is_refused_and_stays() {
    for name in ["main.cf", "master.cf"] {
        let postfix = Instance::new("");
        let text = postfix.file(name);
        fs::write(postfix.sandbox.path("etc").join(name), text.trim_end()).unwrap();
        let before = postfix.files();
        let refused = postfix.run(&["enable"]);
        assert!(refused.code == 1 && refused.stderr.contains("run: echo >> "), "{refused:?}");
        assert!(postfix.files() == before, "{name}");
    }
}

#[test]
fn without_a_record_nothing_is_added_twice_and_nothing_is_guessed() {
    let postfix = Instance::new("");
    assert_eq!(postfix.run(&["enable"]).code, 0);
    let main_cf = postfix.file("main.cf");
    fs::remove_file(postfix.sandbox.path("etc/carom-wiring.json")).unwrap();
    let refused = postfix.run(&["disable"]);
    assert!(
        refused.code == 1 && refused.stderr.contains("no record of what was there before"),
        "{refused:?}"
    );
    assert_eq!(postfix.run(&["enable"]).code, 0);
    assert_eq!(postfix.file("main.cf"), main_cf);
}

#[test]
fn a_user_who_cannot_write_the_state_is_found_and_the_fix_names_the_instance() {
    let postfix = Instance::new("");
    assert!(
        Command::new("chown").arg("daemon").arg(postfix.sandbox.path("state")).status().unwrap().success()
    );
    let shown = postfix.run(&["show"]);
    assert!(shown.stdout.contains(&format!("-c {}", postfix.sandbox.path("etc").display())), "{shown:?}");
    let enabled = postfix.run(&["enable"]);
    assert!(enabled.code == 1 && enabled.stdout.contains("chown -R nobody"), "{enabled:?}");
}
