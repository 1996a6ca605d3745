//! The replies of real providers, made of the examples of the bounce policy's rules: one table
//! serves sink and classifier. What each of them means is what the classifier says.

#[path = "src/known_replies.rs"]
mod known_replies;

use bounce::{classify, Failure, Severity};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The names of providers and mail systems, as rules begin with them, and the labels that stand for
/// them besides.
const PROVIDERS: &[(&str, &[&str])] = &[
    ("google", &["gmail", "googlemail", "gsuite"]),
    ("microsoft", &["outlook", "hotmail", "live", "msn", "office365", "o365"]),
    ("yahoo", &["ymail", "rocketmail"]),
    ("aol", &[]),
    ("apple", &["icloud", "me", "mac"]),
    ("gmx", &["webde"]),
    ("ionos", &[]),
    ("tonline", &["t-online"]),
    ("orange", &["wanadoo"]),
    ("free", &[]),
    ("libero", &["virgilio"]),
    ("wp", &[]),
    ("seznam", &[]),
    ("uol", &["bol"]),
    ("mailru", &["mail-ru"]),
    ("yandex", &[]),
    ("ukrnet", &[]),
    ("zoho", &[]),
    ("rediff", &[]),
    ("naver", &[]),
    ("tencent", &["qq"]),
    ("netease", &["163", "126"]),
    ("aliyun", &[]),
    ("comcast", &["xfinity"]),
    ("cox", &[]),
    ("facebook", &[]),
    ("godaddy", &["secureserver"]),
    ("rackspace", &[]),
    ("cloudflare", &[]),
    ("mimecast", &[]),
    ("proofpoint", &["pphosted"]),
    ("barracuda", &[]),
    ("ironport", &["cisco"]),
    ("messagelabs", &["symantec"]),
    ("trendmicro", &[]),
    ("fortinet", &[]),
    ("sophos", &[]),
    ("hornetsecurity", &[]),
    ("ses", &["amazonses"]),
    ("postfix", &[]),
    ("exim", &[]),
    ("sendmail", &[]),
    ("qmail", &[]),
    ("exchange", &[]),
    ("zimbra", &[]),
    ("domino", &[]),
    ("dovecot", &[]),
    ("rspamd", &[]),
    ("amavis", &[]),
];

fn main() {
    let rules = Path::new("../bounce/rules");
    println!("cargo::rerun-if-changed={}", rules.display());
    println!("cargo::rerun-if-changed=src/known_replies.rs");
    println!("cargo::rerun-if-changed=build.rs");
    let mut files: Vec<PathBuf> = fs::read_dir(rules).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut text = String::from("pub static PROVIDERS: &[Provider] = &[\n");
    let all: Vec<(String, String)> = files.iter().flat_map(|file| examples(file)).collect();
    for (name, labels) in PROVIDERS {
        let mut replies = String::new();
        for (_, example) in all.iter().filter(|(rule, _)| rule.split('-').next() == Some(name)) {
            reply(&mut replies, example);
        }
        // Who gives no reply with a meaning of its own is no provider here.
        if !replies.is_empty() {
            writeln!(text, "Provider {{ name: {name:?}, labels: &{labels:?}, replies: &[{replies}] }},")
                .unwrap();
        }
    }
    text.push_str("];\n");
    known(&mut text);
    fs::write(Path::new(&env::var("OUT_DIR").unwrap()).join("providers.rs"), text).unwrap();
}

/// What the sink's own replies mean: each text with any code and status that it may have.
fn known(to: &mut String) {
    to.push_str("pub static KNOWN: &[(&str, &str, Expected)] = &[\n");
    let mut all: Vec<(String, &str)> = Vec::new();
    for (detail, _, text) in known_replies::STATUSES {
        all.extend(["4", "5"].map(|class| (format!("{class}.{detail}"), *text)));
    }
    all.extend(known_replies::SIMULATORS.iter().map(|(_, _, _, status, text)| ((*status).to_owned(), *text)));
    all.retain(|(status, _)| !status.is_empty());
    all.sort();
    all.dedup();
    for (status, text) in all {
        // The code of the class: the table of codes looks at the status first.
        let code = if status.starts_with('4') { 451 } else { 550 };
        let whole = format!("{code} {status} {text}");
        let class = classify(&Failure { text: &whole, status: &status, code, ..Failure::default() });
        if let Some(severity) = severity(class.severity) {
            let (reason, rule) = (class.reason, class.rule);
            writeln!(
                to,
                "({status:?}, {text:?}, Expected {{ reason: {reason:?}, severity: {severity:?}, rule: {rule:?} }}),"
            )
            .unwrap();
        }
    }
    to.push_str("];\n");
}

/// `None`: the failure does not show it. A sink that says what nobody can tell tests nothing.
fn severity(severity: Severity) -> Option<&'static str> {
    match severity {
        Severity::Hard => Some("hard"),
        Severity::Soft => Some("soft"),
        _ => None,
    }
}

/// The name of each rule in a file, with each of its examples.
fn examples(file: &Path) -> Vec<(String, String)> {
    let table: toml::Table = fs::read_to_string(file).unwrap().parse().unwrap();
    let mut found = Vec::new();
    for rule in table["rule"].as_array().unwrap() {
        let name = rule["name"].as_str().unwrap();
        let examples = match &rule["example"] {
            toml::Value::Array(texts) => texts.iter().filter_map(toml::Value::as_str).collect(),
            text => vec![text.as_str().unwrap()],
        };
        found.extend(examples.into_iter().map(|example: &str| (name.to_owned(), example.to_owned())));
    }
    found
}

/// An example that is a reply, with what it means.
fn reply(to: &mut String, example: &str) {
    let Some((code, status, text)) = split(example) else { return };
    // As it is given, and as a log shows it: without a stage.
    let whole = format!("{code} {status} {text}");
    let failure = Failure { text: &whole, status: &status, code, ..Failure::default() };
    let class = classify(&failure);
    let Some(severity) = severity(class.severity) else { return };
    let (reason, rule) = (class.reason, class.rule);
    writeln!(
        to,
        "ProviderReply {{ code: {code}, status: {status:?}, text: {text:?}, \
         expected: Expected {{ reason: {reason:?}, severity: {severity:?}, rule: {rule:?} }} }},"
    )
    .unwrap();
}

/// Code, status and text. A reply without a status has the general one of its class.
fn split(example: &str) -> Option<(u16, String, String)> {
    let code: u16 = example.get(..3)?.parse().ok().filter(|code| (400..600).contains(code))?;
    let rest = example[3..].strip_prefix([' ', '-'])?.replace(['\r', '\n'], " ");
    let (status, text) = match rest.split_once(' ') {
        Some((status, text)) if is_status(status, code) => (status.to_owned(), text.to_owned()),
        _ => (format!("{}.0.0", code / 100), rest),
    };
    let text = text.trim().to_owned();
    (!text.is_empty() && text.is_ascii()).then_some((code, status, text))
}

fn is_status(text: &str, code: u16) -> bool {
    let fields: Vec<&str> = text.split('.').collect();
    let is_number = |field: &&str| field.len() <= 3 && field.parse::<u16>().is_ok();
    fields.len() == 3 && fields.iter().all(is_number) && fields[0] == (code / 100).to_string()
}
