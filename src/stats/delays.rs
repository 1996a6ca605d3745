//! How long deliveries took: percentiles out of the index's buckets.
//!
//! A bucket is a quarter of a doubling, from 0.01 s on. Invariant: a percentile is within its
//! bucket.

use super::figures::Percentiles;
use crate::dimension::Dimension;
use crate::error::Result;
use crate::index::{Index, Stretch};
use std::collections::BTreeMap;

/// Of each of these names, in their order.
pub(crate) fn delays(
    index: &Index,
    stretches: &[Stretch],
    dimension: Dimension,
    names: &[&str],
) -> Result<Vec<Option<Percentiles>>> {
    let mut counted: Vec<BTreeMap<u8, u64>> = vec![BTreeMap::new(); names.len()];
    index.delays(stretches, dimension, names, |place, bucket, deliveries| {
        *counted[place].entry(bucket).or_default() += deliveries;
    })?;
    let of = |buckets: BTreeMap<u8, u64>| {
        (!buckets.is_empty()).then(|| percentiles(&buckets.into_iter().collect::<Vec<_>>()))
    };
    Ok(counted.into_iter().map(of).collect())
}

fn percentiles(buckets: &[(u8, u64)]) -> Percentiles {
    let all: u64 = buckets.iter().map(|(_, deliveries)| deliveries).sum();
    let within = |share: f64| {
        let wanted = share * all as f64;
        let mut before = 0.0;
        for (bucket, deliveries) in buckets {
            let here = *deliveries as f64;
            if before + here >= wanted {
                let part = ((wanted - before) / here.max(1.0)).clamp(0.0, 1.0);
                return 0.01 * 2f64.powf((f64::from(*bucket) - 0.5 + part) / 4.0);
            }
            before += here;
        }
        0.0
    };
    let rounded = |seconds: f64| (seconds * 1000.0).round() / 1000.0;
    Percentiles { p50: rounded(within(0.5)), p90: rounded(within(0.9)), p99: rounded(within(0.99)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_within_their_bucket() {
        let one = percentiles(&[(28, 1)]);
        // Bucket 28 is 0.01 s times 2 to the 7: 1.28 s, give or take 9 %.
        assert!((1.17..1.40).contains(&one.p50) && one.p50 <= one.p99, "{one:?}");
        let many = percentiles(&[(0, 50), (28, 45), (60, 5)]);
        assert!(many.p50 < 0.012 && (1.1..1.4).contains(&many.p90) && many.p99 > 300.0, "{many:?}");
    }
}
