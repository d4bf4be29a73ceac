//! A notification as it is sent.

use crate::secret::Secret;

/// A notification as it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotificationPayload {
    /// The headers of the POST, besides acrt's own.
    pub headers: Vec<(String, String)>,
    /// The body of the POST, or the standard input of a program.
    pub body: Vec<u8>,
    /// The secrets in it, which the receiver may repeat in its response.
    pub secrets: Vec<Secret>,
}
