//! What answers a mail server, whatever is asked.
//!
//! Not here: the answers (`access_desk`, `lookup_desk`).

use crate::config::Config;
use crate::error::Result;
use crate::listen::Service;
use std::sync::Arc;

pub(crate) trait AnsweringDesk: Service + Send + Sized {
    fn open(config: Arc<Config>) -> Result<Self>;

    /// Whether another file has taken the place of its store.
    fn has_lost_its_store(&self) -> bool;

    /// Counts what was answered since.
    fn close(&self);
}
