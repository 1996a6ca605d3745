//! `/agent-read/…`: the deliveries of a client, as Postfix-Deliverability-Analytics answers.
//!
//! Not here: a record (`agent_record`). Invariant: both ends of a period belong to it; an answer
//! has all that was asked for, or it is an error that names a shorter period.

use super::super::http_answer::HttpAnswer;
use super::super::http_query::HttpQuery;
use super::super::http_route::{HttpAsked, HttpRoute, Need};
use super::super::problem::Problem;
use super::super::view::PageAsked;
use super::agent_envelope::enveloped_text;
use super::agent_record::{self, AgentRecord};
use super::agent_records::{AgentRecords, MOST, OfGroup, TooMany};
use crate::index::Filter;
use axum::http::StatusCode;

pub(super) const ROUTES: &[HttpRoute] = &[
    HttpRoute::new("/agent-read/{client}", Need::SomeMail, PARAMETERS, of_client).for_agents(),
    HttpRoute::new("/agent-read/{client}/", Need::SomeMail, PARAMETERS, of_client).for_agents(),
    HttpRoute::new("/agent-read/{client}/{kind}/{value}", Need::SomeMail, PARAMETERS, of_value).for_agents(),
    HttpRoute::new("/agent-read/{client}/{kind}/{value}/", Need::SomeMail, PARAMETERS, of_value).for_agents(),
];

const PARAMETERS: &[&str] = &["from", "to", "lastOrFirst", "groupBy"];
/// Records that are read together.
const PAGE: usize = 1000;
/// The names that records are grouped by.
const GROUPS: [&str; 3] = ["rcptEmail", "queueId", "msgId"];

fn of_client(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    answer(asked, Filter { client: Some(asked.part(0).to_owned()), ..Filter::default() })
}

fn of_value(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let (client, value) = (Some(asked.part(0).to_owned()), Some(asked.part(2).to_owned()));
    let filter = Filter { client, ..Filter::default() };
    let filter = match asked.part(1) {
        "rcptEmail" if asked.part(2).contains('@') => Filter { recipient: value, ..filter },
        "queue" => Filter { queue_id: value, ..filter },
        "message" => {
            Filter { message_id: Some(agent_record::message_id(asked.part(0), asked.part(2))), ..filter }
        }
        _ => return Err(Problem::not_found("use rcptEmail/ADDRESS, queue/ID or message/ID")),
    };
    answer(asked, filter)
}

fn answer(asked: &HttpAsked<'_>, filter: Filter) -> Result<HttpAnswer, Problem> {
    let wanted = Wanted::read(asked.query)?;
    let kept = if wanted.last.is_some() { OfGroup::One } else { OfGroup::Each };
    let (mut records, mut after) = (AgentRecords::new(kept), None);
    let filter = Filter { since_ms: wanted.from, until_ms: wanted.to.map(|to| to + 1), ..filter };
    loop {
        let page = asked.view.deliveries(PageAsked {
            filter: filter.clone(),
            is_wanted: &|_| true,
            after,
            oldest_first: wanted.last != Some(true),
            limit: PAGE,
        })?;
        let some = page.deliveries.iter().filter_map(AgentRecord::of);
        for record in some.filter(|record| !record.was_no_trouble()) {
            let added = records.add(wanted.group_of(&record), &record);
            added.map_err(|TooMany| wanted.too_many(record.date))?;
        }
        after = page.next;
        let has_the_one = kept == OfGroup::One && wanted.groups.is_empty() && !records.is_empty();
        if after.is_none() || has_the_one {
            break;
        }
    }
    Ok(enveloped_text(asked.headers, |to| records.write(to, wanted.groups.len())))
}

struct Wanted {
    /// In milliseconds since 1970.
    from: Option<i64>,
    to: Option<i64>,
    /// Only the last of each group, or the first.
    last: Option<bool>,
    /// The inner name, and the outer one.
    groups: Vec<String>,
}

impl Wanted {
    fn read(query: &HttpQuery) -> Result<Wanted, Problem> {
        let last = match query.text("lastOrFirst").map(str::to_ascii_lowercase).as_deref() {
            None => None,
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) => {
                return Err(Problem::bad_value(
                    "lastOrFirst",
                    "is not true or false",
                    "use true for the last, false for the first",
                ));
            }
        };
        let groups: Vec<String> = query
            .text("groupBy")
            .into_iter()
            .flat_map(|names| names.split("-and-"))
            .map(str::to_owned)
            .collect();
        if groups.len() > 2 || groups.iter().any(|name| !GROUPS.contains(&name.as_str())) {
            let fix = "use rcptEmail, queueId, msgId, or two of them with -and-";
            return Err(Problem::bad_value("groupBy", "is not known", fix));
        }
        let time = |name| query.number(name, (0, i64::MAX - 1));
        Ok(Wanted { from: time("from")?, to: time("to")?, last, groups })
    }

    /// The values that a record is grouped by, the outer one first.
    fn group_of(&self, record: &AgentRecord) -> [String; 2] {
        let of = |name: Option<&String>| match name.map(String::as_str) {
            Some("rcptEmail") => record.rcpt_email.clone(),
            Some("queueId") => record.queue_id.clone(),
            Some(_) => record.msg_id.clone(),
            None => String::new(),
        };
        match &self.groups[..] {
            [inner, outer] => [of(Some(outer)), of(Some(inner))],
            names => [of(names.first()), String::new()],
        }
    }

    /// What is asked for does not go into one answer; `date` is that of the first record too many.
    fn too_many(&self, date: i64) -> Problem {
        let detail = format!("the records are more than {} MiB", MOST >> 20);
        let fix = match (self.last, self.from.unwrap_or(0)) {
            (None, from) if date > from => format!("ask with to={}, and then with from={date}", date - 1),
            _ => "ask for a shorter period with from and to, or for one rcptEmail".to_owned(),
        };
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail, fix)
    }
}
