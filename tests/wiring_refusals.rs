//! `carom postfix enable` where mail would be lost or Postfix would run nothing: it refuses before it changes anything. And
//! `disable` where the config, the record or the wiring is not as `enable` left it.

use crate::harness::{SENDER, plain};
use crate::wiring::{Instance, SINK_AND_BOUNCES};
use std::fs;

/// Nothing was changed, and this was said.
#[track_caller]
fn refuses(postfix: &Instance, words: &[&str], said: &str) {
    let before = postfix.files();
    let directory = postfix.sandbox.path("etc").display().to_string();
    let refused = postfix.sandbox.run(&[&["postfix", "enable", "-c", &directory], words].concat(), b"");
    assert!(refused.code == 1 && refused.stderr.contains(said), "{said}: {refused:?}");
    assert!(postfix.files() == before, "{said}");
}

#[test]
fn a_sink_with_the_domain_of_return_paths_gets_no_mail() {
    let postfix = Instance::new("");
    let config = SINK_AND_BOUNCES.replace("[\"sink.example\"]", "[\"sink.example\", \"Bounces.example\"]");
    postfix.configure(&config);
    let said = "the sink has the domain of return paths, Bounces.example";
    refuses(&postfix, &["--user", "nobody"], said);
    let ran = postfix.sandbox.run(
        &["pipe", "--sender", SENDER, "--recipient", "x@bounces.example", "--policy", "sink"],
        &plain("x@bounces.example"),
    );
    assert!(ran.code == 75 && ran.stdout.contains(said), "{ran:?}");
    let others = postfix.sandbox.run(
        &["pipe", "--sender", SENDER, "--recipient", "x@accept.sink.example", "--policy", "sink"],
        &plain("x@accept.sink.example"),
    );
    assert_eq!(others.code, 0, "only mail for that domain waits: {others:?}");
    let quick = postfix.sandbox.run(&["check", "--quick"], b"").stdout;
    assert!(!quick.contains(said), "{quick}");
    let checked = postfix.sandbox.run(&["check"], b"").stdout;
    assert!(checked.contains(said) && !checked.contains("goes to carom-bounce"), "{checked}");
}

/// As if the service of the bounce policy were missing.
#[test]
fn the_sink_takes_no_bounce_for_a_return_path_of_ours() {
    let postfix = Instance::new("");
    postfix.configure(SINK_AND_BOUNCES);
    let to = "x@bounces.example";
    let by = |policy: &str| {
        let words = ["pipe", "--sender", "", "--recipient", to, "--policy", policy];
        postfix.sandbox.run(&words, &plain(to))
    };
    let ran = by("sink");
    let said = "the sink got mail for return paths: a bounce of bounces.example";
    assert!(ran.code == 75 && ran.stdout.contains(said) && ran.stdout.contains("--policy bounce"), "{ran:?}");
    let logged = postfix.sandbox.run(&["log", "--status", "deferred"], b"").stdout;
    assert!(logged.contains(said), "{logged}");
    assert_eq!(by("bounce").code, 0);
}

#[test]
fn users_that_postfix_runs_nothing_as_are_refused() {
    let postfix = Instance::new("");
    refuses(&postfix, &["--user", "root"], "is root, and Postfix runs nothing as root");
    postfix.configure(&format!("{SINK_AND_BOUNCES}[policies]\nmail_user = \"postfix\"\n"));
    refuses(
        &postfix,
        &[],
        "mail_user of [policies] (or --user) is postfix, the user that Postfix itself works as",
    );
    postfix.configure(SINK_AND_BOUNCES);
    assert_eq!(postfix.run(&["enable"]).code, 0);
    postfix.replace("master.cf", "user=nobody", "user=postfix");
    let shown = postfix.run(&["show"]);
    assert!(shown.stdout.contains("the user that Postfix itself works as"), "{shown:?}");
    assert!(!shown.stdout.contains("chown"), "{shown:?}");
}

