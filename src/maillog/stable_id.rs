//! Ids that stay the same whenever, and by whichever release of carom, they are computed.
//!
//! Not here: cryptographic hashes (`digest`); these ids are only spread well. Invariant: stored ids
//! must stay what they are, so this function never changes.

/// The id of a thing with these parts. Each part is mixed in with its length, so that parts do not
/// run into each other; eight bytes at a time, because every line of a log needs ids.
pub(crate) fn stable_id(parts: &[&[u8]]) -> u64 {
    let mix = |hash: u64, word: u64| {
        let product = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        product ^ product >> 32
    };
    let of_part = |hash: u64, part: &&[u8]| {
        let (words, rest) = part.as_chunks::<8>();
        let hash = words
            .iter()
            .fold(mix(hash, part.len() as u64), |hash, word| mix(hash, u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        mix(hash, u64::from_le_bytes(last))
    };
    mix(parts.iter().fold(0xcbf2_9ce4_8422_2325, of_part), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_id_do_not_run_into_each_other() {
        assert_ne!(stable_id(&[b"ab", b"c"]), stable_id(&[b"a", b"bc"]));
        assert_ne!(stable_id(&[b"a\0"]), stable_id(&[b"a"]));
        assert_eq!(
            stable_id(&[b"mx", b"4Xn0y83s5Zz1f"]),
            0x60a3_3da2_9a0c_cb3c,
            "stored ids must stay what they are"
        );
    }
}
