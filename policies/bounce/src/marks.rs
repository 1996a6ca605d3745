//! How the index tells the marks of providers, of stages and of what a refusal is about from rules:
//! by the number of the pattern.
//!
//! `build.rs` numbers them so, `first_rule` reads them.

/// The pattern is the mark of a provider, whose place is in the lower bits.
pub const MARK: u16 = 1 << 15;
/// The pattern is the mark of a stage, whose place is in the lower bits.
pub const STAGE_MARK: u16 = MARK | 64;
/// The pattern is a mark of `about.toml`, whose place is in the lower bits.
pub const ABOUT_MARK: u16 = MARK | 128;
