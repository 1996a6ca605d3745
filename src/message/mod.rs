//! Reading a message.
