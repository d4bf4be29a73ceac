//! Why a message was not delivered.

/// Why a message was not delivered, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryError {
    /// A later try may succeed.
    Failed(String),
    /// The server refuses this message, and would refuse it again.
    Refused(String),
    /// acrt is to stop.
    Stopped,
}
