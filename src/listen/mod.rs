//! Webhooks: an HTTP request as a hint of where to look. Acts on none, and asks nobody anything.
//!
//! A hint is never the truth: what a sender says moved is looked at, and only what is seen there counts. So a hint that is lost, comes
//! twice or lies costs one look at most. `docs/webhooks.md` tells how senders are set up.

mod body;
mod door;
mod hint;
mod inbox;
mod payload;
mod proof;
mod server;

pub use hint::{Change, Hint, SourceHint};
pub use inbox::{Arrivals, Counts, Inbox, Notice, Outcome};
pub use payload::{NotUnderstood, ParsedWebhook, read as read_payload};
pub use proof::{Proof, is_signed};
pub use server::{MetricsText, Pages, Server, Source, Sources};
