//! What the store says about the state that hosts share. Not here: facts (`shared_fact`), the rows
//! (`sqlite/shared_rows`), and the exchange (`crate::shared`).

use super::shared_fact::rank_of_time;
use crate::clock::{self, DAY_MS};

/// The greatest rank that is believed: of a clock that is a day ahead. Claims of reports come there
/// after a hundred generations.
pub(crate) fn greatest_rank() -> i64 {
    rank_of_time(clock::latest_ms().saturating_add(DAY_MS))
}

/// This host among those that share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SharedSelf {
    /// Whether changes are noted for the others.
    pub(crate) is_on: bool,
    pub(crate) host: u32,
    /// Facts that the others have not got yet.
    pub(crate) waiting: u64,
}

/// How far the changes of a group of facts are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupPosition {
    pub(crate) number: u32,
    /// The number of the last change that was read; 0: none.
    pub(crate) place: u64,
    /// A digest of that change.
    pub(crate) mark: u64,
    pub(crate) state: GroupState,
}

/// Whether the changes of a group are read on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum GroupState {
    #[default]
    Read,
    /// The group is to be compared as a whole.
    Behind,
    /// The same, and this host had no facts when it began to share: the shared store lacks nothing
    /// of it but what is queued.
    New,
}

impl GroupPosition {
    /// Whether the group is still to be compared.
    pub(crate) fn is_behind(&self) -> bool {
        self.state != GroupState::Read
    }
}

/// What came of facts of other hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Merged {
    pub(crate) taken: usize,
    /// This host knows better: its versions are queued.
    pub(crate) outdated: usize,
}

/// A counter (`c` and its name) or a minute (`m` and its start) of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) name: String,
    pub(crate) value: i64,
}
