//! The body of an action: one JSON object, whose members the action knows.
//!
//! Invariant: a member that is not known, or there twice, is an error, and never ignored.

use super::http_route::HttpAsked;
use super::problem::Problem;
use crate::clock::typed_time;
use axum::http::{StatusCode, header};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

pub(crate) struct JsonBody(Map<String, Value>);

/// The members of an object, and one that is there twice.
struct Members {
    members: Map<String, Value>,
    repeated: Option<String>,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Members, D::Error> {
        from.deserialize_map(EachMember)
    }
}

struct EachMember;

impl<'de> Visitor<'de> for EachMember {
    type Value = Members;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut given: M) -> Result<Members, M::Error> {
        let mut found = Members { members: Map::new(), repeated: None };
        while let Some((name, value)) = given.next_entry::<String, Value>()? {
            if found.members.insert(name.clone(), value).is_some() {
                found.repeated = Some(name);
            }
        }
        Ok(found)
    }
}

impl JsonBody {
    pub(crate) fn read(asked: &HttpAsked<'_>, known: &[&str]) -> Result<JsonBody, Problem> {
        let kind = asked.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_json = |kind: &str| {
            let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            kind == "application/json"
        };
        if !kind.is_some_and(is_json) {
            let fix = "send Content-Type: application/json";
            let detail = "the body is of another form";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", detail, fix));
        }
        let Ok(Members { members, repeated }) = serde_json::from_slice(asked.body) else {
            return Err(Problem::bad_value(
                "body",
                "is not an object of JSON",
                "send {\"member\": value, …}",
            ));
        };
        if let Some(name) = repeated {
            return Err(Problem::bad_value(&name, "is there twice", "send it once"));
        }
        if let Some(odd) = members.keys().find(|name| !known.contains(&name.as_str())) {
            let fix = format!("use {}", known.join(", "));
            return Err(Problem::bad_value(odd, "is not known here", fix));
        }
        Ok(JsonBody(members))
    }

    /// A text that is not empty.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Problem> {
        Ok(self.written(name)?.filter(|text| !text.is_empty()))
    }

    /// A text that may be empty, where that means something else than a member that is not there.
    pub(crate) fn written(&self, name: &str) -> Result<Option<String>, Problem> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.len() > 4096 || text.contains('\0') => {
                Err(Problem::bad_value(name, "is too long, or has a NUL", "send less"))
            }
            Some(Value::String(text)) => Ok(Some(text.trim().to_owned())),
            Some(_) => Err(Problem::bad_value(name, "is not a text", "send a string")),
        }
    }

    pub(crate) fn needed(&self, name: &str) -> Result<String, Problem> {
        self.text(name)?.ok_or_else(|| Problem::bad_value(name, "is missing", "send it"))
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Problem::bad_value(name, "is not true or false", "send true or false")),
        }
    }

    pub(crate) fn number(&self, name: &str, (least, most): (u64, u64)) -> Result<Option<u64>, Problem> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64().filter(|number| (least..=most).contains(number)) {
                Some(number) => Ok(Some(number)),
                None => {
                    Err(Problem::bad_value(name, "is not such a number", format!("send {least} to {most}")))
                }
            },
        }
    }

    /// In milliseconds since 1970.
    pub(crate) fn time(&self, name: &str) -> Result<Option<i64>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        typed_time::time(&text).map(Some).map_err(|fix| Problem::bad_value(name, "is not a time", fix))
    }
}
