//! A route as data: where it is, what it needs, and the function that answers.
//!
//! Invariant: a function gets only the parameters that its route names.

use super::caller::Caller;
use super::http_answer::HttpAnswer;
use super::http_query::HttpQuery;
use super::problem::Problem;
use super::serve_desk::ServeDesk;
use super::view::View;
use crate::listen::Peer;
use axum::http::HeaderMap;

/// What a caller needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: it says nothing about mail.
    Nothing,
    /// To see some mail: the view holds that mail only.
    SomeMail,
    /// To see all mail.
    AllMail,
    /// To act.
    Act,
}

/// The request that a function answers.
pub(crate) struct HttpAsked<'a> {
    pub(crate) desk: &'a ServeDesk,
    pub(crate) caller: &'a Caller,
    pub(crate) view: &'a View<'a>,
    pub(crate) query: &'a HttpQuery,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    /// From where it comes.
    pub(crate) peer: Peer,
    /// Through TLS.
    pub(crate) is_secured: bool,
    /// The variable parts of the path, decoded, in order.
    pub(crate) parts: &'a [String],
}

impl HttpAsked<'_> {
    /// A variable part of the path.
    pub(crate) fn part(&self, number: usize) -> &str {
        self.parts.get(number).map_or("", String::as_str)
    }
}

pub(crate) type Answers = fn(&HttpAsked<'_>) -> Result<HttpAnswer, Problem>;

#[derive(Clone, Copy)]
pub(crate) struct HttpRoute {
    /// With `{name}` for a variable part.
    pub(crate) path: &'static str,
    pub(crate) need: Need,
    /// The parameters of its own that it knows.
    own: &'static [&'static str],
    /// Those that other routes have too.
    shared: &'static [&'static str],
    pub(crate) answers: Answers,
    pub(crate) face: Face,
}

/// What reads the answers of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    Program,
    /// A client of Postfix-Deliverability-Analytics.
    Agent,
    /// A person, in a browser.
    Person,
    /// The same, who sends a form.
    Form,
}

impl HttpRoute {
    /// A route that is read. What needs to act is a POST.
    pub(crate) const fn new(
        path: &'static str,
        need: Need,
        parameters: &'static [&'static str],
        answers: Answers,
    ) -> HttpRoute {
        HttpRoute { path, need, own: parameters, shared: &[], answers, face: Face::Program }
    }

    /// The same route, with parameters that other routes have too.
    pub(crate) const fn with(self, shared: &'static [&'static str]) -> HttpRoute {
        HttpRoute { shared, ..self }
    }

    /// The parameters that it knows.
    pub(crate) fn parameters(&self) -> Vec<&'static str> {
        [self.shared, self.own].concat()
    }

    /// The same route, for people.
    pub(crate) const fn for_people(self, face: Face) -> HttpRoute {
        HttpRoute { face, ..self }
    }

    /// The same route, for clients of Postfix-Deliverability-Analytics.
    pub(crate) const fn for_agents(self) -> HttpRoute {
        HttpRoute { face: Face::Agent, ..self }
    }

    /// Whether it takes a body.
    pub(crate) fn is_post(&self) -> bool {
        self.acts() || self.face == Face::Form
    }

    /// Whether it changes something: then it is a POST.
    pub(crate) fn acts(&self) -> bool {
        self.need == Need::Act
    }
}
