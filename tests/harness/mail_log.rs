//! A Postfix log of the last hours that the tick reads, and the application that it notifies.

/// A log of some days with many deliveries.
pub(crate) mod busy_log;

use super::Sandbox;
use super::application::Application;

/// A sandbox with the log `mail.log`, these settings of the bounce policy, and the application if
/// there is one.
pub(crate) fn sandbox(application: Option<&Application>, settings: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let notify = application.map_or(String::new(), |application| {
        let port = application.port;
        format!("[[notify]]\nsender_domain = \"*\"\nurl = \"http://127.0.0.1:{port}/bounces/{{address}}\"\n")
    });
    let log = sandbox.path("mail.log");
    let config = format!(
        "[[logs]]\nkind = \"postfix\"\npath = \"{}\"\ntimezone = \"UTC\"\n{notify}[policy.bounce.settings]\n{settings}\n",
        log.display()
    );
    sandbox.config(&config)
}

/// Lines of 1 March 2026, 9:00:07, as if they were written `minutes` ago.
pub(crate) fn ago(minutes: i64, text: &str) -> String {
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(minutes);
    text.replace("2026-03-01T09:00:07", &at.strftime("%Y-%m-%dT%H:%M:%S").to_string())
}
