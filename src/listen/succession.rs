//! Who serves after whom.
//!
//! Not here: making the next one ready (`cli`). Invariant: one accepts connections at any time, and
//! what the one before has begun holds up nobody.

/// Who serves next, if anybody does.
pub(crate) trait Succession: Sync {
    /// Whether another service takes over. Asked each second, and (`true`) after SIGHUP.
    fn is_replaced(&self, asked: bool) -> bool;

    /// No more connections are accepted here: the service that takes over, if there is one, begins.
    fn give_way(&self);
}
