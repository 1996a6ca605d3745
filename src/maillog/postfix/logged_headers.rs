//! The headers that header_checks logs for carom's sake: one names the client, others the campaign.
//!
//! Not here: the line that logs a header (`early_decision`). Invariant: case does not matter.

pub(crate) struct LoggedHeaders {
    client: Box<[u8]>,
    campaign: Vec<Box<[u8]>>,
}

impl LoggedHeaders {
    pub(crate) fn new(client: &str, campaign: &[String]) -> LoggedHeaders {
        let name = |header: &str| header.trim_end_matches(':').as_bytes().into();
        LoggedHeaders { client: name(client), campaign: campaign.iter().map(|header| name(header)).collect() }
    }

    pub(crate) fn is_client(&self, name: &[u8]) -> bool {
        name.eq_ignore_ascii_case(&self.client)
    }

    pub(crate) fn is_campaign(&self, name: &[u8]) -> bool {
        self.campaign.iter().any(|header| name.eq_ignore_ascii_case(header))
    }
}
