//! Return paths that other programs sign: the examples and the test vectors of docs/return-paths.md.

use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::postfix::Postfix;
use crate::harness::{Sandbox, wait_for};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

const DAY: i64 = 20785;
const DOMAIN: &str = "b.example";

/// Recipients and return paths of the documents.
fn vectors() -> (String, Vec<(String, String)>) {
    let page = fs::read_to_string("docs/return-paths.md").unwrap();
    let key = page.split("Key `").nth(1).unwrap().split('`').next().unwrap().to_owned();
    let row = |line: &str| {
        let (recipient, path) = line.strip_prefix("| `")?.strip_suffix("` |")?.split_once("` | `")?;
        Some((recipient.to_owned(), path.to_owned()))
    };
    (key, page.lines().filter_map(row).collect())
}

/// `carom verp` with this key.
fn carom(sandbox: &Sandbox, key: &str, words: &[&str], input: &str) -> crate::harness::Ran {
    let config = format!("policy = \"bounce\"\n[verp]\nkeys = [\"{key}\"]\ndomain = \"{DOMAIN}\"\n");
    fs::write(sandbox.path("carom.toml"), config).unwrap();
    let now = format!("@{}", DAY * 86_400 + 3600);
    sandbox.run(&[&["--now", &now, "verp"], words].concat(), input.as_bytes())
}

/// What an example prints; `None`: the language is not installed here.
fn example(program: &[&str], key: &str, input: &str) -> Option<String> {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).args([key, DOMAIN, &DAY.to_string()]).env("HOME", std::env::temp_dir());
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        eprintln!("{} is not installed: its example is not tested", program[0]);
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program:?}: {output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

const EXAMPLES: [&[&str]; 4] = [
    &["python3", "examples/return-paths/sign.py"],
    &["perl", "examples/return-paths/sign.pl"],
    &["php", "examples/return-paths/sign.php"],
    &["go", "run", "examples/return-paths/sign.go"],
];

#[test]
fn every_example_signs_as_the_documents_say() {
    let (key, vectors) = vectors();
    assert!(vectors.len() > 8);
    let lines = |of: fn(&(String, String)) -> &String| {
        vectors.iter().map(|one| format!("{}\n", of(one))).collect::<String>()
    };
    let (recipients, paths) = (lines(|one| &one.0), lines(|one| &one.1));
    let mut tested = 0;
    for program in EXAMPLES {
        if let Some(printed) = example(program, &key, &recipients) {
            assert_eq!(printed, paths, "{program:?}");
            tested += 1;
        }
    }
    assert!(tested > 0, "none of the languages is installed");
    let refused = carom(&Sandbox::new(), &key, &["sign", "joe@example.org"], "");
    assert!(refused.code == 1 && refused.stderr.contains("carom secret new"), "{refused:?}");
}

#[test]
fn carom_and_every_example_sign_alike_whatever_the_address() {
    let sandbox = Sandbox::new();
    let key = sandbox.run(&["secret", "new"], b"").stdout.trim().to_owned();
    let letters: Vec<char> = "abzAZ09-_.+='\"!äß日 ".chars().collect();
    let mut random = fastrand::Rng::with_seed(7);
    let mut word = |most: usize| -> String {
        (0..random.usize(1..most))
            .map(|_| letters[random.usize(..letters.len())])
            .collect::<String>()
            .trim()
            .to_owned()
    };
    let mut recipients = String::new();
    for _ in 0..300 {
        let (local, domain) = (word(40), word(25));
        let domain: String =
            domain.chars().filter(|letter| letter.is_alphanumeric() || *letter == '-').collect();
        let local =
            if local.contains(['"', ' ']) { format!("\"{}\"", local.replace('"', "\\\"")) } else { local };
        if local.len() > 2 && !domain.is_empty() {
            recipients += &format!("{local}@{domain}.example\n");
        }
    }
    let signed = carom(&sandbox, &key, &["sign", "--stdin"], &recipients);
    assert_eq!(signed.code, 0, "{signed:?}");
    for program in EXAMPLES {
        if let Some(printed) = example(program, &key, &recipients) {
            for ((one, other), recipient) in
                printed.lines().zip(signed.stdout.lines()).zip(recipients.lines())
            {
                assert_eq!(one, other, "{program:?} {recipient}");
            }
            assert_eq!(printed.lines().count(), recipients.lines().count(), "{program:?}");
        }
    }
}

#[test]
fn a_line_that_is_no_address_is_named_and_the_others_are_signed() {
    let sandbox = Sandbox::new();
    let key = sandbox.run(&["secret", "new"], b"").stdout.trim().to_owned();
    let signed = carom(&sandbox, &key, &["sign", "--stdin"], "joe@example.org\nnobody\njim@example.org\n");
    assert!(signed.code == 1 && signed.stderr.contains("line 2: \"nobody\" is not an address"), "{signed:?}");
    let lines: Vec<&str> = signed.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{signed:?}");
    assert!(lines[0].contains("joe=") && lines[1].is_empty() && lines[2].contains("jim="), "{signed:?}");
    let odd = carom(&sandbox, &key, &["sign", "--stdin"], "\u{feff}joe@example.org\nJoe <joe@example.org>\n");
    assert!(odd.code == 1 && odd.stderr.contains("line 2: \"Joe <joe@example.org>\" is not"), "{odd:?}");
    assert_eq!(odd.stdout, format!("{}\n\n", lines[0]));
    let one = carom(&sandbox, &key, &["sign", "joe@example.org"], "");
    assert_eq!(one.stdout.trim(), lines[0]);
    let verified = carom(&sandbox, &key, &["verify", lines[2]], "");
    assert!(verified.stdout.starts_with("jim@example.org"), "{verified:?}");
}

/// The program of the documents that signs in front of sendmail(1), with the programs of this test.
fn signing_program(sandbox: &Sandbox) -> String {
    let page = fs::read_to_string("docs/return-paths.md").unwrap();
    let script = page.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let (carom, config) = (sandbox.path("carom"), sandbox.path("carom.toml"));
    let carom = format!("{} --config {} verp", carom.display(), config.display());
    let sendmail = format!("/usr/sbin/sendmail -C {}", sandbox.path("postfix/config").display());
    script.replace("carom verp", &carom).replace("/usr/sbin/sendmail", &sendmail)
}

#[test]
fn postfix_sends_with_the_path_that_a_program_or_a_table_of_known_recipients_signed() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new()
        .config(&format!("[verp]\nkeys = [\"a key of sixteen or more octets\"]\ndomain = \"{DOMAIN}\"\n"));
    let signed = |recipient: &str| sandbox.run(&["verp", "sign", recipient], b"").stdout.trim().to_owned();
    let (joe, ann) = (signed("joe@rcpt.example"), signed("ann@rcpt.example"));
    let table = sandbox.path("signed");
    fs::write(&table, format!("to-17@app.example   {joe}\n")).unwrap();
    let canonical = format!(
        "sender_canonical_classes = envelope_sender\nsender_canonical_maps = texthash:{}",
        table.display()
    );
    let postfix = Postfix::start_with(&sandbox, peer.port, &canonical);
    let message = b"From: news@app.example\r\nTo: joe@rcpt.example\r\nSubject: x\r\n\r\nhello\r\n";
    assert!(postfix.send("to-17@app.example", "joe@rcpt.example", message).starts_with("250"));
    wait_for(30, "the first message", || peer.mails().len() == 1);
    let [first] = peer.mails().try_into().unwrap();
    assert_eq!((first.from.as_str(), first.to.as_str()), (joe.as_str(), "joe@rcpt.example"));
    assert!(String::from_utf8_lossy(&first.data).contains("From: news@app.example"));

    let script = sandbox.path("signed-sendmail");
    fs::write(&script, signing_program(&sandbox)).unwrap();
    let mut command = Command::new("/bin/sh");
    command.arg(&script).arg("ann@rcpt.example").stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(message).unwrap();
    assert!(child.wait().unwrap().success());
    wait_for(30, "the second message", || peer.mails().len() == 2);
    assert_eq!(peer.mails()[1].from, ann);
}

