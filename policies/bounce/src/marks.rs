//! How the index tells the marks of providers and stages from rules: by the number of the pattern.
//!
//! `build.rs` numbers them so, `first_rule` reads them.

/// The pattern is the mark of a provider, whose place is in the lower bits.
pub const MARK: u16 = 1 << 15;
/// The pattern is the mark of a stage, whose place is in the lower bits.
pub const STAGE_MARK: u16 = MARK | 64;
