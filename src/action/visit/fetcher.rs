//! Fetching one URL, unless its host was not reached before.
//!
//! Not here: the request (`doors::http`).

use super::Errand;
use crate::action::doors::Doors;
use crate::action::doors::http::{Answered, Missed};
use crate::auth::ONE_CLICK;
use crate::deadline::Deadline;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use url::Url;

pub(super) struct Fetcher<'a> {
    pub(super) doors: &'a Doors,
    user_agent: &'a str,
    pub(super) errand: Errand,
    /// Origins that were not reached, and why. Their other links are not waited for.
    dead: Mutex<HashMap<String, String>>,
}

impl<'a> Fetcher<'a> {
    pub(super) fn new(doors: &'a Doors, user_agent: &'a str, errand: Errand) -> Fetcher<'a> {
        Fetcher { doors, user_agent, errand, dead: Mutex::default() }
    }

    /// Fetches a page.
    pub(super) fn get(&self, url: &Url, deadline: Deadline) -> Result<Answered, String> {
        self.unless_dead(url, || self.doors.http.get(url.as_str(), self.user_agent, deadline))
    }

    /// Does what the links are fetched for.
    pub(super) fn go(&self, url: &Url, deadline: Deadline) -> Result<Answered, String> {
        match self.errand {
            Errand::Open | Errand::Click => self.get(url, deadline),
            Errand::OneClick => {
                let form = [("Content-Type", "application/x-www-form-urlencoded".to_owned())];
                let post = || self.doors.http.post(url.as_str(), &form, ONE_CLICK.as_bytes(), deadline);
                self.unless_dead(url, post)
            }
        }
    }

    fn unless_dead(
        &self,
        url: &Url,
        request: impl FnOnce() -> Result<Answered, Missed>,
    ) -> Result<Answered, String> {
        let origin = url.origin().ascii_serialization();
        if let Some(why) = self.dead.lock().unwrap_or_else(PoisonError::into_inner).get(&origin) {
            return Err(why.clone());
        }
        let answered = request();
        answered.map_err(|missed| {
            if missed.unreachable {
                let mut dead = self.dead.lock().unwrap_or_else(PoisonError::into_inner);
                dead.insert(origin, missed.text.clone());
            }
            missed.text
        })
    }
}
