//! Connections on which no answer is endless: a server that is read to the end of a body may add
//! trailers, interim answers or empty lines for ever.
//!
//! Not here: how much of a body is of use (`http`). Invariant: what is counted is what comes over
//! the connection, so that no form of an answer is free.

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// Bounds each answer to this many bytes on the connection.
#[derive(Debug)]
pub(super) struct BoundedAnswers(pub(super) u64);

/// A connection, and what has come since the last request.
#[derive(Debug)]
pub(super) struct BoundedConnection<T> {
    inner: T,
    most: u64,
    came: u64,
}

impl<T: Transport> Connector<T> for BoundedAnswers {
    type Out = BoundedConnection<T>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<T>) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|inner| BoundedConnection { inner, most: self.0, came: 0 }))
    }
}

impl<T: Transport> Transport for BoundedConnection<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.came = 0;
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let before = self.inner.buffers().input().len();
        let is_progress = self.inner.await_input(timeout)?;
        let after = self.inner.buffers().input().len();
        self.came = self.came.saturating_add(after.saturating_sub(before) as u64);
        if self.came > self.most {
            return Err(Error::Io(std::io::Error::other("the answer is longer than it may be")));
        }
        Ok(is_progress)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
