//! The keys of an installation in the shared store. The braces choose the hash slot: a script
//! touches one slot only.
//!
//! ```text
//! carom:{NAME:7}:log            changes of group 7, a stream
//! carom:{NAME:7}:used           which buckets it has, a bitmap
//! carom:{NAME:7}:b:1a2          facts of a bucket, a hash
//! carom:{NAME:c3}:total:cNAME   what each host has counted, a hash
//! carom:{NAME:hosts}            hosts, a hash
//! consume-mail:NAME:int_…       sums over hosts, by the names of bouncy-sink
//! consume-mail:NAME:installation  the installation whose sums they are
//! ```

pub(super) fn log(name: &str, group: u32) -> String {
    format!("carom:{{{name}:{group}}}:log")
}

/// A bit for each bucket that has had a fact.
pub(super) fn used(name: &str, group: u32) -> String {
    format!("carom:{{{name}:{group}}}:used")
}

pub(super) fn bucket(name: &str, group: u32, bucket: u32) -> String {
    format!("carom:{{{name}:{group}}}:b:{bucket:x}")
}

/// What each host has counted of a counter or in a minute. Spread over slots by the name.
pub(super) fn total(name: &str, counted: &str) -> String {
    let slot = counted.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % 16;
    format!("carom:{{{name}:c{slot}}}:total:{counted}")
}

pub(super) fn hosts(name: &str) -> String {
    format!("carom:{{{name}:hosts}}")
}

/// Whose sums are under this prefix.
pub(super) fn installation(prefix: &str) -> String {
    format!("{prefix}installation")
}

pub(super) fn probe(name: &str) -> String {
    format!("carom:{{{name}:hosts}}:probe")
}
