//! Times in JSON: RFC 3339 in UTC, milliseconds since 1970 in memory.

use crate::clock;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// The same for a time that may be missing.
pub(crate) mod optional {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Time(#[serde(with = "super")] i64);

    pub(crate) fn serialize<S: Serializer>(at_ms: &Option<i64>, to: S) -> Result<S::Ok, S::Error> {
        at_ms.map(Time).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
        Ok(Option::<Time>::deserialize(from)?.map(|Time(at_ms)| at_ms))
    }
}

pub(crate) fn serialize<S: Serializer>(at_ms: &i64, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&clock::rfc3339(*at_ms))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    let text = String::deserialize(from)?;
    text.parse::<Timestamp>().map(Timestamp::as_millisecond).map_err(D::Error::custom)
}
