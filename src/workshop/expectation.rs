//! Fixtures: a message, its envelope, settings, seed, time and zone, and the plan and classes that
//! a policy should make of them. The compiled component is tested.
//!
//! Not here: showing results (`cli`). Invariant: a fixture asks nothing of the network; without a
//! zone, no name exists. The expectation comes last in the file, so that accepting a result leaves
//! the rest unchanged.

use super::{Bench, Made};
use crate::auth::Dns;
use crate::class::DeliveryFailure;
use crate::config::Config;
use crate::envelope::Envelope;
use crate::error::{Context, Error, Result};
use crate::files::publish::publish;
use crate::files::regular;
use crate::mail::Mail;
use crate::policy::{Policy, Use, Wanted};
use crate::text::crlf;
use imara_diff::{Algorithm, Diff, Hunk, InternedInput, Token};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A fixture or a message is read up to this many bytes.
const LONGEST: u64 = 64 << 20;

/// A fixture as in its file, TOML or JSON.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// The message's file, beside the fixture.
    message: Option<PathBuf>,
    /// Or the message itself; line ends become CRLF.
    text: Option<String>,
    /// Or a request of the SMTP dialogue, as Postfix sends it: name=value in each line.
    request: Option<String>,
    #[serde(default)]
    seed: u64,
    /// RFC 3339.
    now: Option<Timestamp>,
    /// A zone file, beside the fixture.
    zone: Option<PathBuf>,
    #[serde(default)]
    envelope: WrittenEnvelope,
    #[serde(default)]
    settings: Map<String, Value>,
    #[serde(default)]
    classify: Vec<DeliveryFailure>,
    /// The plan and the classes; for a request, the answer.
    expect: Option<Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenEnvelope {
    sender: String,
    recipient: String,
    original_recipient: Option<String>,
    client_address: Option<std::net::IpAddr>,
    client_helo: Option<String>,
    queue_id: Option<String>,
    envid: Option<String>,
}

pub(crate) struct Comparison {
    /// `None`: the fixture has no expectation yet.
    pub(crate) expected: Option<Value>,
    /// What the policy decided.
    pub(crate) actual: Value,
}

impl Comparison {
    pub(crate) fn passed(&self) -> bool {
        self.expected.as_ref() == Some(&self.actual)
    }

    /// The lines that differ: `-` was expected, `+` was decided; the others are context.
    pub(crate) fn diff(&self) -> String {
        let lines = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default();
        let expected = self.expected.as_ref().map(lines).unwrap_or_default();
        difference(&expected, &lines(&self.actual))
    }
}

/// The difference of two texts, with three lines of context.
pub(crate) fn difference(before: &str, after: &str) -> String {
    const CONTEXT: usize = 3;
    let input = InternedInput::new(before, after);
    let of = |sign, tokens: &[Token]| -> Vec<(char, &str)> {
        tokens.iter().map(|token| (sign, input.interner[*token])).collect()
    };
    let (mut lines, mut same_from) = (Vec::new(), 0);
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_lines(&input);
    for Hunk { before, after } in diff.hunks() {
        lines.extend(of(' ', &input.before[same_from..before.start as usize]));
        lines.extend(of('-', &input.before[before.start as usize..before.end as usize]));
        lines.extend(of('+', &input.after[after.start as usize..after.end as usize]));
        same_from = before.end as usize;
    }
    lines.extend(of(' ', &input.before[same_from..]));
    let is_shown = |place: usize| {
        let near = &lines[place.saturating_sub(CONTEXT)..lines.len().min(place + CONTEXT + 1)];
        near.iter().any(|(sign, _)| *sign != ' ')
    };
    let mut text = String::new();
    for (place, (sign, line)) in lines.iter().enumerate().filter(|(place, _)| is_shown(*place)) {
        if !text.is_empty() && !is_shown(place - 1) {
            text.push_str("  …\n");
        }
        text.push_str(&format!("{sign} {}\n", line.trim_end_matches('\n')));
    }
    text
}

/// The fixtures below a directory, or the file itself, in order.
pub(crate) fn find(place: &Path) -> Result<Vec<PathBuf>> {
    // What is no file is refused when it is read.
    if place.metadata().is_ok_and(|found| !found.is_dir()) {
        return Ok(vec![place.to_owned()]);
    }
    let entries = fs::read_dir(place)
        .context(place.display())
        .map_err(|error| error.remedy("name fixtures, or put them into `tests` beside the policy"))?;
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml" || ending == "json"))
        .collect();
    found.sort();
    if found.is_empty() {
        return Err(Error::new(format_args!("{}: no fixtures", place.display()))
            .remedy("a fixture is a .toml or .json file; `carom policy new` writes some"));
    }
    Ok(found)
}

