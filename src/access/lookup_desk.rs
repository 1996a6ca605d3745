//! socketmap_table(5): each look-up of a connection is answered, in order: `OK`, `NOTFOUND`, `TEMP`
//! or `PERM`.
//!
//! Not here: what the maps say (`lookup_maps`). Invariant: a reply is shorter than the limit that
//! Postfix has, and one line of printable text.

use super::answer_counts::{AnswerCounts, Given};
use super::answering_desk::AnsweringDesk;
use super::incoming::{Incoming, PATIENCE};
use super::lookup_maps::{LookedUp, look_up};
use super::netstring;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::listen::{ClientConnection, Service};
use crate::store::{Store, SuppressionReader};
use crate::text::one_line;
use std::sync::Arc;

/// Bytes of a request: a name, a blank and a key.
pub(crate) const LONGEST: usize = 10_000;
/// Bytes of answers that are sent together.
const TOGETHER: usize = 64 << 10;

pub(crate) struct LookupDesk {
    config: Arc<Config>,
    store: Arc<Store>,
    list: SuppressionReader,
    counts: AnswerCounts,
}

impl AnsweringDesk for LookupDesk {
    fn open(config: Arc<Config>) -> Result<LookupDesk> {
        config.access.get()?;
        let store = Arc::new(Store::impatient(&config.store_path()));
        let list = SuppressionReader::new(store.clone());
        Ok(LookupDesk { config, store, list, counts: AnswerCounts::new() })
    }

    fn has_lost_its_store(&self) -> bool {
        self.store.is_replaced()
    }

    fn close(&self) {
        self.counts.add_to(&self.store);
        self.store.close();
    }
}

impl LookupDesk {
    fn reply(&self, request: &[u8]) -> String {
        let request = String::from_utf8_lossy(request);
        let Some((map, key)) = request.split_once(' ') else {
            self.counts.fail(Given::MapRefused, "a look-up without a key");
            return "PERM a request is the name of a map, a blank and a key".to_owned();
        };
        match look_up(map, key, &self.config, &self.list) {
            LookedUp::Found(value) => {
                self.counts.add(Given::MapFound);
                format!("OK {}", one_line(&value))
            }
            LookedUp::NotFound => {
                self.counts.add(Given::MapNotFound);
                "NOTFOUND ".to_owned()
            }
            LookedUp::Temporary(error) => {
                self.counts.fail(Given::MapFailed, &error);
                "TEMP the store of carom cannot be read now".to_owned()
            }
            LookedUp::Permanent(why) => {
                self.counts.fail(Given::MapRefused, format_args!("the map {}: {why}", one_line(map)));
                format!("PERM {why}")
            }
        }
    }
}

impl Service for LookupDesk {
    fn serve(&self, mut connection: ClientConnection) {
        let mut incoming = Incoming::default();
        loop {
            let mut replies = Vec::new();
            let reply = |request: &[u8]| self.reply(request);
            let (used, goes_on) = netstring::answer(incoming.bytes(), LONGEST, TOGETHER, &mut replies, reply);
            if !goes_on {
                self.counts.fail(Given::MapRefused, "no netstring of a look-up; closing");
            }
            let is_full = replies.len() >= TOGETHER;
            if !replies.is_empty() && !connection.write(&replies, Deadline::after(PATIENCE)) {
                return;
            }
            incoming.consume(used);
            if !goes_on || !is_full && !incoming.read(&mut connection) {
                return;
            }
        }
    }

    fn refusal(&self) -> &'static [u8] {
        b"25:TEMP too many connections,"
    }

    fn look_around(&self) {
        self.list.look_around();
        self.counts.add_to_in_time(&self.store);
    }
}
