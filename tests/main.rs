//! carom from the outside: the real binary among real peers. One file a theme; a test that holds a predecessor's bug off
//! begins with its number.

mod harness;

mod answers;
mod bounces;
mod guests;
mod guide;
mod hostile;
mod logs;
mod tailing;
mod pipe;
mod policy;
mod postfix;
mod relay;
mod releases;
mod sink;
mod tidy;
mod visits;
