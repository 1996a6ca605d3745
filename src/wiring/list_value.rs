//! A parameter of main.cf that is a list: `hash:/etc/postfix/transport, inline:{ {a=b}, {c=d} }`.
//!
//! Not here: reading main.cf. Invariant: a value from which nothing is taken and to which nothing
//! is added stays as it was written.

/// The restriction that asks a policy service: with its argument, it is one element.
pub(super) const ASKS: &str = "check_policy_service";

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
    fn what_is_not_changed_stays_as_written() {
        assert_eq!(joined("a  b,c".into(), &[]), "a  b,c");
        assert_eq!(joined("a b".into(), &["c".into(), "d".into()]), "a b, c, d");
        assert_eq!(joined(String::new(), &["c".into()]), "c");
    }
}
