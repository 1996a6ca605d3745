//! The choice of a period: the usual ones as links, and any other by its beginning and end.
//!
//! Not here: what a typed time means (`clock::typed_time`). Invariant: what was typed stays as it
//! was typed.

use crate::serve::http_query::HttpQuery;
use crate::stats::render::html::markup::Html;

/// Periods to choose.
const PERIODS: [(&str, &str); 4] =
    [("1h", "1 hour"), ("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days")];

/// The period of a view, as it was asked for.
pub(crate) struct PeriodChoice {
    /// Of the view.
    path: &'static str,
    since: String,
    until: String,
}

impl PeriodChoice {
    /// `usual`: what is shown without a choice.
    pub(crate) fn of(query: &HttpQuery, path: &'static str, usual: &str) -> PeriodChoice {
        let (since, until) = (query.text("since"), query.text("until"));
        let since = since.unwrap_or(if until.is_none() { usual } else { "" }).to_owned();
        PeriodChoice { path, since, until: until.unwrap_or_default().to_owned() }
    }

    pub(crate) fn write(&self, to: &mut Html) {
        let PeriodChoice { path, since, until } = self;
        to.raw("<nav class=periods aria-label=Period><ul>");
        for (age, name) in PERIODS {
            to.raw("<li>");
            match *since == age && until.is_empty() {
                true => {
                    to.tag("a", &[("href", &format_args!("{path}?since={age}")), ("aria-current", &"true")])
                }
                false => to.tag("a", &[("href", &format_args!("{path}?since={age}"))]),
            };
            to.raw(name).raw("</a>");
        }
        to.raw("</ul>").tag("form", &[("action", path)]).raw("<label>From ");
        to.tag("input", &[("name", &"since"), ("value", since), ("size", &20), ("maxlength", &40)]);
        to.raw("</label><label>to ");
        to.tag("input", &[("name", &"until"), ("value", until), ("size", &20), ("maxlength", &40)]);
        to.raw("</label><button>Show</button></form></nav>\n");
    }
}
