//! Records as they are sent: text that grows up to a limit, one by one or by group.
//!
//! Not here: a record (`agent_record`) and which are wanted (`agent_read`). Invariant: an answer is
//! whole, or it is an error; memory is bounded by the limit, however many records there are.

use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Octets of the records of one answer: some 30,000 records.
pub(super) const MOST: usize = 12 * 1024 * 1024;
/// What a group costs beside its records.
const GROUP: usize = 200;

/// How many records of a group are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfGroup {
    Each,
    /// The one that comes first.
    One,
}

/// There are more records than one answer takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct TooMany;

/// Records, by the values that they are grouped by: the outer one, then the inner one.
pub(super) struct AgentRecords {
    kept: OfGroup,
    groups: BTreeMap<[String; 2], Vec<u8>>,
    size: usize,
}

impl AgentRecords {
    pub(super) fn new(kept: OfGroup) -> AgentRecords {
        AgentRecords { kept, groups: BTreeMap::new(), size: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub(super) fn add(&mut self, group: [String; 2], record: &impl Serialize) -> Result<(), TooMany> {
        let names = group[0].len() + group[1].len();
        let text = match self.groups.entry(group) {
            Entry::Occupied(_) if self.kept == OfGroup::One => return Ok(()),
            Entry::Occupied(entry) => {
                let text = entry.into_mut();
                text.push(b',');
                text
            }
            Entry::Vacant(entry) => {
                self.size += GROUP + names;
                entry.insert(Vec::new())
            }
        };
        let before = text.len();
        // Every record is made of texts and numbers, so it has a form as JSON.
        _ = serde_json::to_writer(&mut *text, record);
        self.size += text.len() - before;
        if self.size > MOST { Err(TooMany) } else { Ok(()) }
    }

    /// Adds the whole as JSON, with so many levels of groups.
    pub(super) fn write(self, to: &mut Vec<u8>, levels: usize) {
        let kept = self.kept;
        let leaf = |to: &mut Vec<u8>, text: &[u8]| match kept {
            OfGroup::One => to.extend(text),
            OfGroup::Each => {
                to.push(b'[');
                to.extend(text);
                to.push(b']');
            }
        };
        let mut groups = self.groups.into_iter().peekable();
        if levels == 0 {
            return match (groups.next(), kept) {
                (Some((_, text)), _) => leaf(to, &text),
                (None, OfGroup::Each) => to.extend(b"[]"),
                (None, OfGroup::One) => to.extend(b"null"),
            };
        }
        to.push(b'{');
        while let Some(([outer, inner], text)) = groups.next() {
            name(to, &outer);
            if levels == 1 {
                leaf(to, &text);
                continue;
            }
            to.push(b'{');
            name(to, &inner);
            leaf(to, &text);
            while let Some(([_, inner], text)) = groups.next_if(|([next, _], _)| *next == outer) {
                name(to, &inner);
                leaf(to, &text);
            }
            to.push(b'}');
        }
        to.push(b'}');
    }
}

/// The name of a member, after those before it.
fn name(to: &mut Vec<u8>, name: &str) {
    if to.last() != Some(&b'{') {
        to.push(b',');
    }
    _ = serde_json::to_writer(&mut *to, name);
    to.push(b':');
}
