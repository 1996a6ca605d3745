//! `/agent-read/…`: the deliveries of a client, as Postfix-Deliverability-Analytics answers.
//!
//! Not here: a record (`agent_record`). Invariant: both ends of a period belong to it.

use super::super::http_answer::HttpAnswer;
use super::super::http_query::HttpQuery;
use super::super::http_route::{HttpAsked, HttpRoute, Need};
use super::super::problem::Problem;
use super::super::view::PageAsked;
use super::agent_envelope::enveloped;
use super::agent_record::{self, AgentRecord};
use crate::index::Filter;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub(super) const ROUTES: &[HttpRoute] = &[
    HttpRoute::new("/agent-read/{client}", Need::SomeMail, PARAMETERS, of_client).for_agents(),
    HttpRoute::new("/agent-read/{client}/", Need::SomeMail, PARAMETERS, of_client).for_agents(),
    HttpRoute::new("/agent-read/{client}/{kind}/{value}", Need::SomeMail, PARAMETERS, of_value).for_agents(),
    HttpRoute::new("/agent-read/{client}/{kind}/{value}/", Need::SomeMail, PARAMETERS, of_value).for_agents(),
];

const PARAMETERS: &[&str] = &["from", "to", "lastOrFirst", "groupBy"];
/// Records of an answer; a narrower period has the others.
const MOST: usize = 50_000;
/// Records that are read together.
const PAGE: usize = 5000;
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
    let mut records = Vec::new();
    let mut after = None;
    let filter = Filter { since_ms: wanted.from, until_ms: wanted.to.map(|to| to + 1), ..filter };
    loop {
        let page = asked.view.deliveries(PageAsked {
            filter: filter.clone(),
            is_wanted: &|_| true,
            after,
            oldest_first: true,
            limit: PAGE,
        })?;
        let some = page.deliveries.iter().filter_map(AgentRecord::of);
        records.extend(some.filter(|record| !record.was_no_trouble()));
        after = page.next;
        if after.is_none() || records.len() >= MOST {
            break;
        }
    }
    records.truncate(MOST);
    Ok(enveloped(asked.headers, wanted.shape(records)))
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

    /// The records, the oldest first, in the shape that was asked for.
    fn shape(&self, records: Vec<AgentRecord>) -> Value {
        match &self.groups[..] {
            [inner, outer] => {
                let outer = grouped(records, outer).into_iter();
                let within = |(value, records)| {
                    let inner = grouped(records, inner).into_iter();
                    (value, Value::Object(inner.map(|(value, some)| (value, self.leaf(some))).collect()))
                };
                Value::Object(outer.map(within).collect::<Map<_, _>>())
            }
            [name] => {
                let groups = grouped(records, name).into_iter();
                Value::Object(groups.map(|(value, some)| (value, self.leaf(some))).collect())
            }
            _ => self.leaf(records),
        }
    }

    fn leaf(&self, mut records: Vec<AgentRecord>) -> Value {
        match self.last {
            None => json!(records),
            Some(true) => json!(records.pop()),
            Some(false) => json!(records.into_iter().next()),
        }
    }
}

fn grouped(records: Vec<AgentRecord>, name: &str) -> BTreeMap<String, Vec<AgentRecord>> {
    let mut groups: BTreeMap<String, Vec<AgentRecord>> = BTreeMap::new();
    for record in records {
        let value = match name {
            "rcptEmail" => &record.rcpt_email,
            "queueId" => &record.queue_id,
            _ => &record.msg_id,
        };
        groups.entry(value.clone()).or_default().push(record);
    }
    groups
}
