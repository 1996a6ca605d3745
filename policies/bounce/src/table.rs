//! What the shipped tables hold, and the tables themselves, which `build.rs` writes. Nothing is decided here.

use crate::index::{Chain, Entry, Index, Part, State};
use crate::rule::Code;
use std::borrow::Cow;

/// A reason of the vocabulary (`reasons.toml`).
#[derive(Debug)]
pub struct Reason {
    /// `user-unknown`, …
    pub name: &'static str,
    /// The PowerMTA bounce category.
    pub category: &'static str,
    /// Place in `rule::SEVERITIES`.
    pub severity: u8,
    /// The same of a 4xx.
    pub temporary: u8,
}

/// A provider (`providers.toml`). Its marks in texts are patterns of the index.
#[derive(Debug)]
pub struct Provider {
    /// The name that rules use.
    pub name: &'static str,
    /// Domains of its mail servers.
    pub hosts: &'static [&'static str],
}

/// A rule, ready for use.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Place in [`REASONS`].
    pub reason: u8,
    /// Place in `rule::SEVERITIES`; else the reason's.
    pub severity: Option<u8>,
    /// Bits of stages; 0 is any.
    pub stages: u8,
    /// Bits of providers; 0 is any, if there are no hosts either.
    pub providers: u64,
    /// Codes; empty is any.
    pub codes: Cow<'static, [Code]>,
    /// Ends of host names.
    pub hosts: Vec<String>,
}

/// In the index: not a rule but the mark of a provider.
pub const MARK: u16 = 1 << 15;
/// In the index: not a rule but the mark of a stage.
pub const STAGE_MARK: u16 = MARK | 64;

include!(concat!(env!("OUT_DIR"), "/table.rs"));
