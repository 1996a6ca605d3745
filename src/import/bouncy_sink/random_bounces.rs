//! The replies of PowerMTA's `blacklist.dat`: lines `random_bounce:550 5.1.1 user unknown`.
//!
//! Not here: macros in them, which the sink policy fills in. Invariant: a line that is left out, or
//! that has a macro of another program, is noted with its number.

use std::collections::BTreeMap;
use toml::{Table, Value};

/// How a line begins, in upper or lower case.
const START: &str = "random_bounce:";
/// Characters of a reply at most.
const LONGEST: usize = 400;

/// What the sink policy fills in.
const MACROS: [&str; 7] =
    ["RCPT_USER", "RCPT_DOMAIN", "RCPT_SERVER", "SENDER_IPADDRESS", "OTHER_IPADDRESS", "ORIG", "ORIG_DOMAIN"];

/// The replies by weight, which is how often each is there, and notes about other lines.
pub(super) fn replies(text: &str) -> (Vec<Value>, Vec<String>) {
    let (mut weights, mut order, mut notes) = (BTreeMap::<String, i64>::new(), Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut note = |why: &str| notes.push(format!("blacklist, line {}: {line}: {why}", number + 1));
        let begins = line.get(..START.len()).is_some_and(|start| start.eq_ignore_ascii_case(START));
        let Some(reply) = begins.then(|| line[START.len()..].trim()) else {
            note("not a random_bounce: left out");
            continue;
        };
        if !is_reply(reply) {
            note("not a reply of 4xx or 5xx in one line: left out");
            continue;
        }
        for name in unknown_macros(reply) {
            note(&format!("<{name}> is not a macro of the sink: it stays as it is"));
        }
        let weight = weights.entry(reply.to_owned()).or_default();
        if *weight == 0 {
            order.push(reply.to_owned());
        }
        *weight += 1;
    }
    let value = |reply: String| match weights.get(&reply) {
        Some(weight) if *weight > 1 => {
            let weight = ("weight".to_owned(), Value::from(*weight));
            Value::from(Table::from_iter([("reply".to_owned(), Value::from(reply)), weight]))
        }
        _ => Value::from(reply),
    };
    (order.into_iter().map(value).collect(), notes)
}

/// Names in capitals and angle brackets that nobody fills in.
fn unknown_macros(reply: &str) -> Vec<&str> {
    let is_name =
        |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let names = reply.split('<').skip(1).filter_map(|part| Some(part.split_once('>')?.0));
    names.filter(|name| is_name(name) && !MACROS.contains(name)).collect()
}

/// Whether the sink policy takes it: a code, and a status of its class if there is one.
fn is_reply(reply: &str) -> bool {
    let Some((code, rest)) = reply.split_at_checked(3) else { return false };
    let class = code.as_bytes()[0];
    let is_code = matches!(class, b'4' | b'5') && code.bytes().all(|byte| byte.is_ascii_digit());
    let Some(text) = rest.strip_prefix([' ', '-']).map(str::trim) else { return false };
    let (first, said) = text.split_once(' ').unwrap_or((text, ""));
    let fields: Vec<&str> = first.split('.').collect();
    let number =
        |field: &&str| (1..=3).contains(&field.len()) && field.bytes().all(|byte| byte.is_ascii_digit());
    let has_status = fields.len() == 3 && fields.iter().all(number);
    let is_agreed = !has_status || (first.as_bytes()[0] == class && !said.trim().is_empty());
    is_code && is_agreed && !text.is_empty() && reply.len() <= LONGEST && !reply.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_there_twice_has_twice_the_weight() {
        let text = "# PowerMTA\nrandom_bounce:550 5.1.1 <<RCPT_USER>@<RCPT_DOMAIN>> unknown\n\
             random_bounce: 421 too busy\nRandom_Bounce:421 too busy\nblacklist:x\nrandom_bounce:250 2.0.0 ok\n\
             random_bounce:550 4.1.1 no\nrandom_bounce:550 5.1.1\n";
        let (replies, notes) = replies(text);
        assert_eq!(replies[0], Value::from("550 5.1.1 <<RCPT_USER>@<RCPT_DOMAIN>> unknown"));
        assert_eq!(
            (replies[1]["reply"].as_str(), replies[1]["weight"].as_integer()),
            (Some("421 too busy"), Some(2))
        );
        assert_eq!(replies.len(), 2);
        let places: Vec<&str> = notes.iter().map(|note| &note[..17]).collect();
        assert_eq!(
            places,
            ["blacklist, line 5", "blacklist, line 6", "blacklist, line 7", "blacklist, line 8"]
        );
    }
}
