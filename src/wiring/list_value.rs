//! A parameter of main.cf that is a list: `hash:/etc/postfix/transport, inline:{ {a=b}, {c=d} }`.
//!
//! Not here: reading main.cf. Invariant: a value from which nothing is taken and to which nothing
//! is added stays as it was written.

use std::ops::Range;

/// The restriction that asks a policy service: with its argument, it is one element.
pub(super) const ASKS: &str = "check_policy_service";

/// The type of a table that is written into the list.
const INLINE: &str = "inline:";

/// The elements, and where each is in the value. Commas and spaces within braces separate nothing.
fn elements(value: &str) -> Vec<(Range<usize>, String)> {
    let mut elements: Vec<(Range<usize>, String)> = Vec::new();
    let mut add = |at: Range<usize>| match elements.last_mut() {
        _ if at.is_empty() => {}
        Some((place, last)) if last == ASKS => {
            *last = format!("{last} {}", &value[at.clone()]);
            place.end = at.end;
        }
        _ => elements.push((at.clone(), value[at].to_owned())),
    };
    let (mut begin, mut depth) = (0, 0_usize);
    for (at, letter) in value.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ if depth == 0 && is_separator(letter) => {
                add(begin..at);
                begin = at + letter.len_utf8();
            }
            _ => {}
        }
    }
    add(begin..value.len());
    elements
}

fn is_separator(letter: char) -> bool {
    letter == ',' || letter.is_whitespace()
}

/// The elements without some, in order.
pub(super) fn without(value: &str, taken: &[String]) -> Vec<String> {
    elements(value)
        .into_iter()
        .map(|(_, element)| element)
        .filter(|element| !taken.contains(element))
        .collect()
}

/// The value without our elements, and otherwise as it was written; of a table in which others have
/// entries too, theirs stay.
pub(super) fn without_ours(value: &str, ours: &[String]) -> String {
    let (mut rest, mut end) = (String::new(), 0);
    for (at, element) in elements(value) {
        match of_others(&element, ours) {
            // What separates it from the one before goes with it.
            None => {}
            Some(kept) if kept == element => rest.push_str(&value[end..at.end]),
            Some(kept) => {
                rest.push_str(&value[end..at.start]);
                rest.push_str(&kept);
            }
        }
        end = at.end;
    }
    rest.push_str(&value[end..]);
    rest.trim_matches(is_separator).to_owned()
}

/// What is left of an element without ours.
fn of_others(element: &str, ours: &[String]) -> Option<String> {
    if ours.iter().any(|one| one == element) {
        return None;
    }
    let entries = table_entries(element);
    let our_table = ours.iter().map(|table| table_entries(table)).find(|table| !table.is_empty());
    let Some(table) = our_table.filter(|table| entries.iter().any(|entry| table.contains(entry))) else {
        return Some(element.to_owned());
    };
    let rest: Vec<String> = entries.into_iter().filter(|entry| !table.contains(entry)).collect();
    (!rest.is_empty()).then(|| format!("{INLINE}{{ {} }}", rest.join(", ")))
}

/// The entries of a table that is written into the list; none for any other element.
fn table_entries(element: &str) -> Vec<String> {
    let inner = element.strip_prefix(INLINE).and_then(|rest| rest.trim().strip_prefix('{'));
    let inner = inner.and_then(|rest| rest.strip_suffix('}'));
    inner.map(|entries| without(entries, &[])).unwrap_or_default()
}

/// What is left of a value without some elements; `None` if nothing is.
pub(super) fn rest(value: Option<String>, taken: &[String]) -> Option<String> {
    let rest = without(&value?, taken).join(", ");
    (!rest.is_empty()).then_some(rest)
}

/// The value with more elements after it.
pub(super) fn joined(value: String, added: &[String]) -> String {
    if added.is_empty() {
        return value;
    }
    let separator = if value.is_empty() { "" } else { ", " };
    format!("{value}{separator}{}", added.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_hold_an_element_together() {
        let value = "hash:/etc/postfix/t,inline:{ {a.example=x}, {b.example=y} }  $other";
        let table = "inline:{ {a.example=x}, {b.example=y} }".to_owned();
        assert_eq!(without(value, &[]), ["hash:/etc/postfix/t", table.as_str(), "$other"]);
        assert_eq!(without(value, &[table]), ["hash:/etc/postfix/t", "$other"]);
        assert!(without(" , ", &[]).is_empty());
    }

    #[test]
    fn a_policy_service_is_one_element_with_what_it_is_asked_by() {
        let (ours, other) = (format!("{ASKS} {{ unix:a, timeout=1s }}"), format!("{ASKS} unix:b"));
        let value = format!("{ours}, permit_mynetworks {ASKS},  unix:b");
        assert_eq!(without(&value, &[]), [ours.as_str(), "permit_mynetworks", &other]);
        assert_eq!(without(&value, &[ours]), ["permit_mynetworks", &other]);
    }

    #[test]
    fn of_a_table_with_entries_of_others_ours_are_taken() {
        let ours = "inline:{ {a.example=carom}, {.a.example=carom} }".to_owned();
        let rest = |value: &str| without_ours(value, std::slice::from_ref(&ours));
        let edited = "inline:{ {a.example=carom}, {x.example=smtp:y}, {.a.example=carom} }, hash:/t";
        assert_eq!(rest(edited), "inline:{ {x.example=smtp:y} }, hash:/t");
        assert!(rest(&ours).is_empty() && rest("inline:{ {.a.example=carom} }").is_empty());
        let others = "inline:{ {x.example=smtp:y} }";
        assert_eq!(rest(others), others);
    }

    #[test]
    fn what_is_left_is_written_as_it_was() {
        let ours = [format!("{ASKS} {{ unix:a, timeout=1s }}"), "d".to_owned()];
        let rest = |value: &str| without_ours(value, &ours);
        let asked = &ours[0];
        let others = "check_recipient_access inline:{ {a=OK} }  permit_mynetworks,reject";
        for value in [format!("{asked}, {others}"), format!("{others} d"), format!("d,{others}, {asked}")] {
            assert_eq!(rest(&value), others);
        }
        assert_eq!((rest("a d  b"), rest("d"), rest(others)), ("a  b".into(), "".into(), others.into()));
    }

    #[test]
    fn what_is_not_changed_stays_as_written() {
        assert_eq!(joined("a  b,c".into(), &[]), "a  b,c");
        assert_eq!(joined("a b".into(), &["c".into(), "d".into()]), "a b, c, d");
        assert_eq!(joined(String::new(), &["c".into()]), "c");
    }
}
