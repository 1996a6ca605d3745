//! Which name was meant: the one that differs by a letter or two.
//!
//! Invariant: a name is never similar to itself.

/// Letters that differ at most.
const MOST: usize = 2;

/// The name among `known` that is nearest to `name`, if it could be a typo of it.
pub(crate) fn similar<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distances = known.map(|other| (distance(name, other), other));
    let near = distances.filter(|(distance, _)| (1..=MOST).contains(distance)).min_by_key(|found| found.0)?;
    Some(near.1)
}

/// Letters to insert, remove, replace, or swap with their neighbor (optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut rows = vec![vec![0; other.len() + 1]; one.len() + 1];
    for i in 0..=one.len() {
        for j in 0..=other.len() {
            rows[i][j] = match (i, j) {
                (0, j) => j,
                (i, 0) => i,
                (i, j) => {
                    let replaced = rows[i - 1][j - 1] + usize::from(one[i - 1] != other[j - 1]);
                    let edited = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                    let is_swap = i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1];
                    if is_swap { edited.min(rows[i - 2][j - 2] + 1) } else { edited }
                }
            };
        }
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_known_and_another_name_is_another() {
        let known = ["sink.example.com", "mail.example.com", "b.org"];
        let meant = |name| similar(name, known.into_iter());
        assert_eq!(meant("sink.exmaple.com"), Some("sink.example.com"));
        assert_eq!(meant("snk.example.co"), Some("sink.example.com"));
        assert_eq!(meant("sink.example.com"), None);
        assert_eq!(meant("bounces.example.com"), None);
    }
}
