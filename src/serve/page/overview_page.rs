//! `/`: how things are: volume, outcomes, reasons by provider, the slowest, and what changed.
//!
//! Not here: charts and tables, which the report has too (`stats::render::html`).

use super::frame::Frame;
use super::page_parts::{command, report_command};
use super::page_reader::PageReader;
use super::period_choice::PeriodChoice;
use super::showing::show;
use crate::clock;
use crate::index::DeliveryQuality;
use crate::serve::delivery_filters::period;
use crate::serve::http_answer::HttpAnswer;
use crate::serve::http_route::HttpAsked;
use crate::serve::problem::Problem;
use crate::stats::Figures;
use crate::stats::hour_change::{HourChange, hours};
use crate::stats::render::html::figure_lists::{Lists, short_time};
use crate::stats::render::html::markup::Html;
use crate::stats::render::html::{changes, course, details, quality, slowest, summary};

pub(super) const PARAMETERS: &[&str] = &["since", "until"];
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
    choice: PeriodChoice,
    /// For whoever sees all mail.
    quality: Option<DeliveryQuality>,
}

pub(super) fn overview(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let reader = PageReader::of(asked, "/");
    let (query, now_ms) = (asked.query, clock::now_ms());
    let mut figures = asked.view.figures(&asked.desk.config, period(asked, Some(USUAL))?)?;
    figures.set_zone(reader.zone.clone());
    let [now, before] = hours(now_ms).map(|hour| asked.view.outcomes_alone(hour));
    let change = HourChange::between(now?, before?);
    let index = asked.view.whole().ok().and_then(|whole| whole.index);
    let quality = index.map(|index| index.quality()).transpose()?;
    let overview = Overview { figures, change, now_ms, choice: PeriodChoice::of(query, "/", USUAL), quality };
    let fresh_for = query.text("until").is_none().then_some(FRESH);
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
        self.choice.write(to);
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
        let mut query = url::form_urlencoded::Serializer::for_suffix(String::from("/api/v1/statistics?"), 19);
        for (name, value) in choices {
            query.append_pair(name, value);
        }
        let query = query.finish();
        to.raw("<p class=command>");
        to.tag("a", &[("href", &query)]).raw("As JSON</a> · ");
        to.tag("a", &[("href", &format_args!("{query}&format=csv"))]).raw("as CSV</a></p>\n");
        command(to, "The same on the command line", &report_command(figures));
    }
}

fn name_of(figures: &Figures) -> &str {
    if figures.host.is_empty() { "this host" } else { &figures.host }
}
