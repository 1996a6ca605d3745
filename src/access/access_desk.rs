//! Policy delegation: each request of a connection is answered, in order. Requests that come
//! together are looked up together.
//!
//! The policy is asked first if it exports `reception`; what it leaves to carom, and everything if
//! it does not, is answered by `[access]` for suppressed recipients. Not here: the form of requests
//! and answers. Invariant: each request gets one answer; when something fails, it is what carom
//! would have said without that part, and DUNNO in the end.

use super::access_answer::AccessAnswer;
use super::answer_counts::{AnswerCounts, Given};
use super::answering_desk::AnsweringDesk;
use super::asked_address::{domain_of, listed};
use super::incoming::{Incoming, PATIENCE};
use super::policy_request::{self, PolicyRequest, RequestsRead};
use super::receiving_policy::ReceivingPolicy;
use crate::clock;
use crate::config::{AccessRules, Config};
use crate::deadline::Deadline;
use crate::error::Result;
use crate::listen::{ClientConnection, Service};
use crate::policy::session_facts::Stage;
use crate::store::{Store, SuppressionReader};
use std::sync::Arc;

/// Requests that are looked up together at most.
const TOGETHER: usize = 128;

pub(crate) struct AccessDesk {
    rules: AccessRules,
    policy: ReceivingPolicy,
    store: Arc<Store>,
    list: SuppressionReader,
    counts: AnswerCounts,
}

/// A request without an answer, and which of the look-ups is about it.
struct LookedUp {
    number: usize,
    stage: Stage,
}

impl AnsweringDesk for AccessDesk {
    fn open(config: Arc<Config>) -> Result<AccessDesk> {
        let rules = config.access.get()?.clone();
        let store = Arc::new(Store::impatient(&config.store_path()));
        Ok(AccessDesk {
            rules,
            policy: ReceivingPolicy::open(config, store.clone())?,
            list: SuppressionReader::new(store.clone()),
            store,
            counts: AnswerCounts::new(),
        })
    }

    fn has_lost_its_store(&self) -> bool {
        self.store.is_replaced()
    }

    fn close(&self) {
        self.counts.add_to(&self.store);
        self.store.close();
    }
}

impl AccessDesk {
    /// The answers to these requests, in order.
    fn answers(&self, requests: &[PolicyRequest<'_>]) -> Vec<AccessAnswer> {
        let policy = self.policy.asked();
        let mut answers: Vec<Option<AccessAnswer>> = Vec::with_capacity(requests.len());
        let (mut looked_up, mut asked) = (Vec::new(), Vec::new());
        for (number, request) in requests.iter().enumerate() {
            if !request.is_access() {
                self.counts.fail(Given::Malformed, "a policy request that is not smtpd_access_policy");
                answers.push(Some(AccessAnswer::dunno()));
                continue;
            }
            let answered = policy.as_ref().and_then(|policy| match self.policy.answer(policy, request) {
                Ok(answer) => AccessAnswer::of_policy(answer),
                Err(failure) => {
                    self.counts.fail(Given::Failed, failure);
                    None
                }
            });
            if answered.is_none()
                && let Some(pair) = about_recipient(request)
            {
                looked_up.push(LookedUp { number, stage: request.stage() });
                asked.push(pair);
            }
            answers.push(answered);
        }
        self.look_up(&looked_up, asked, &mut answers);
        let answers: Vec<AccessAnswer> =
            answers.into_iter().map(|answer| answer.unwrap_or_else(AccessAnswer::dunno)).collect();
        answers.iter().for_each(|answer| self.counts.add(answer.given));
        answers
    }

    /// Answers the requests that `asked` is about: recipients, and the domains of return paths.
    fn look_up(
        &self,
        looked_up: &[LookedUp],
        asked: Vec<(String, String)>,
        answers: &mut [Option<AccessAnswer>],
    ) {
        let mut mails = Vec::with_capacity(asked.len());
        let of_senders = asked.into_iter().map(|(address, domain)| {
            let (sender_domain, mail) = self.rules.of(&domain);
            mails.push(mail);
            (address, sender_domain)
        });
        let asked: Vec<(String, String)> = of_senders.collect();
        match self.list.first_of_each(&asked, clock::now_ms()) {
            Ok(found) => {
                for ((LookedUp { number, stage }, mail), entry) in looked_up.iter().zip(mails).zip(found) {
                    answers[*number] =
                        entry.map(|entry| AccessAnswer::of_suppressed(mail, entry.given_reason(), *stage));
                }
            }
            Err(error) => looked_up.iter().for_each(|_| self.counts.fail(Given::Failed, &error)),
        }
    }
}

/// The recipient and the domain of the return path; `None`: there is nothing to look up.
fn about_recipient(request: &PolicyRequest<'_>) -> Option<(String, String)> {
    let has_recipient =
        matches!(request.stage(), Stage::Rcpt | Stage::Data | Stage::EndOfMessage | Stage::Vrfy);
    let recipient = has_recipient.then(|| request.recipient()).filter(|recipient| !recipient.is_empty())?;
    Some((listed(&recipient)?, domain_of(&request.sender())))
}

impl Service for AccessDesk {
    fn serve(&self, mut connection: ClientConnection) {
        let mut incoming = Incoming::default();
        loop {
            let RequestsRead { requests, used, malformed } = policy_request::read(incoming.bytes(), TOGETHER);
            let mut answers = Vec::new();
            self.answers(&requests).iter().for_each(|answer| answer.write(&mut answers));
            if let Some(what) = malformed {
                self.counts.fail(Given::Malformed, format_args!("no policy request: {what}; closing"));
                AccessAnswer::dunno().write(&mut answers);
            }
            let is_full = requests.len() == TOGETHER;
            if !answers.is_empty() && !connection.write(&answers, Deadline::after(PATIENCE)) {
                return;
            }
            incoming.consume(used);
            if malformed.is_some() || !is_full && !incoming.read(&mut connection) {
                return;
            }
        }
    }

    fn refusal(&self) -> &'static [u8] {
        b"action=DUNNO\n\n"
    }

    fn look_around(&self) {
        self.policy.refresh();
        self.list.look_around();
        self.counts.add_to_in_time(&self.store);
    }
}
