//! A delivery as JSON for its event, the same as `StoredDelivery` gives, in a fraction of the time:
//! a tick writes hundreds of thousands.
//!
//! Not here: which deliveries (`changed_deliveries`). Invariant: the same delivery gives the same
//! bytes as `StoredDelivery`, which its event's id depends on.

use super::delivery_row::TEXTS;
use super::stored_routes;
use crate::clock;
use crate::maillog::delivery_texts::{MANY, NAMES};
use crate::maillog::{DeliveryRoute, LoggedStatus, Whose};
use crate::text::{push_hex, push_json};
use rusqlite::types::FromSql;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row};
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::ops::Range;

/// The columns that are read before the texts, and after them.
const NUMBERS: [&str; 8] =
    ["deliveries.id", "last_seen", "first_seen", "attempts", "delay", "size", "meaning", "route"];
const CATEGORY: &str = "logged_category";
/// Texts before the status and the times, and before what is known of the reply and the route.
const BEFORE_STATUS: usize = 6;
const BEFORE_MEANING: usize = 9;

/// What [`DeliveryData::read`] reads.
pub(super) fn columns() -> String {
    [&NUMBERS[..], &TEXTS, &[CATEGORY]].concat().join(", ")
}

/// The delivery that was read last, and what the numbers of rows stand for, as JSON.
pub(crate) struct DeliveryData<'i> {
    pub(crate) row: i64,
    pub(crate) last_seen: i64,
    pub(crate) json: Vec<u8>,
    meaning: CachedStatement<'i>,
    route: CachedStatement<'i>,
    meanings: FxHashMap<Option<i64>, MeaningJson>,
    routes: FxHashMap<Option<i64>, RouteJson>,
    keys: [TextKey; MANY],
}

/// A key as it is before a text, and with no text.
struct TextKey {
    open: String,
    absent: String,
}

/// Keys and values before the category, the category, and those after it.
struct MeaningJson {
    before: String,
    key: TextKey,
    category: Option<String>,
    after: String,
}

/// Keys and values, the last key being `whose`.
struct RouteJson {
    json: String,
    whose: Whose,
}

#[derive(Serialize)]
struct RouteNames<'r> {
    tls: Option<&'r str>,
    source: Option<&'r str>,
    sources: &'r [String],
}

impl<'i> DeliveryData<'i> {
    pub(super) fn new(db: &'i Connection) -> rusqlite::Result<DeliveryData<'i>> {
        let meaning =
            "SELECT reason, category, severity, nullif(about, ''), rule FROM meanings WHERE id = ?1";
        let route =
            "SELECT vmta, pool, ip, transport, instance, campaign, tls, whose FROM routes WHERE id = ?1";
        Ok(DeliveryData {
            row: 0,
            last_seen: 0,
            json: Vec::new(),
            meaning: db.prepare_cached(meaning)?,
            route: db.prepare_cached(route)?,
            meanings: FxHashMap::default(),
            routes: FxHashMap::default(),
            keys: NAMES.map(TextKey::of),
        })
    }

    /// Reads the delivery in the columns after the first ones; returns whether there is one.
    pub(super) fn read(&mut self, row: &Row<'_>, first: usize) -> rusqlite::Result<bool> {
        let Some(id) = row.get(first)? else { return Ok(false) };
        self.row = id;
        self.last_seen = row.get(first + 1)?;
        let (meaning, route) = (row.get(first + 6)?, row.get(first + 7)?);
        if !self.meanings.contains_key(&meaning) {
            let found = MeaningJson::of(&mut self.meaning, meaning)?;
            self.meanings.insert(meaning, found);
        }
        if !self.routes.contains_key(&route) {
            let found = RouteJson::of(&mut self.route, route)?;
            self.routes.insert(route, found);
        }
        let (meaning, route) = (&self.meanings[&meaning], &self.routes[&route]);
        self.json.clear();
        DataWriter { to: &mut self.json, row, first, keys: &self.keys }.write(meaning, route)?;
        Ok(true)
    }
}

impl MeaningJson {
    fn of(select: &mut CachedStatement<'_>, number: Option<i64>) -> rusqlite::Result<MeaningJson> {
        let known = select.query_row([number], |row| {
            let mut texts = [const { None }; 5];
            for (at, text) in texts.iter_mut().enumerate() {
                *text = row.get::<_, Option<String>>(at)?;
            }
            Ok(texts)
        });
        let [reason, category, severity, about, rule] = known.optional()?.unwrap_or_default();
        let mut after = String::new();
        for (key, text) in [("severity", severity), ("about", about), ("rule", rule)] {
            after.push_str(&format!(",\"{key}\":{}", serde_json::json!(text)));
        }
        let before = format!(",\"reason\":{}", serde_json::json!(reason));
        Ok(MeaningJson { before, key: TextKey::of("category"), category, after: after + "," })
    }
}

impl RouteJson {
    fn of(select: &mut CachedStatement<'_>, number: Option<i64>) -> rusqlite::Result<RouteJson> {
        let json = |route: &DeliveryRoute<'_>| {
            let sources = stored_routes::sources(route);
            let source = sources.first().map(String::as_str);
            let names = RouteNames { tls: route.tls(), source, sources: &sources };
            let json = serde_json::to_string(&names).unwrap_or_default();
            let whose = route.whose();
            RouteJson { json: format!("{},\"whose\":\"", json.trim_matches(['{', '}'])), whose }
        };
        let known = select.query_row([number], |row| stored_routes::route(row, 0).map(|route| json(&route)));
        Ok(known.optional()?.unwrap_or_else(|| json(&DeliveryRoute::default())))
    }
}

