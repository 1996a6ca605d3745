//! A parameter of main.cf that is a list: `hash:/etc/postfix/transport, inline:{ {a=b}, {c=d} }`.
//!
//! Not here: reading main.cf. Invariant: a value from which nothing is taken and to which nothing
//! is added stays as it was written.

/// The restriction that asks a policy service: with its argument, it is one element.
pub(super) const ASKS: &str = "check_policy_service";

/// The type of a table that is written into the list.
const INLINE: &str = "inline:";

/// The elements without some, in order. Commas and spaces within braces separate nothing.
pub(super) fn without(value: &str, taken: &[String]) -> Vec<String> {
    let mut elements: Vec<String> = Vec::new();
    let mut add = |element: String| match elements.last_mut() {
        _ if element.is_empty() => {}
        Some(last) if last == ASKS => *last = format!("{last} {element}"),
        _ => elements.push(element),
    };
    let mut element = String::new();
    let mut depth = 0_usize;
    for letter in value.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && (letter == ',' || letter.is_whitespace()) {
            add(std::mem::take(&mut element));
        } else {
            element.push(letter);
        }
    }
    add(element);
    elements.retain(|element| !taken.contains(element));
    elements
}

/// The elements of a list without ours; of a table in which others have entries too, theirs stay.
pub(super) fn without_ours(value: &str, ours: &[String]) -> Vec<String> {
    let others = |element: String| {
        let entries = table_entries(&element);
        let our_table = ours.iter().map(|table| table_entries(table)).find(|table| !table.is_empty());
        let Some(table) = our_table.filter(|table| entries.iter().any(|entry| table.contains(entry))) else {
            return Some(element);
        };
        let rest: Vec<String> = entries.into_iter().filter(|entry| !table.contains(entry)).collect();
        (!rest.is_empty()).then(|| format!("{INLINE}{{ {} }}", rest.join(", ")))
    };
    without(value, ours).into_iter().filter_map(others).collect()
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
        assert_eq!(rest(edited), ["inline:{ {x.example=smtp:y} }", "hash:/t"]);
        assert!(rest(&ours).is_empty() && rest("inline:{ {.a.example=carom} }").is_empty());
        let others = "inline:{ {x.example=smtp:y} }";
        assert_eq!(rest(others), [others]);
    }

    #[test]
    fn what_is_not_changed_stays_as_written() {
        assert_eq!(joined("a  b,c".into(), &[]), "a  b,c");
        assert_eq!(joined("a b".into(), &["c".into(), "d".into()]), "a b, c, d");
        assert_eq!(joined(String::new(), &["c".into()]), "c");
    }
}
