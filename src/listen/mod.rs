//! The HTTP server for webhooks, which become hints of where to look, and for the status page, whose content is made elsewhere. It neither
//! acts on hints nor sends requests.
//!
//! A hint is never believed: the tag that it names is looked at, and only the answer of its registry counts. So a hint that is lost,
//! repeated or false costs one look at most. `docs/webhooks.md` describes the setup of senders.

mod access;
mod body;
mod connection_limiter;
mod hint;
mod inbox;
mod page;
mod payload;
mod proof;
mod server;

pub use access::Access;
pub use hint::{Change, Hint, SourceHint};
pub use inbox::{Counts, Inbox, InboxContents, Outcome, UselessRequest};
pub use page::{PageBody, PageRequest, PageResponse, PageSource, PageStream};
pub use payload::{NotUnderstood, ParsedWebhook, read as read_payload};
pub use proof::{Proof, is_signed};
pub use server::{MetricsText, Pages, Server, Source, Sources, check_names};
