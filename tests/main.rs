//! carom from the outside: the real binary among real peers. One file a theme; a test that holds a predecessor's bug off
//! begins with its number.

mod harness;

mod accounting;
mod about;
mod answers;
mod bounces;
mod complaints;
mod cron;
mod deadline;
mod diagnosis;
mod failures;
mod forgery;
mod guests;
mod guide;
mod hostile;
mod kept;
mod kinds;
mod log_failures;
mod log_faults;
mod log_forms;
mod logs;
mod lookup;
mod loops;
mod mutations;
mod notifications;
mod once;
mod outbox;
mod pipe;
mod policy;
mod postfix;
mod readme;
mod redelivery;
mod relay;
mod releases;
mod settings;
mod sink;
mod sources;
mod statistics;
mod suppression;
mod suggestions;
mod tailing;
mod tick_faults;
mod tidy;
mod undone;
mod visits;
