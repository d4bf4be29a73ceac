//! Webhooks: an HTTP request as a hint of where to look. Acts on none, and asks nothing. Beside them, on the same server, the page
//! that people see; what it shows is handed in.
//!
//! A hint is never the truth: what a sender says moved is looked at, and only what is seen there counts. So a hint that is lost, comes
//! twice or lies costs one look at most. `docs/webhooks.md` tells how senders are set up.

mod access;
mod body;
mod door;
mod hint;
mod inbox;
mod page;
mod payload;
mod proof;
mod server;

pub use access::Access;
pub use hint::{Change, Hint, SourceHint};
pub use inbox::{Arrivals, Counts, Inbox, Notice, Outcome};
pub use page::{PageBody, PageRequest, PageResponse, PageSource, PageStream};
pub use payload::{NotUnderstood, ParsedWebhook, read as read_payload};
pub use proof::{Proof, is_signed};
pub use server::{MetricsText, Pages, Server, Source, Sources};
