//! `/api/v1/statistics`: the figures of any period, as JSON or as a sheet of CSV, and the replies
//! that no rule knows.

use super::super::delivery_filters::{filter, period};
use super::super::http_answer::HttpAnswer;
use super::super::http_route::{HttpAsked, HttpRoute, Need};
use super::super::problem::Problem;
use crate::index::Filter;
use crate::stats::render::ReportForm;
use crate::stats::render::sheet::Sheet;
use serde_json::json;

pub(super) const ROUTES: &[HttpRoute] = &[
    HttpRoute::new("/api/v1/statistics", Need::SomeMail, &["since", "until", "format", "sheet"], statistics),
    HttpRoute::new("/api/v1/unknown", Need::AllMail, UNKNOWN, unknown),
];

const UNKNOWN: &[&str] = &["since", "until", "recipient", "client", "source", "own", "limit"];

fn statistics(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let query = asked.query;
    let sheets = if asked.view.is_whole() { &Sheet::ALL[..] } else { &Sheet::OF_SOME_MAIL };
    let sheets: Vec<&str> = sheets.iter().map(|sheet| sheet.name()).collect();
    let sheet = query.word("sheet", &sheets)?;
    let form = query.word("format", &["json", "csv"])?;
    let figures = asked.view.figures(&asked.desk.config, period(asked, None)?)?;
    if form == Some("json") || (form.is_none() && sheet.is_none()) {
        return Ok(HttpAnswer::of("application/json", ReportForm::Json.render(&figures)?));
    }
    let sheet = Sheet::ALL.into_iter().find(|one| Some(one.name()) == sheet).unwrap_or(Sheet::Series);
    let csv = ReportForm::Csv(sheet).render(&figures)?;
    let name = format!("attachment; filename=\"{}.csv\"", sheet.name());
    Ok(HttpAnswer::of("text/csv; charset=utf-8", csv).with("content-disposition", name))
}

fn unknown(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let limit = asked.query.number("limit", (1, 1000))?.unwrap_or(50);
    let filter = Filter { limit: Some(limit), ..filter(asked.query)? };
    let index = asked.view.whole()?.index;
    let shapes = index.map(|index| index.unclassified(&filter)).transpose()?.unwrap_or_default();
    Ok(HttpAnswer::json(&json!({ "unknown": shapes })))
}
