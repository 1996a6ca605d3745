//! A parameter of main.cf that is a list: `hash:/etc/postfix/transport, inline:{ {a=b}, {c=d} }`.
//!
//! Not here: reading main.cf. Invariant: a value from which nothing is taken and to which nothing
//! is added stays as it was written.

/// The elements without some, in order. Commas and spaces within braces separate nothing.
pub(super) fn without(value: &str, taken: &[String]) -> Vec<String> {
    let mut elements = Vec::new();
    let mut element = String::new();
    let mut depth = 0_usize;
    for letter in value.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && (letter == ',' || letter.is_whitespace()) {
            elements.push(std::mem::take(&mut element));
        } else {
            element.push(letter);
        }
    }
    elements.push(element);
    elements.retain(|element| !element.is_empty() && !taken.contains(element));
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
    fn what_is_not_changed_stays_as_written() {
        assert_eq!(joined("a  b,c".into(), &[]), "a  b,c");
        assert_eq!(joined("a b".into(), &["c".into(), "d".into()]), "a b, c, d");
        assert_eq!(joined(String::new(), &["c".into()]), "c");
    }
}
