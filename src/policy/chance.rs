//! Numbers that look random, and are the same for the same seed in every version of carom, so that
//! a decision can be repeated.
//!
//! SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). Not
//! here: secrets (`digest::random_token`). Invariant: the sequence never changes.

pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0, below 1.
    pub(crate) fn next(&mut self) -> f64 {
        // 53 bits fill the mantissa of a double: every value is below 1.
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_the_same_for_ever() {
        let mut chance = Chance(42);
        let drawn: Vec<u64> = (0..3).map(|_| (chance.next() * 1e6) as u64).collect();
        assert_eq!(drawn, [741_564, 159_910, 278_601]);
    }
}