const DAY_S: i64 = 86_400;

/// carom with these lines of `[verp]`, on a day after the first.
fn on_day(sandbox: &Sandbox, verp: &str, day: i64, words: &[&str], input: &[u8]) -> crate::harness::Ran {
    let key = "a key of sixteen or more octets";
    let state = sandbox.path("state");
    let config = format!(
        "state = \"{}\"\npolicy = \"bounce\"\n[dns]\nzone = \"{}\"\n[verp]\nkeys = [\"{key}\"]\n{verp}\n",
        state.display(),
        sandbox.path("zone").display()
    );
    fs::write(sandbox.path("carom.toml"), config).unwrap();
    let now = format!("@{}", (DAY + day) * DAY_S + 3600);
    sandbox.run(&[&["--now", &now], words].concat(), input)
}

#[test]
fn return_paths_of_an_earlier_domain_or_prefix_are_proven_until_they_expire() {
    let sandbox = Sandbox::new();
    let run = |verp: &str, day: i64, words: &[&str]| on_day(&sandbox, verp, day, words, b"");
    let sign = |verp: &str, day: i64, address: &str| {
        run(verp, day, &["verp", "sign", address]).stdout.trim().to_owned()
    };
    let first = "domain = \"old.example\"";
    let second = "domain = \"new.example\"\nprefix = \"r-\"";
    let third = &format!("{second}\nearlier = [\"b+@OLD.example\", \"x+@new.example\"]");
    let old = sign(first, 0, "ann@example.org");
    let other = sign("domain = \"new.example\"\nprefix = \"x+\"", 0, "bob@example.org");
    assert!(old.starts_with("b+") && other.starts_with("x+"), "{old} {other}");

    let lost = run(second, 1, &["verp", "verify", &old]);
    assert!(lost.code == 1 && lost.stderr.contains("not a signed return path of ours"), "{lost:?}");
    assert!(sign(third, 1, "ann@example.org").starts_with("r-"), "the new form signs");
    let known = run(third, 1, &["verp", "verify", &old]);
    assert_eq!(known.stdout, "ann@example.org, signed 1 days ago\n", "{known:?}");
    let forged = old.replace("ann=", "eve=");
    let refused = run(third, 1, &["verp", "verify", &forged]);
    assert!(refused.stderr.contains("not signed by any of our keys"), "{refused:?}");

    for (path, address) in [(&old, "ann@example.org"), (&other, "bob@example.org")] {
        let report = crate::bounces::dsn(address, "5.1.1", "550 5.1.1 user unknown");
        let words = ["pipe", "--sender", "", "--recipient", path];
        assert_eq!(on_day(&sandbox, third, 2, &words, &report).code, 0);
        assert_eq!(run(third, 2, &["suppress", "check", address]).code, 1, "{address}");
    }
    let late = run(third, 31, &["verp", "verify", &old]);
    assert!(late.code == 1 && late.stderr.contains("signed 31 days ago"), "{late:?}");

    let wrong = run(&format!("{second}\nearlier = [\"old.example\"]"), 1, &["check", "--quick"]);
    assert!(wrong.code == 1, "{wrong:?}");
    let said = wrong.stdout + &wrong.stderr;
    assert!(said.contains("earlier: \"old.example\" is not PREFIX@DOMAIN"), "{said}");
}