/// Runs a fixture against a component.
pub(crate) fn run(config: &Config, policy: &Wanted<'_>, file: &Path) -> Result<Comparison> {
    let written = read(file)?;
    let beside = |path: &Path| file.parent().unwrap_or(Path::new(".")).join(path);
    let mut config = config.clone();
    config.dns.servers.clear();
    config.dns.zone = Some(written.zone.as_deref().map_or_else(|| PathBuf::from("/dev/null"), beside));
    let dns = Dns::open(&config.dns)?;
    dns.ready()?;
    let raw = match (&written.message, &written.text, &written.request) {
        (Some(message), None, None) => {
            let path = beside(message);
            regular::read(&path, LONGEST).context(path.display())?
        }
        (None, Some(text), None) => crlf(text.as_bytes()).into_owned(),
        (None, None, Some(_)) => Vec::new(),
        _ => {
            let what = "needs either `message`, `text` or `request`";
            let error = Error::new(format_args!("{}: {what}", file.display()));
            return Err(error.remedy("name a message file beside the fixture, or write the message into it"));
        }
    };
    let told = written.envelope;
    let envelope = Envelope {
        sender: Envelope::normal_sender(&told.sender),
        recipient: told.recipient,
        original_recipient: told.original_recipient,
        client_address: told.client_address,
        client_helo: told.client_helo,
        queue_id: told.queue_id,
        envid: told.envid,
        ..Envelope::default()
    };
    let at_ms = written.now.map_or(0, Timestamp::as_millisecond);
    let mail = Mail::arrived(raw, envelope, written.seed, at_ms);
    let bench = Bench { config: Arc::new(config), dns: Arc::new(dns), mail, session: None };
    let bench = match &written.request {
        Some(request) => bench.in_session(request).map_err(|error| error.within(file.display()))?,
        None => bench,
    };
    let settings = Value::Object(written.settings).to_string();
    let wanted = Wanted { settings: Some(settings), ..policy.clone() };
    let policy = Policy::open(&wanted, &bench.config, Use::One)?;
    policy.start_clock()?;
    let expected = written.expect.map(plain);
    let mut actual = plain(actual(&bench, &policy, &written.classify));
    if let Some(expected) = &expected {
        leave_out_what_is_not_expected(&mut actual, expected);
    }
    Ok(Comparison { expected, actual })
}

/// Fixtures that were written for 1.0 say nothing about whom a failure is, and why.
fn leave_out_what_is_not_expected(actual: &mut Value, expected: &Value) {
    let classes = actual.get_mut("classes").and_then(Value::as_array_mut);
    for (place, class) in classes.into_iter().flatten().enumerate() {
        let expected = &expected["classes"][place];
        if let Some(class) = class.as_object_mut().filter(|_| expected.is_object()) {
            class.retain(|key, _| !["about", "evidence"].contains(&key.as_str()) || !expected[key].is_null());
        }
    }
}

fn actual(bench: &Bench, policy: &Policy, failures: &[DeliveryFailure]) -> Value {
    let facts = bench.facts();
    let mut found = match bench.ask(policy, &facts) {
        Ok((Made::Plan(plan), ..)) => json!({ "verdict": plan.verdict, "steps": plan.steps }),
        Ok((Made::Answer { answer, expect }, ..)) => json!({ "answer": answer, "expect": expect }),
        Err(why) => json!({ "failure": why }),
    };
    match policy.validate_settings(&facts) {
        Ok(complaints) if complaints.is_empty() => {}
        Ok(complaints) => found["settings"] = json!(complaints),
        Err(failure) => found["settings"] = json!(failure.to_string()),
    }
    if !failures.is_empty() {
        found["classes"] = match policy.classify(&facts, failures) {
            Ok(classes) => json!(classes),
            Err(failure) => json!({ "failure": failure.text }),
        };
    }
    // Another build of the same policy, under another name, fails in the same words.
    for key in ["failure", "settings"] {
        if let Some(Value::String(text)) = found.get_mut(key) {
            *text = text.replace(&format!("policy {} ({})", policy.name, policy.short_hash()), "the policy");
        }
    }
    found
}

fn read(file: &Path) -> Result<Written> {
    let text = regular::read_text(file, LONGEST).context(file.display())?;
    let wrong = |error: &dyn std::fmt::Display| {
        Error::new(format_args!("{}: {}", file.display(), error.to_string().trim()))
            .remedy("the keys of a fixture are message, text or request, seed, now, zone, envelope, settings, classify, expect")
    };
    if is_json(file) {
        return serde_json::from_str(&text).map_err(|error| wrong(&error));
    }
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        wrong(&format_args!("line {line}: {}", error.message()))
    })
}

fn is_json(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending == "json")
}

/// TOML has no null, and says 1.0 for 1: both forms of a value become one.
fn plain(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key, plain(value))).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(plain).collect()),
        other => other,
    }
}

/// Makes the decision the expectation of the fixture.
pub(crate) fn accept(file: &Path, comparison: &Comparison) -> Result<()> {
    let text = regular::read_text(file, LONGEST).context(file.display())?;
    let accepted = if is_json(file) {
        let mut whole: Value = serde_json::from_str(&text).context(file.display())?;
        whole["expect"] = comparison.actual.clone();
        serde_json::to_string_pretty(&whole).context(file.display())? + "\n"
    } else {
        let mut offset = 0;
        let begins = text.split_inclusive('\n').find_map(|line| {
            let here = offset;
            offset += line.len();
            let line = line.trim_start();
            (line.starts_with("[expect") || line.starts_with("[[expect")).then_some(here)
        });
        let before = text[..begins.unwrap_or(text.len())].trim_end();
        let expected = toml::to_string(&json!({ "expect": comparison.actual })).context(file.display())?;
        format!("{before}\n\n{expected}")
    };
    let mode = fs::metadata(file).context(file.display())?.permissions().mode();
    publish(file, accepted.as_bytes(), mode)
}
