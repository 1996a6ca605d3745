//! The names under which lists of suppressions have their values, in any spelling.
//!
//! Not here: what the values mean (`provider_entry`). Invariant: names are compared without case,
//! blanks and punctuation: `E-Mail Address` is `emailaddress`.

/// Where the address is, the surest name first: with `Email Address` beside it, `Address` is a
/// street.
pub(crate) const ADDRESS: &[&str] = &[
    "emailaddress",
    "email",
    "recipientemail",
    "recipientaddress",
    "recipientemailaddress",
    "recipient",
    "rcpt",
    "rcptto",
    "finalrecipient",
    "subscriberemail",
    "subscriberemailaddress",
    "subscriber",
    "contactemail",
    "useremail",
    "customeremail",
    "emailid",
    "emailaddr",
    "mailaddress",
    "mailbox",
    "emailadresse",
    "adresseemail",
    "adressemail",
    "adressedemessagerie",
    "emailadres",
    "correoelectrónico",
    "correoelectronico",
    "direccióndecorreo",
    "indirizzoemail",
    "adresemail",
    "endereçodeemail",
    "epost",
    "epostadresse",
    "epostadress",
    "eposta",
    "メールアドレス",
    "邮箱",
    "электроннаяпочта",
    "mail",
    "address",
];
/// When it was suppressed.
pub(crate) const ADDED: &[&str] = &[
    "added",
    "addedms",
    "created",
    "createdat",
    "createdtime",
    "creationdate",
    "datecreated",
    "dateadded",
    "addedat",
    "suppressedat",
    "lastupdatetime",
    "bouncedat",
    "bouncedate",
    "cleantime",
    "unsubtime",
    "unsubscribedat",
    "timelogged",
    "timestamp",
    "eventtime",
    "eventdate",
    "updatedat",
    "changedat",
    "updated",
    "time",
    "date",
];
/// What the receiving server or the provider said.
pub(crate) const TEXT: &[&str] = &[
    "reason",
    "suppressionreason",
    "diagnosticcode",
    "dsndiag",
    "rawreason",
    "smtpresponse",
    "response",
    "error",
    "description",
    "details",
    "detail",
    "message",
    "diagnostic",
];
/// Enhanced status codes, or reply codes.
pub(crate) const STATUS: &[&str] = &["status", "dsnstatus", "enhancedstatus", "smtpstatus"];
pub(crate) const CODE: &[&str] = &["code", "errorcode", "smtpcode", "replycode"];

/// Names of JSON arrays whose texts are addresses.
pub(crate) const LISTS: &[&str] = &[
    "",
    "addresses",
    "emails",
    "emailaddresses",
    "recipientemails",
    "recipients",
    "suppressions",
    "suppressed",
    "unsubscribes",
    "bounces",
    "items",
    "results",
    "data",
];

/// A name without case, blanks and punctuation.
pub(crate) fn normal(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
