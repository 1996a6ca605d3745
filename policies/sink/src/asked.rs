//! The answers that an address can ask for.
//!
//! Not here: which address asks for which (`address`, `simulator`).

use crate::reply::Reply;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Accept,
    /// An out-of-band bounce, with this reply or the configured one.
    Bounce(Option<Reply>),
    /// An out-of-band bounce with a reply of this provider.
    BounceAs(String),
    Complain,
    OpenAndClick,
    /// A one-click request to unsubscribe (RFC 8058).
    Unsubscribe,
    /// An in-band 5xx.
    Reject(Option<Reply>),
    /// An in-band 4xx.
    Defer(Option<Reply>),
    AutoReply,
    /// Replies of this provider.
    Provider(String),
    /// An in-band 4xx so many times, and then it is accepted.
    Fail(u32),
    /// An in-band 4xx until some time has passed.
    Greylist,
    /// Left to chance.
    Mix,
}
