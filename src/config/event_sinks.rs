//! Where events go, as configured in `[[events]]`.
//!
//! Not here: sending them (`events`). Invariant: a sink has what its kind needs, and its name is
//! that of no other.

use super::applications::is_web_address;
use super::fault::ConfigFault;
use super::request_secrets::{RequestSecrets, ServerPassword};
use super::tables::{EventKind, EventsTable, SinkKind, Tables};
use crate::error::Error;
use crate::webhook;
use std::path::PathBuf;
use url::Url;

#[derive(Clone, Debug)]
pub(crate) struct EventSink {
    pub(crate) place: SinkPlace,
    pub(crate) include: Vec<EventKind>,
    pub(crate) seconds: u32,
    pub(crate) max_backlog: u64,
    pub(crate) drop_oldest: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum SinkPlace {
    Files {
        directory: PathBuf,
        max_size: u64,
        keep_days: u32,
    },
    ClickHouse {
        url: String,
        database: String,
        table: String,
        user: Option<String>,
        password: ServerPassword,
    },
    Webhook {
        url: String,
        secrets: RequestSecrets,
    },
}

impl SinkPlace {
    /// Error: this process cannot have the secrets or the password that it needs.
    pub(crate) fn require_secrets(&self) -> Result<(), Error> {
        match self {
            SinkPlace::Files { .. } => Ok(()),
            SinkPlace::ClickHouse { password, .. } => password.get().map(drop),
            SinkPlace::Webhook { secrets, .. } => secrets.get().map(drop),
        }
    }
}

impl EventSink {
    pub(super) const TABLES: &[&str] = &["events"];

    pub(super) fn read(tables: Tables) -> Result<Vec<EventSink>, ConfigFault> {
        let mut sinks: Vec<EventSink> = Vec::with_capacity(tables.events.len());
        for (number, table) in tables.events.into_iter().enumerate() {
            let sink = read(table, number)?;
            if sinks.iter().any(|other| other.destination() == sink.destination()) {
                let what = "goes where another [[events]] goes";
                return Err(ConfigFault::of_element("events", number, "", what, "remove one of the two"));
            }
            sinks.push(sink);
        }
        Ok(sinks)
    }

    /// The name that its position is stored under: kind and place.
    pub(crate) fn name(&self) -> String {
        match &self.place {
            SinkPlace::Files { directory, .. } => format!("file:{}", directory.display()),
            SinkPlace::ClickHouse { url, database, table, .. } => {
                format!("clickhouse:{url}#{database}.{table}")
            }
            SinkPlace::Webhook { url, .. } => format!("webhook:{url}"),
        }
    }

    /// Where it goes, however that is written: `http://H` is `http://h/`.
    fn destination(&self) -> String {
        let plain = |url: &String| Url::parse(url).map_or_else(|_| url.clone(), String::from);
        match &self.place {
            SinkPlace::Files { directory, .. } => {
                format!("file:{}", directory.components().as_path().display())
            }
            SinkPlace::ClickHouse { url, database, table, .. } => {
                format!("clickhouse:{}#{database}.{table}", plain(url))
            }
            SinkPlace::Webhook { url, .. } => format!("webhook:{}", plain(url)),
        }
    }

    /// The same as people see it: a URL may have a token in it.
    pub(crate) fn shown_name(&self) -> String {
        match &self.place {
            SinkPlace::Files { .. } => self.name(),
            SinkPlace::ClickHouse { url, database, table, .. } => {
                format!("clickhouse:{}#{database}.{table}", webhook::shown(url))
            }
            SinkPlace::Webhook { url, .. } => format!("webhook:{}", webhook::shown(url)),
        }
    }

    pub(crate) fn takes(&self, kind: EventKind) -> bool {
        self.include.contains(&kind)
    }
}

fn read(table: EventsTable, number: usize) -> Result<EventSink, ConfigFault> {
    let fault =
        |key: &str, what: &str, fix: &str| Err(ConfigFault::of_element("events", number, key, what, fix));
    if table.seconds == 0 || table.seconds > 300 {
        return fault("seconds", "must be from 1 to 300", "use 5, or remove the key");
    }
    if table.include.is_empty() {
        return fault("include", "names no kind of event", "name one, or remove the key for all");
    }
    if table.max_backlog < 1 << 20 {
        return fault("max_backlog", "must be at least 1048576 (1 MiB)", "use 1073741824, or remove the key");
    }
    let place = match table.kind {
        SinkKind::File => match table.path.clone() {
            None => return fault("", "has no path", "set path to the directory for its files"),
            Some(_) if table.max_size < 1 << 16 => {
                return fault("max_size", "must be at least 65536", "use 268435456, or remove the key");
            }
            Some(directory) => {
                let EventsTable { max_size, keep_days, .. } = table;
                SinkPlace::Files { directory, max_size, keep_days }
            }
        },
        SinkKind::ClickHouse | SinkKind::Webhook => to_a_server(&table, number)?,
    };
    let EventsTable { include, seconds, max_backlog, drop_oldest, .. } = table;
    Ok(EventSink { place, include, seconds, max_backlog, drop_oldest })
}

fn to_a_server(table: &EventsTable, number: usize) -> Result<SinkPlace, ConfigFault> {
    let fault =
        |key: &str, what: &str, fix: &str| Err(ConfigFault::of_element("events", number, key, what, fix));
    let Some(url) = table.url.clone() else { return fault("", "has no url", "set url to the server's") };
    if !is_web_address(&url) {
        return fault("url", "is not an http or https URL", "use https://…, without a user name");
    }
    if table.kind == SinkKind::Webhook {
        return Ok(SinkPlace::Webhook {
            url,
            secrets: RequestSecrets::read("events", number, &table.secrets)?,
        });
    }
    let is_name = |name: &str| {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        !name.is_empty() && name.len() <= 64 && name.chars().all(is_of_name)
    };
    for (key, name) in [("database", &table.database), ("table", &table.table)] {
        if !is_name(name) {
            return fault(key, "is not a name of letters, digits and _", "use a name like carom_events");
        }
    }
    if url.contains('?') {
        return fault("url", "has a query, which carom writes", "end it before the question mark");
    }
    let is_odd = |text: &&String| text.chars().any(char::is_control);
    let password = ServerPassword::read("events", number, table.password.as_ref())?;
    let known = password.get().ok().flatten().map(str::to_owned);
    if table.user.iter().chain(&known).any(|text| is_odd(&text)) {
        return fault("user", "has a control character, or its password has", "write it in one line");
    }
    let (database, name, user) = (table.database.clone(), table.table.clone(), table.user.clone());
    Ok(SinkPlace::ClickHouse { url, database, table: name, user, password })
}
