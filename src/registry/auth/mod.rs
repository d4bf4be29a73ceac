//! How a registry is entered: what it demands, and the token or login that answers it.
//!
//! `flow` knows what one registry wants. It gets a `request`, not its sender, reads the `challenge` of a 401, and has a
//! `token` granted: one for each repository, or one for each of the `groups`.

pub mod challenge;
pub mod flow;
pub mod groups;
pub mod request;
pub mod token;
