//! A message in the form in which it goes out.

/// A message in the form in which it goes out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotificationPayload {
    /// The headers of a POST, beside acrt's own.
    pub headers: Vec<(String, String)>,
    /// The body, or what a program reads.
    pub body: Vec<u8>,
}
