//! The imports of a policy that answer questions about an SMTP session.
//!
//! Not here: what is known of it (`session_facts`). Invariant: outside of a session there is no
//! answer.

use super::bindings::receiving::carom::policy::session;
use super::host::Host;
use super::session_facts::Stage;

impl Host {
    fn attribute_of_session(&mut self, question: &'static str, name: &str) -> Option<String> {
        self.ask(question, |facts| facts.session()?.attribute(name))
    }
}

impl session::Host for Host {
    fn current_stage(&mut self) -> session::Stage {
        self.ask("current-stage", |facts| {
            match facts.session().map_or(Stage::Other, |session| session.stage) {
                Stage::Connect => session::Stage::Connect,
                Stage::Helo => session::Stage::Helo,
                Stage::Mail => session::Stage::Mail,
                Stage::Rcpt => session::Stage::Rcpt,
                Stage::Data => session::Stage::Data,
                Stage::EndOfMessage => session::Stage::EndOfMessage,
                Stage::Vrfy => session::Stage::Vrfy,
                Stage::Etrn => session::Stage::Etrn,
                Stage::Other => session::Stage::Other,
            }
        })
    }

    fn client_name(&mut self) -> Option<String> {
        // Postfix's word for a client without a verified name.
        self.attribute_of_session("client-name", "client_name").filter(|name| name != "unknown")
    }

    fn declared_size(&mut self) -> Option<u64> {
        let size = self.attribute_of_session("declared-size", "size")?;
        size.parse().ok().filter(|size| *size > 0)
    }

    fn user_name(&mut self) -> Option<String> {
        self.attribute_of_session("user-name", "sasl_username")
    }

    fn encryption(&mut self) -> Option<String> {
        self.attribute_of_session("encryption", "encryption_protocol")
    }

    fn instance(&mut self) -> Option<String> {
        self.attribute_of_session("instance", "instance")
    }

    fn attribute(&mut self, name: String) -> Option<String> {
        self.attribute_of_session("attribute", &name)
    }
}
