//! Who asks: a name, whose mail may be seen, and whether the caller may act.

use crate::config::ServeToken;
use crate::index::Seen;

#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The name of the token; for an open server, `anybody`.
    pub(crate) name: String,
    pub(crate) seen: Seen,
    pub(crate) may_act: bool,
    /// A browser sends the password by itself, also if another site makes it ask.
    pub(crate) by_password: bool,
}

impl Caller {
    /// Of a server that asks for no token.
    pub(crate) fn anybody() -> Caller {
        Caller { name: "anybody".into(), seen: Seen::AllMail, may_act: false, by_password: false }
    }

    pub(crate) fn of(token: &ServeToken, by_password: bool) -> Caller {
        let ServeToken { name, reads, acts, clients, domains, .. } = token;
        let seen = match reads {
            true => Seen::AllMail,
            false => Seen::Only { clients: clients.clone(), domains: domains.clone() },
        };
        Caller { name: name.clone(), seen, may_act: *acts, by_password }
    }
}
