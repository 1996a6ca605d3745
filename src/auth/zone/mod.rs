//! A static zone file (RFC 1035 section 5) that answers every question: for tests, trials and
//! closed networks.
//!
//! Not a name server: no wildcards, no `$INCLUDE`, no transfer; an SOA is not needed, TTLs are
//! ignored, and one file may hold any number of domains. Invariant: what the file does not name
//! does not exist.
//!
//! carom has its own parser because that of hickory-proto 0.26 names no line in its errors, opens
//! any file that `$INCLUDE` names, and refuses records without a TTL.

/// The records of a zone, by name.
mod zone_data;
/// Text to entries.
mod zone_entry;
/// Entries to records.
mod zone_reader;

pub(crate) use zone_data::{Node, Zone};