#[test]
fn a_policy_whose_name_no_service_can_have_is_refused() {
    for name in ["My Policy", "a/b", "a=b"] {
        let postfix = Instance::new("");
        let table = format!(
            "[policy.\"{name}\"]\npath = \"/none\"\n[policy.\"{name}\".settings]\ndomains = [\"p.example\"]\n"
        );
        postfix.configure(&format!("{SINK_AND_BOUNCES}{table}"));
        refuses(
            &postfix,
            &["--user", "nobody"],
            &format!("policy {name:?} has domains, and its name cannot"),
        );
    }
}

#[test]
fn what_the_operator_removed_stays_removed() {
    let postfix =
        Instance::new("relay_domains = a.example\ntransport_maps = inline:{ {a.example=smtp:x} }\n");
    for command in ["enable", "disable"] {
        assert_eq!(postfix.run(&["enable"]).code, 0);
        let lines = postfix.file("main.cf");
        let kept = lines
            .lines()
            .filter(|line| !line.starts_with("relay_domains") && !line.starts_with("transport_maps"));
        let main: String = kept.map(|line| format!("{line}\n")).collect();
        fs::write(postfix.sandbox.path("etc/main.cf"), main).unwrap();
        assert_eq!(postfix.run(&[command]).code, 0);
        let main = postfix.file("main.cf");
        assert!(!main.contains("a.example,") && !main.contains("smtp:x"), "{command}: {main}");
    }
}

#[test]
fn wiring_whose_record_is_lost_is_undone_too() {
    let postfix = Instance::new("");
    let before = postfix.files();
    assert_eq!(postfix.run(&["enable"]).code, 0);
    fs::remove_file(postfix.sandbox.path("etc/carom-wiring.json")).unwrap();
    assert_eq!(postfix.run(&["enable"]).code, 0);
    assert_eq!((postfix.run(&["disable"]).code, postfix.files()), (0, before));
}

#[test]
fn wiring_that_is_left_after_disable_is_named() {
    let mine = "carom unix - n n - 3 pipe flags=R user=nobody argv=/usr/bin/carom pipe --sender ${sender}";
    let postfix = Instance::new("transport_maps = inline:{ {a.example=carom} }\n");
    let services = format!("{}{mine}\n", postfix.file("master.cf"));
    fs::write(postfix.sandbox.path("etc/master.cf"), services).unwrap();
    assert_eq!(postfix.run(&["enable"]).code, 0);
    let disabled = postfix.run(&["disable"]);
    assert!(
        disabled.code == 1 && disabled.stderr.contains("Postfix still hands mail to carom"),
        "{disabled:?}"
    );
}

#[test]
fn entries_that_others_put_into_our_table_stay_and_ours_go() {
    let postfix = Instance::new("");
    assert_eq!(postfix.run(&["enable"]).code, 0);
    postfix.replace("main.cf", "inline:{ ", "inline:{ {x.example=smtp:y}, ");
    assert_eq!(postfix.run(&["enable"]).code, 0);
    let main = postfix.file("main.cf");
    assert_eq!(main.matches("{sink.example=carom}").count(), 1, "{main}");
    assert_eq!(main.matches("{x.example=smtp:y}").count(), 1, "{main}");
    assert_eq!(postfix.run(&["disable"]).code, 0);
    assert!(postfix.file("main.cf").ends_with("transport_maps = inline:{ {x.example=smtp:y} }\n"), "{main}");
}

#[test]
fn disable_works_with_a_broken_config() {
    let postfix = Instance::new("");
    let before = postfix.files();
    assert_eq!(postfix.run(&["enable"]).code, 0);
    postfix.configure("polcy = \"sink\"\n");
    assert_eq!((postfix.run(&["disable"]).code, postfix.files()), (0, before));
}

#[test]
fn the_number_of_processes_is_the_operators_to_set() {
    let postfix = Instance::new("");
    assert_eq!(postfix.run(&["enable"]).code, 0);
    postfix.replace("master.cf", " 16 ", " 64 ");
    let raised = postfix.file("master.cf");
    assert_eq!(postfix.run(&["enable"]).code, 0);
    assert!(raised.contains(" 64 ") && postfix.file("master.cf") == raised);
}
