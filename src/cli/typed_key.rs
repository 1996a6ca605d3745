//! An address, a Message-ID or a queue id as people type or paste it: with blanks around it, in
//! angle brackets, or as a link to write to.
//!
//! Not here: what is found with it. Invariant: an empty key is refused, because it would mean
//! everything.

/// The key itself, for clap.
pub(super) fn key(typed: &str) -> Result<String, String> {
    let bare = typed.trim();
    let bare = bare.strip_prefix("mailto:").unwrap_or(bare);
    let bare = bare.trim_start_matches('<').trim_end_matches('>').trim();
    match bare.is_empty() {
        true => Err("it is empty: give an address, a Message-ID or a queue id".to_owned()),
        false => Ok(bare.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_around_a_key_is_no_part_of_it() {
        for typed in ["ann@a.example", " ann@a.example ", "<ann@a.example>", "mailto:ann@a.example"] {
            assert_eq!(key(typed).unwrap(), "ann@a.example");
        }
        assert!(["", " ", "<>", "mailto:"].iter().all(|empty| key(empty).is_err()));
    }
}
