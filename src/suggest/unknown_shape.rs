//! Replies of one shape that no rule knows, and what they have in common.
//!
//! Not here: what a shape is (`maillog`). Invariant: a shape holds a few examples, however many
//! replies it has.

use crate::dimension::domain::registered;
use crate::error::Result;
use crate::index::{Index, UnknownReply};
use crate::maillog::logged_reply::LoggedReply;
use crate::maillog::shape::shape;
use rustc_hash::FxHashMap;

/// Examples of a shape.
const EXAMPLES: usize = 3;

#[derive(Debug)]
pub(super) struct UnknownShape {
    pub(super) shape: String,
    /// Deliveries.
    pub(super) count: u64,
    /// The newest replies, each different.
    pub(super) examples: Vec<String>,
    /// Their code, if all have the same: a reply code, else an enhanced status code.
    pub(super) code: Common,
    /// The domain of the servers that they come from, if it is one.
    pub(super) provider: Common,
    /// What the code alone says they mean, if that is the same for all.
    pub(super) reason: Common,
}

/// What all have in common.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Common {
    /// Nothing was asked yet.
    #[default]
    Unasked,
    Each(String),
    /// It differs, or some have none.
    Different,
}

impl Common {
    fn add(&mut self, value: &str) {
        let is_same = |known: &str| known == value && !value.is_empty();
        match self {
            Common::Unasked if !value.is_empty() => *self = Common::Each(value.to_owned()),
            Common::Each(known) if is_same(known) => {}
            _ => *self = Common::Different,
        }
    }

    pub(super) fn value(&self) -> Option<&str> {
        match self {
            Common::Each(value) => Some(value),
            Common::Unasked | Common::Different => None,
        }
    }
}

impl UnknownShape {
    /// The shapes of the replies since a time, the most frequent first.
    pub(super) fn most_frequent(index: &Index, since_ms: i64) -> Result<Vec<UnknownShape>> {
        let mut shapes: FxHashMap<String, UnknownShape> = FxHashMap::default();
        index.unknown_replies(since_ms, |reply| {
            let key = shape(&reply.text);
            shapes.entry(key).or_insert_with_key(|shape| UnknownShape::new(shape)).add(reply);
        })?;
        let mut shapes: Vec<UnknownShape> = shapes.into_values().collect();
        shapes.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.shape.cmp(&b.shape)));
        Ok(shapes)
    }

    fn new(shape: &str) -> UnknownShape {
        UnknownShape {
            shape: shape.to_owned(),
            count: 0,
            examples: Vec::new(),
            code: Common::default(),
            provider: Common::default(),
            reason: Common::default(),
        }
    }

    fn add(&mut self, reply: UnknownReply) {
        let UnknownReply { text, dsn, relay, reason } = reply;
        let (dsn, relay) = (dsn.as_deref(), relay.as_deref());
        let failure = LoggedReply { text: &text, dsn, relay, sender: None, recipient: None }.failure();
        self.count += 1;
        match failure.code {
            0 => self.code.add(dsn.unwrap_or_default()),
            code => self.code.add(&code.to_string()),
        }
        self.provider.add(&domain(&failure.remote_mta));
        self.reason.add(&reason);
        if self.examples.len() < EXAMPLES && !self.examples.contains(&text) {
            self.examples.push(text);
        }
    }
}

/// The registered domain of a server; empty if it is none, or an address.
fn domain(host: &str) -> String {
    let domain = registered(host);
    let is_name = domain.contains('.') && domain.contains(|c: char| c.is_ascii_alphabetic());
    if is_name { domain.to_ascii_lowercase() } else { String::new() }
}
