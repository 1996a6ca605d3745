//! A host for the tests of `carom check`: a config that is right until it is changed, and what each check has to keep to.

use super::{Ran, Sandbox, finish, start};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

pub(crate) const GOOD: &str = r#"state = "DIR/state"
policy = "sink"
[dns]
zone = "DIR/zone"
[network]
allow_private = ["127.0.0.0/8"]
smtp_port = PORT
[policies]
mail_user = "root"
[policy.sink.settings]
domains = ["sink.example"]
[policy.sink.settings.mx_allowlist]
"mx1.sender.example" = "fbl@sender.example"
"#;

/// A host whose config is right, until it is changed.
pub(crate) struct Host {
    pub(crate) sandbox: Sandbox,
    /// Variables of the environment.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// A shell runs these lines before carom, in a network of its own, without wires; empty: there is no shell.
    pub(crate) network: String,
}

impl Host {
    pub(crate) fn new() -> Host {
        let host = Host { sandbox: Sandbox::new(), environment: Vec::new(), network: String::new() };
        host.write(GOOD);
        let state = host.sandbox.path("state");
        fs::create_dir(&state).unwrap();
        fs::set_permissions(&state, Permissions::from_mode(0o750)).unwrap();
        let compiled = state.join("compiled");
        fs::create_dir(&compiled).unwrap();
        for (name, code) in compiled_policies() {
            fs::write(compiled.join(name), code).unwrap();
        }
        host
    }

    pub(crate) fn write(&self, config: &str) {
        let port = self.sandbox.smtp_port.to_string();
        let text = config.replace("DIR", &self.sandbox.dir.display().to_string()).replace("PORT", &port);
        let file = self.sandbox.path("carom.toml");
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    }

    /// A config with these lines more.
    pub(crate) fn with(more: &str) -> Host {
        let host = Host::new();
        host.write(&format!("{GOOD}{more}"));
        host
    }

    /// A config in which one thing is different.
    pub(crate) fn but(old: &str, new: &str) -> Host {
        let host = Host::new();
        assert!(GOOD.contains(old), "{old}");
        host.write(&GOOD.replace(old, new));
        host
    }

    pub(crate) fn edit(&self, old: &str, new: &str) {
        let file = self.sandbox.path("carom.toml");
        let text = fs::read_to_string(&file).unwrap();
        let dir = self.sandbox.dir.display().to_string();
        let (old, new) = (old.replace("DIR", &dir), new.replace("DIR", &dir));
        assert!(text.contains(&old), "{old}: {text}");
        fs::write(&file, text.replace(&old, &new)).unwrap();
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        self.hand(words, b"")
    }

    /// The same with something on standard input.
    pub(crate) fn hand(&self, words: &[&str], stdin: &[u8]) -> Ran {
        let mut command = self.sandbox.command(words);
        if !self.network.is_empty() {
            let shell = format!("{} && exec \"$0\" \"$@\"", self.network);
            let mut within = Command::new("unshare");
            within.args(["--net", "sh", "-c", &shell]).arg(command.get_program()).args(command.get_args());
            within.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
            within.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command = within;
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        finish(start(command, stdin), Duration::from_secs(60))
    }

    /// The exit code and the findings of `carom check`, which has created nothing.
    #[track_caller]
    pub(crate) fn check(&self, words: &[&str]) -> (i32, Vec<Value>) {
        let before = everything(&self.sandbox.dir);
        let ran = self.run(&[&["check", "--json"], words].concat());
        assert_eq!(everything(&self.sandbox.dir), before, "it changed something: {ran:?}");
        let findings: Vec<Value> =
            ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(!findings.is_empty(), "{ran:?}");
        for finding in &findings {
            let has = |key: &str| finding.get(key).is_some();
            assert!(has("subject") && has("found") && has("level"), "{finding}");
            assert_eq!(finding["level"] != "ok", has("fix"), "{finding}");
            assert_eq!(has("file"), has("line"), "{finding}");
        }
        (ran.code, findings)
    }

    /// The finding that has this in its text.
    #[track_caller]
    pub(crate) fn finds(&self, words: &[&str], level: &str, text: &str) -> Value {
        let (code, findings) = self.check(words);
        let is_it = |finding: &&Value| finding["found"].as_str().unwrap().contains(text);
        let found: Vec<&Value> = findings.iter().filter(is_it).collect();
        assert_eq!(found.len(), 1, "{text}: {findings:#?}");
        assert_eq!(found[0]["level"], level, "{findings:#?}");
        assert_eq!(code, i32::from(findings.iter().any(|finding| finding["level"] == "wrong")));
        found[0].clone()
    }

    /// Nothing is wrong, and nothing says this.
    #[track_caller]
    pub(crate) fn is_repaired(&self, words: &[&str], text: &str) {
        let (code, findings) = self.check(words);
        let said = findings.iter().any(|finding| finding["found"].as_str().unwrap().contains(text));
        assert!(code == 0 && !said, "{text}: {findings:#?}");
    }

    /// Runs the command that a fix contains: what begins with `start`, up to another way.
    #[track_caller]
    pub(crate) fn obey(&self, finding: &Value, start: &str) {
        let fix = finding["fix"].as_str().unwrap();
        let at = fix.find(start).unwrap_or_else(|| panic!("no {start:?} in {fix}"));
        let command = fix[at..].split("; ").next().unwrap();
        let output = Command::new("sh").args(["-c", command]).output().unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
    }
}

/// The compiled code of the shipped policies: made once, as `carom check` keeps none.
fn compiled_policies() -> &'static [(String, Vec<u8>)] {
    static COMPILED: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let sandbox = Sandbox::new();
        for policy in ["sink", "bounce"] {
            let words = [
                "pipe",
                "--dry-run",
                "--policy",
                policy,
                "--sender",
                "a@b.example",
                "--recipient",
                "x@y.example",
            ];
            assert_eq!(sandbox.run(&words, b"Subject: x\r\n\r\nx\r\n").code, 0);
        }
        let files = fs::read_dir(sandbox.path("state/compiled")).unwrap().flatten();
        let files =
            files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap()));
        files.filter(|(name, _)| name.ends_with(".cwasm") || name.ends_with(".sha256")).collect()
    })
}

/// Everything below a directory, with the content of files. The index of a write-ahead log is memory that processes
/// share.
fn everything(below: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(below).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(everything(&path));
        }
        let content = if path.is_file() && !path.to_string_lossy().ends_with("-shm") {
            fs::read(&path).unwrap_or_default()
        } else {
            Vec::new()
        };
        found.insert(path.display().to_string(), content);
    }
    found
}
