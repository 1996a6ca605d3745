//! The replies of real providers, made of the examples of the bounce policy's rules: one table
//! serves sink and classifier. What each of them means is what the classifier says.

mod example_reply;
#[path = "src/known_replies.rs"]
mod known_replies;
#[path = "src/reply.rs"]
mod reply;

use bounce::{classify, About, Class, Failure, Severity};
use example_reply::{logged, with_macros, ExampleReply};
use reply::Reply;
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

/// Rules about the message whose replies mail servers give before it: they have seen the client or
/// the recipient.
const AT_RCPT: &[&str] = &["microsoft-ipv6", "mimecast-network", "yandex-policy", "sendmail-alias-loop"];

fn main() {
    let rules = Path::new("../bounce/rules");
    println!("cargo::rerun-if-changed={}", rules.display());
    for source in ["build.rs", "example_reply.rs", "src/known_replies.rs", "src/reply.rs"] {
        println!("cargo::rerun-if-changed={source}");
    }
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
        if let Some(expected) = expected(&class, None) {
            writeln!(to, "({status:?}, {text:?}, {expected}),").unwrap();
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

/// An example that is a reply, with what it means. One that means something else as it is sent is no
/// reply of the provider here.
fn reply(to: &mut String, example: &str) {
    let Some(ExampleReply { reply, stage }) = ExampleReply::read(example) else { return };
    let Reply { code, status, text } = &reply;
    // As it is given, and as a log shows it: without a stage.
    let whole = logged(&reply);
    let class = classify(&Failure { text: &whole, status, code: *code, ..Failure::default() });
    let meant = classify(&Failure { text: example, ..Failure::default() });
    if (class.reason, class.severity) != (meant.reason, meant.severity) {
        println!("cargo::warning=means {} as it is sent: {example}", class.reason);
        return;
    }
    let Some(expected) = expected(&class, stage) else { return };
    let text = with_macros(text, class.about == About::Sender);
    writeln!(
        to,
        "ProviderReply {{ code: {code}, status: {status:?}, text: {text:?}, expected: {expected} }},"
    )
    .unwrap();
}

/// What is expected of a reply with this meaning. `shown`: the
/// stage that a log shows.
fn expected(class: &Class, shown: Option<&str>) -> Option<String> {
    let (reason, rule) = (class.reason, class.rule);
    let severity = severity(class.severity)?;
    let is_of_the_message = class.about == About::Message || reason == "auth-failure";
    let stage = match shown {
        Some(stage) => stage,
        None if is_of_the_message && !AT_RCPT.contains(&rule) => "Data",
        None => "Rcpt",
    };
    Some(format!(
        "Expected {{ reason: {reason:?}, severity: {severity:?}, rule: {rule:?}, stage: Stage::{stage} }}"
    ))
}
