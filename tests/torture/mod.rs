//! Torture: what kills, full disks, locks, crowds and damage do to the real binary.

mod crowd;

use std::time::Duration;

#[test]
#[ignore = "takes minutes: make torture"]
fn crowds() {
    let crowd = crowd::crowd(64, Duration::from_secs(30));
    println!(
        "{} pipes: p50 {:?}, p99 {:?}, longest {:?}; {} refused {:?}; {} of {} bounces arrived; {} relayed, {} counted; cpu {:.0} %",
        crowd.took.len(),
        crowd.percentile(50),
        crowd.percentile(99),
        crowd.percentile(100),
        crowd.refused.len(),
        crowd.refused.first(),
        crowd.arrived,
        crowd.bounces as u64 + crowd.relayed,
        crowd.relayed,
        crowd.counted,
        crowd.cpu * 100.0
    );
}
