//! Fetching one URL, unless its host was not reached before.
//!
//! Not here: the request (`doors::http`).

use crate::action::doors::Doors;
use crate::action::doors::http::Answered;
use crate::deadline::Deadline;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use url::Url;

pub(super) struct Fetcher<'a> {
    pub(super) doors: &'a Doors,
    user_agent: &'a str,
    /// Origins that were not reached, and why. Their other links are not waited for.
    dead: Mutex<HashMap<String, String>>,
}

impl<'a> Fetcher<'a> {
    pub(super) fn new(doors: &'a Doors, user_agent: &'a str) -> Fetcher<'a> {
        Fetcher { doors, user_agent, dead: Mutex::default() }
    }

    pub(super) fn get(&self, url: &Url, deadline: Deadline) -> Result<Answered, String> {
        let origin = url.origin().ascii_serialization();
        if let Some(why) = self.dead.lock().unwrap_or_else(PoisonError::into_inner).get(&origin) {
            return Err(why.clone());
        }
        self.doors.http.get(url.as_str(), self.user_agent, deadline).map_err(|missed| {
            if missed.unreachable {
                let mut dead = self.dead.lock().unwrap_or_else(PoisonError::into_inner);
                dead.insert(origin, missed.text.clone());
            }
            missed.text
        })
    }
}
