//! `/`: how things are: volume, outcomes, reasons by provider, the slowest, and what changed.
//!
//! Not here: charts and tables, which the report has too (`stats::render::html`).

use super::frame::Frame;
use super::page_reader::PageReader;
use super::showing::show;
use crate::clock;
use crate::index::DeliveryQuality;
use crate::serve::http_answer::HttpAnswer;
use crate::serve::http_route::HttpAsked;
use crate::serve::problem::Problem;
use crate::stats::Figures;
use crate::stats::hour_change::{HourChange, hours};
use crate::stats::render::html::figure_lists::{Lists, short_time, typed};
use crate::stats::render::html::markup::Html;
use crate::stats::render::html::{changes, course, details, quality, slowest, summary};

pub(super) const PARAMETERS: &[&str] = &["since", "until"];
/// Periods to choose.
const PERIODS: [(&str, &str); 4] =
    [("1h", "1 hour"), ("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days")];
/// What is shown without a choice.
const USUAL: &str = "24h";
/// Rows of each list.
const TOP: usize = 10;
/// Seconds between two looks at the present.
const FRESH: u32 = 30;

/// What the view shows.
struct Overview {
    figures: Figures,
    change: HourChange,
    now_ms: i64,
    /// As it was asked for.
    since: String,
    until: String,
    /// For whoever sees all mail.
    quality: Option<DeliveryQuality>,
}

pub(super) fn overview(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let reader = PageReader::of(asked, "/");
    let (query, now_ms) = (asked.query, clock::now_ms());
    let (since, until) = (query.text("since"), query.text("until"));
    let from = match (since, until) {
        (None, None) => clock::typed_time::time(USUAL).ok(),
        _ => query.time("since")?,
    };
    let period = asked.view.period(from, query.time("until")?).map_err(|error| {
        Problem::bad_value("since", error.text(), "give the beginning as since, and the end as until")
    })?;
    let mut figures = asked.view.figures(&asked.desk.config, period)?;
    figures.utc_offset = reader.offset(figures.from_ms);
    let [now, before] = hours(now_ms).map(|hour| asked.view.outcomes_alone(hour));
    let change = HourChange::between(now?, before?);
    let index = asked.view.whole().ok().and_then(|whole| whole.index);
    let quality = index.map(|index| index.quality()).transpose()?;
    let since = since.unwrap_or(if until.is_none() { USUAL } else { "" }).to_owned();
    let overview =
        Overview { figures, change, now_ms, since, until: until.unwrap_or_default().to_owned(), quality };
    let fresh_for = until.is_none().then_some(FRESH);
    let frame = Frame { title: "Overview", path: "/", fresh_for, reader: &reader };
    Ok(show(&frame, |to| overview.write(to, &reader)))
}

impl Overview {
    fn write(&self, to: &mut Html, reader: &PageReader) {
        let (figures, lists) = (&self.figures, Lists::of(&self.figures, true));
        to.raw("<header><h1>Mail deliveries of ").foreign(name_of(figures), super::frame::LONGEST);
        to.raw("</h1><p>");
        reader.time(to, figures.from_ms);
        to.raw(" to ");
        reader.time(to, figures.to_ms);
        to.raw("</p></header>\n");
        self.periods(to);
        summary(to, figures, self.now_ms, &lists);
        changes(to, &self.change, &|at, form| reader.clock(at, form), &lists);
        course(to, figures, &lists);
        slowest(to, figures, TOP, &lists);
        details(to, figures, TOP, &lists);
        if let Some(found) = &self.quality {
            quality(to, figures, found, &lists);
        }
        let times = [figures.from_ms, figures.to_ms].map(short_time);
        let choices = [("since", times[0].as_str()), ("until", times[1].as_str())];
        let command = typed("carom report", choices.into_iter());
        let mut query = url::form_urlencoded::Serializer::for_suffix(String::from("/api/v1/statistics?"), 19);
        for (name, value) in choices {
            query.append_pair(name, value);
        }
        let query = query.finish();
        to.raw("<p class=command>");
        to.tag("a", &[("href", &query)]).raw("As JSON</a> · ");
        to.tag("a", &[("href", &format_args!("{query}&format=csv"))]).raw("as CSV</a></p>\n");
        super::page_parts::command(to, "The same on the command line", &command);
    }

    fn periods(&self, to: &mut Html) {
        to.raw("<nav class=periods aria-label=Period><ul>");
        for (age, name) in PERIODS {
            to.raw("<li>");
            match self.since == age && self.until.is_empty() {
                true => to.tag("a", &[("href", &format_args!("/?since={age}")), ("aria-current", &"true")]),
                false => to.tag("a", &[("href", &format_args!("/?since={age}"))]),
            };
            to.raw(name).raw("</a>");
        }
        to.raw("</ul><form action=\"/\"><label>From ");
        to.tag("input", &[("name", &"since"), ("value", &self.since), ("size", &20), ("maxlength", &40)]);
        to.raw("</label><label>to ");
        to.tag("input", &[("name", &"until"), ("value", &self.until), ("size", &20), ("maxlength", &40)]);
        to.raw("</label><button>Show</button></form></nav>\n");
    }
}

fn name_of(figures: &Figures) -> &str {
    if figures.host.is_empty() { "this host" } else { &figures.host }
}
