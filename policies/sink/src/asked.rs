//! The answers that an address can ask for.
//!
//! Not here: which address asks for which (`address`, `simulator`).

use crate::reply::Reply;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Accept,
    /// An out-of-band bounce, with this reply or the configured one.
    Bounce(Option<Reply>),
    Complain,
    OpenAndClick,
    /// A one-click request to unsubscribe (RFC 8058).
    Unsubscribe,
    /// An in-band 5xx.
    Reject(Option<Reply>),
    /// An in-band 4xx.
    Defer(Option<Reply>),
    AutoReply,
    /// Left to chance.
    Mix,
}
