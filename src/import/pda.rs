//! Another tool's bounce rules as carom's: the `bounce-regex-list.xml` of Postfix-Deliverability-Analytics becomes TOML for
//! `[[policy.bounce.settings.rules]]`.
//!
//! It reads and writes text and does nothing else. What cannot be said in carom's patterns is named in a comment and left
//! out, never guessed. A rule that called spam, policy or rate "hard" comes over as soft: hard is for dead addresses.

use crate::text::squeezed;
use std::fmt::Write;

/// Regular expressions above this length are no rules.
const LONGEST: usize = 4000;

/// The rules in `xml`, as TOML. The error says why the file is no list of rules.
pub(crate) fn rules_of_pda(xml: &str) -> Result<String, String> {
    let document =
        roxmltree::Document::parse(xml).map_err(|error| format!("the file is not XML: {error}"))?;
    if document.root_element().tag_name().name() != "bounces" {
        return Err("the file holds no <bounces>: give a bounce-regex-list.xml".into());
    }
    let rules = document.root_element().children().filter(|node| node.has_tag_name("regex"));
    let mut rules: Vec<(usize, roxmltree::Node)> = rules.enumerate().collect();
    // Soft rules came first there, and within a type the file's order, until counts of hits moved them.
    rules.sort_by_key(|(_, rule)| rule.attribute("type") != Some("soft"));
    let mut toml = String::from(
        "# Made of a bounce-regex-list.xml. The first rule that fits wins; there, counts of hits changed the order.\n",
    );
    let mut lost = 0;
    for (place, rule) in rules {
        let category = rule.attribute("category").unwrap_or("without a category");
        let (mut patterns, mut notes) = (Vec::new(), Vec::new());
        for or in rule.children().filter(|node| node.has_tag_name("or")) {
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
        let (reason, dead) = reason_of(category);
        let hard = rule.attribute("type") != Some("soft");
        if hard && !dead {
            notes.push("was hard; it says nothing of a dead address and is soft here".into());
        }
        writeln!(toml, "\n# {}", squeezed(category)).expect("a String takes all");
        for note in notes {
            writeln!(toml, "# {note}").expect("a String takes all");
        }
        if patterns.is_empty() {
            continue;
        }
        let severity = if dead && !hard { "severity = \"soft\"\n" } else { "" };
        let list: String = patterns.iter().map(|pattern| format!("    {},\n", quoted(pattern))).collect();
        let name = format!("pda-{}-{}", place + 1, slug(category));
        write!(
            toml,
            "[[policy.bounce.settings.rules]]\nname = {}\npattern = [\n{list}]\nreason = \"{reason}\"\n{severity}",
            quoted(&name)
        )
        .expect("a String takes all");
    }
    if lost > 0 {
        write!(toml, "\n# {lost} expressions could not be converted; they are named above.\n")
            .expect("a String takes all");
    }
    Ok(toml)
}

/// The reason that a category of theirs means, and whether that is about a dead address.
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

/// A Java regular expression as a pattern, and whether the pattern takes more. It was looked for anywhere in the text.
fn pattern_of(regex: &str) -> Result<(String, bool), String> {
    if regex.is_empty() || regex.len() > LONGEST {
        return Err("it is empty or very long".into());
    }
    let mut reader = Reader { letters: regex.chars().collect(), at: 0, wider: false };
    let begins = reader.take('^');
    let body = reader.alternatives(0)?;
    if reader.at < reader.letters.len() {
        return Err("a ) has no (".into());
    }
    let ends = regex.ends_with('$') && !regex.ends_with("\\$");
    let body = if body.len() == 1 { body.concat() } else { format!("({})", body.join("|")) };
    if !body.chars().any(char::is_alphanumeric) {
        return Err("it holds no word".into());
    }
    let has_code = |word: &str| {
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let points = word.matches('.').count();
        digits >= 3 && (points == 2 || word.len() == 3) && "245".contains(&word[..1])
    };
    if body
        .split(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .any(|word| !word.is_empty() && has_code(word))
    {
        return Err("it asks for a code in the text: give the rule codes = [\"…\"]".into());
    }
    let (before, after) = (if begins { "^" } else { "*" }, if ends { "$" } else { "*" });
    Ok((format!("{before}{body}{after}"), reader.wider))
}

struct Reader {
    letters: Vec<char>,
    at: usize,
    wider: bool,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn take(&mut self, letter: char) -> bool {
        let is = self.peek() == Some(letter);
        self.at += usize::from(is);
        is
    }

    fn alternatives(&mut self, depth: usize) -> Result<Vec<String>, String> {
        if depth > 7 {
            return Err("its groups are too deep".into());
        }
        let mut all = vec![String::new()];
        while let Some(letter) = self.peek() {
            match letter {
                ')' if depth > 0 => break,
                ')' => return Err("a ) has no (".into()),
                '|' => {
                    self.at += 1;
                    all.push(String::new());
                }
                '$' if self.at + 1 == self.letters.len() => self.at += 1,
                _ => {
                    let item = self.item(depth)?;
                    let item = self.repeated(item)?;
                    all.last_mut().expect("there is one").push_str(&item);
                }
            }
        }
        Ok(all)
    }

    fn item(&mut self, depth: usize) -> Result<String, String> {
        let letter = self.peek().ok_or("it ends too early")?;
        self.at += 1;
        match letter {
            '(' => {
                if self.take('?') && !self.take(':') {
                    return Err("it looks around or sets flags".into());
                }
                let inner = self.alternatives(depth + 1)?;
                if !self.take(')') {
                    return Err("a ( is not closed".into());
                }
                Ok(format!("({})", inner.join("|")))
            }
            '.' => {
                self.wider |= !matches!(self.peek(), Some('*' | '+'));
                Ok("*".into())
            }
            '[' => {
                let end = self.letters[self.at..]
                    .iter()
                    .position(|letter| *letter == ']')
                    .ok_or("a [ is not closed")?;
                self.at += end + 1;
                self.wider = true;
                Ok("*".into())
            }
            '\\' => self.escaped(),
            '^' | '$' => Err(format!("a {letter} stands within it")),
            '*' | '+' | '?' | '{' => Err(format!("a {letter} has nothing to repeat")),
            _ => Ok(plain(letter)),
        }
    }

    fn escaped(&mut self) -> Result<String, String> {
        let letter = self.peek().ok_or("it ends in a \\")?;
        self.at += 1;
        match letter {
            's' => Ok(" ".into()),
            'b' => {
                self.wider = true;
                Ok(String::new())
            }
            'd' | 'w' | 'S' | 'D' | 'W' => {
                self.wider = true;
                Ok("*".into())
            }
            _ if letter.is_ascii_alphanumeric() => Err(format!("\\{letter} has no counterpart")),
            _ => Ok(plain(letter)),
        }
    }

    fn repeated(&mut self, item: String) -> Result<String, String> {
        let Some(letter @ ('*' | '+' | '?' | '{')) = self.peek() else { return Ok(item) };
        self.at += 1;
        let lazy = letter != '?' && self.take('?');
        let repeated = match (letter, item.as_str()) {
            ('{', _) => return Err("it counts repetitions".into()),
            (_, "*") => item,
            ('?', _) => format!("({item}|)"),
            ('*', " ") => "( |)".into(),
            ('+', " ") => item,
            _ => return Err(format!("it repeats \"{item}\"")),
        };
        if lazy && repeated.is_empty() {
            return Err("it repeats nothing".into());
        }
        Ok(repeated)
    }
}

/// A letter as it stands in a pattern.
fn plain(letter: char) -> String {
    match letter {
        '*' | '(' | ')' | '|' | '\\' | '{' | '}' | '~' | '^' | '$' => format!("\\{letter}"),
        _ => letter.to_string(),
    }
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
    fn what_cannot_be_said_is_named() {
        for wrong in ["a(?=b)", "x{3}", "(ab", "ab)", "(ab)+", "\\p{L}", "", ".*", "a^b", "*a"] {
            assert!(pattern_of(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            pattern_of("(:?denied|refused).*blocked").unwrap(),
            ("*((:|)denied|refused)*blocked*".into(), false)
        );
        assert_eq!(pattern_of("a|b c").unwrap().0, "*(a|b c)*");
        assert!(pattern_of("error [0-9]+ x").unwrap().1, "wider");
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
