//! The bounce rules of Postfix-Deliverability-Analytics as carom's: `bounce-regex-list.xml` becomes
//! TOML for `[[policy.bounce.settings.rules]]`.
//!
//! Not here: reading and writing files. Invariant: what carom's patterns cannot say is left out and
//! named in a comment, never guessed. A "hard" rule about spam, policy or rate becomes soft: hard
//! is for dead addresses.

mod application;
mod hocon;
mod regex;

pub(crate) use application::import;

use crate::text::squeezed;
use regex::pattern_of;
use roxmltree::{Document, Node};
use std::fmt::Write;

/// A list of rules has three levels.
const DEEPEST: usize = 100;

const HEAD: &str = "# Made from a bounce-regex-list.xml. The first rule that matches wins; in the original, counts of hits \
                    changed the order.\n";

/// The rules in `xml`, as TOML. The error says why the file is not a list of rules.
pub(crate) fn rules_of_pda(xml: &str) -> Result<String, String> {
    if is_deep(xml) {
        return Err(format!("elements are nested more than {DEEPEST} deep: give a bounce-regex-list.xml"));
    }
    let document = Document::parse(xml).map_err(|error| format!("the file is not XML: {error}"))?;
    if document.root_element().tag_name().name() != "bounces" {
        return Err("the file has no <bounces>: give a bounce-regex-list.xml".into());
    }
    let rules = document.root_element().children().filter(|node| node.has_tag_name("regex"));
    let mut rules: Vec<(usize, Node)> = rules.enumerate().collect();
    // The original tried soft rules first, and within a type the file's order, until counts of hits
    // changed it.
    rules.sort_by_key(|(_, rule)| rule.attribute("type") != Some("soft"));
    let mut toml = HEAD.to_owned();
    let lost: usize = rules.into_iter().map(|(place, node)| rule(&mut toml, place, node)).sum();
    if lost > 0 {
        let _ = writeln!(toml, "\n# {lost} expressions could not be converted; they are named above.");
    }
    Ok(toml)
}

/// Whether elements are nested deeper than the parser, which calls itself for each, has a stack
/// for.
fn is_deep(xml: &str) -> bool {
    let (mut rest, mut depth) = (xml, 0usize);
    while let Some(at) = rest.find('<') {
        let tag = &rest[at..];
        let ends = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"), ("</", ">")];
        if let Some((begin, end)) = ends.iter().find(|(begin, _)| tag.starts_with(begin)) {
            depth = depth.saturating_sub(usize::from(*begin == "</"));
            let Some(after) = tag[begin.len()..].find(end) else { return false };
            rest = &tag[begin.len() + after + end.len()..];
            continue;
        }
        let mut quote = None;
        let close = tag.find(|c: char| match quote {
            Some(open) => {
                quote = Some(open).filter(|open| *open != c);
                false
            }
            None => {
                quote = matches!(c, '"' | '\'').then_some(c);
                c == '>'
            }
        });
        let Some(close) = close else { return false };
        depth += usize::from(!tag[..close].ends_with('/'));
        if depth > DEEPEST {
            return true;
        }
        rest = &tag[close + 1..];
    }
    false
}

/// Adds one rule; returns how many of its expressions could not be converted.
fn rule(toml: &mut String, place: usize, node: Node<'_, '_>) -> usize {
    let category = node.attribute("category").unwrap_or("without a category");
    let (mut patterns, mut notes, mut lost) = (Vec::new(), Vec::new(), 0);
    for or in node.children().filter(|node| node.has_tag_name("or")) {
        let regex = or.text().unwrap_or_default().trim();
        match pattern_of(regex) {
            Ok((pattern, wider)) => {
                if wider {
                    notes.push(format!("wider than \"{}\"", squeezed(regex)));
                }
                patterns.push(pattern);
            }
            Err(error) => {
                lost += 1;
                notes.push(format!("not converted: \"{}\": {error}", squeezed(regex)));
            }
        }
    }
    let (reason, is_dead) = reason_of(category);
    let is_hard = node.attribute("type") != Some("soft");
    if is_hard && !is_dead {
        notes.push("was hard; it is not about a dead address, so it is soft here".into());
    }
    let _ = writeln!(toml, "\n# {}", squeezed(category));
    for note in notes {
        let _ = writeln!(toml, "# {note}");
    }
    if !patterns.is_empty() {
        let severity = if is_dead && !is_hard { "severity = \"soft\"\n" } else { "" };
        let list: String = patterns.iter().map(|pattern| format!("    {},\n", quoted(pattern))).collect();
        let name = quoted(&format!("pda-{}-{}", place + 1, slug(category)));
        let _ = write!(
            toml,
            "[[policy.bounce.settings.rules]]\nname = {name}\npattern = [\n{list}]\nreason = \"{reason}\"\n{severity}"
        );
    }
    lost
}

/// The reason that a category of that tool means, and whether it is about a dead address.
fn reason_of(category: &str) -> (&'static str, bool) {
    const MEANT: [(&str, &str, bool); 22] = [
        ("full", "mailbox-full", false),
        ("quota", "mailbox-full", false),
        ("mailbox", "user-unknown", true),
        ("user", "user-unknown", true),
        ("relay", "relay-denied", false),
        ("authentication", "security-error", false),
        ("sender policy", "auth-failure", false),
        ("blacklist", "blocked", false),
        ("spam", "spam-detected", false),
        ("virus", "virus-detected", false),
        ("expired", "expired", false),
        ("timeout", "expired", false),
        ("refused", "network-error", false),
        ("unreachable", "network-error", false),
        ("dns", "network-error", false),
        ("domain", "host-unknown", true),
        ("violation", "rate-limited", false),
        ("size", "message-too-big", false),
        ("content", "content-error", false),
        ("policy", "policy-violation", false),
        ("forbidden", "blocked", false),
        ("try again", "system-error", false),
    ];
    let category = category.to_lowercase();
    let known = MEANT.iter().find(|(word, ..)| category.contains(word));
    known.map_or(("system-error", false), |(_, reason, dead)| (*reason, *dead))
}

fn slug(category: &str) -> String {
    let words =
        category.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.take(4).collect::<Vec<_>>().join("-").to_lowercase()
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_becomes_rules() {
        let toml = rules_of_pda(
            r#"<bounces><regex type="hard" category="mailbox not found"><or>user (is )?unknown</or><or>no such.*mailbox</or></regex>
               <regex type="soft" category="mailbox is full"><or>over\s*quota$</or><or>5\.2\.2</or></regex></bounces>"#,
        )
        .unwrap();
        assert!(toml.find("mailbox-full") < toml.find("user-unknown"), "soft comes first: {toml}");
        assert!(
            toml.contains("\"*user ((is )|)unknown*\",\n    \"*no such*mailbox*\"")
                && toml.contains("\"*over( |)quota$\"")
        );
        assert!(
            toml.contains("not converted: \"5\\.2\\.2\": it asks for a code")
                && toml.contains("# 1 expressions")
        );
        assert!(toml.contains("name = \"pda-1-mailbox-not-found\""));
    }

    #[test]
    fn hard_is_for_dead_addresses() {
        let toml = rules_of_pda(
            r#"<bounces><regex type="hard" category="spam detection"><or>spam</or></regex></bounces>"#,
        )
        .unwrap();
        assert!(toml.contains("spam-detected") && toml.contains("was hard") && !toml.contains("severity"));
        for wrong in ["", "<a/>", "<bounces>"] {
            assert!(rules_of_pda(wrong).is_err(), "{wrong}");
        }
    }
}
