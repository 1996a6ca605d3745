//! Reading a change log from where a host was. Pure, so that `tests/model` drives it.
//!
//! Changes of a group are numbered without gaps. A host reads from the last change that it has
//! read, that one included: if it is there and is the same, the host has missed nothing. If the log
//! was trimmed, flushed, or lost writes in a fail-over, it is not. Invariant: a change is read, or
//! the group is compared as a whole.

/// A change: its number, and a digest of it and of octets by chance.
pub(crate) type NumberedChange = (u64, u64);

/// What a host does with changes that it has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Continuation {
    /// It has missed nothing: this number of them is known already.
    Known(usize),
    /// The whole group is to be compared.
    Lost,
}

/// How the changes from `last` on go on from it; `last` has the number 0 if none was read yet.
pub(crate) fn continuation(last: NumberedChange, changes: &[NumberedChange]) -> Continuation {
    match (last.0, changes.first()) {
        (0, None) => Continuation::Known(0),
        (0, Some((1, _))) => Continuation::Known(0),
        (1.., Some(first)) if *first == last => Continuation::Known(1),
        _ => Continuation::Lost,
    }
}

/// Whether the change that was the newest when this host wrote has been read: then what it wrote
/// was not lost meanwhile.
pub(crate) fn has_read(newest: NumberedChange, last: NumberedChange, changes: &[NumberedChange]) -> bool {
    newest == last || changes.contains(&newest)
}
