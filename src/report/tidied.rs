//! A reply of several lines as one: the code that each of its lines repeats is kept once.
//!
//! Not here: finding the reply. Invariant: one pass over the text.

use super::quoted_reply::status_in_field;
use crate::smtp_reply;

/// A text as one reply: the code that every line of a reply repeats is kept once.
pub(crate) fn tidy(text: &str) -> String {
    #[cfg(test)]
    crate::message::work::add(text.len());
    let mut tidied = String::with_capacity(text.len());
    let mut words = text.split_ascii_whitespace().peekable();
    let (mut code, mut prefix) = (None, None);
    while let Some(word) = words.next() {
        let mut word = word;
        if code.is_none() {
            code = word.get(..3).filter(|_| smtp_reply::leading_code(word).is_some());
            let status = word.get(4..).filter(|rest| !rest.is_empty()).or(words.peek().copied());
            prefix = status.filter(|status| code.is_some() && status_in_field(status).is_some());
        } else if let (Some(code), Some(rest)) = (code, code.and_then(|code| word.strip_prefix(code))) {
            let repeated = |status: &str| prefix.is_some_and(|prefix| prefix.trim_end_matches(':') == status);
            match rest.strip_prefix('-') {
                Some(status) if repeated(status) => continue,
                Some(rest) if prefix.is_none() && !rest.is_empty() => word = rest,
                None if rest.is_empty() && words.peek().is_some_and(|next| repeated(next)) => {
                    words.next();
                    continue;
                }
                _ => _ = code,
            }
        }
        if !tidied.is_empty() {
            tidied.push(' ');
        }
        tidied.push_str(word);
    }
    tidied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_code_is_kept_once() {
        assert_eq!(tidy("550-5.7.1 Not\n 550-5.7.1 here 550 5.7.1 today"), "550-5.7.1 Not here today");
        assert_eq!(tidy("550-a\n550-b\n550 c"), "550-a b 550 c");
        assert_eq!(tidy("User  unknown"), "User unknown");
    }
}