impl TextKey {
    fn of(name: &str) -> TextKey {
        TextKey { open: format!(",\"{name}\":\""), absent: format!(",\"{name}\":null") }
    }

    fn write(&self, to: &mut Vec<u8>, text: Option<&str>) {
        match text {
            None => to.extend_from_slice(self.absent.as_bytes()),
            Some(text) => {
                to.extend_from_slice(self.open.as_bytes());
                push_json(to, text);
                to.push(b'"');
            }
        }
    }
}

/// What is written of a row, and with what.
struct DataWriter<'w, 'r> {
    to: &'w mut Vec<u8>,
    row: &'w Row<'r>,
    first: usize,
    keys: &'w [TextKey; MANY],
}

impl DataWriter<'_, '_> {
    fn write(&mut self, meaning: &MeaningJson, route: &RouteJson) -> rusqlite::Result<()> {
        self.to.extend_from_slice(b"{\"id\":\"");
        push_hex(self.to, self.get::<i64>(0)?.cast_unsigned());
        self.to.push(b'"');
        self.texts(0..BEFORE_STATUS)?;
        let row = self.row;
        let text = |at: usize| row.get_ref(at).and_then(|text| Ok(text.as_str_or_null()?));
        let status = text(self.first + NUMBERS.len())?.unwrap_or_default();
        self.to.extend_from_slice(b",\"status\":\"");
        push_json(self.to, status);
        self.number(b"\",\"attempts\":", &self.get::<u32>(3)?);
        for (key, at) in [(&b",\"first_seen\":\""[..], 2), (b"\",\"last_seen\":\"", 1)] {
            let at_ms = self.get(at)?;
            self.to.extend_from_slice(key);
            clock::push_rfc3339(self.to, at_ms);
        }
        self.to.push(b'"');
        self.texts(BEFORE_STATUS..BEFORE_MEANING)?;
        self.to.extend_from_slice(meaning.before.as_bytes());
        let logged = text(self.first + NUMBERS.len() + TEXTS.len())?;
        meaning.key.write(self.to, logged.or(meaning.category.as_deref()));
        self.to.extend_from_slice(meaning.after.as_bytes());
        self.to.extend_from_slice(route.json.as_bytes());
        let whose = if status == LoggedStatus::Rejected.name() { Whose::Own } else { route.whose };
        self.to.extend_from_slice(whose.name().as_bytes());
        self.number(b"\",\"delay\":", &self.get::<Option<f64>>(4)?);
        let size: Option<u64> = self.get::<Option<i64>>(5)?.and_then(|size| size.try_into().ok());
        self.number(b",\"size\":", &size);
        self.texts(BEFORE_MEANING..MANY)?;
        self.to.push(b'}');
        Ok(())
    }

    fn get<T: FromSql>(&self, at: usize) -> rusqlite::Result<T> {
        self.row.get(self.first + at)
    }

    fn number(&mut self, key: &[u8], number: &impl Serialize) {
        self.to.extend_from_slice(key);
        // Writing a number to memory cannot fail.
        let _ = serde_json::to_writer(&mut *self.to, number);
    }

    fn texts(&mut self, places: Range<usize>) -> rusqlite::Result<()> {
        for at in places {
            let text = self.row.get_ref(self.first + NUMBERS.len() + 1 + at)?.as_str_or_null()?;
            self.keys[at].write(self.to, text);
        }
        Ok(())
    }
}
