//! Authentication: what a registry demands, and the token or credential that answers it.
//!
//! `flow` knows what one registry demands. It sees a `request` without how that is sent, parses the `challenge` of a 401, and requests a
//! `token`: one for each repository, or one for each of the `groups`.

pub mod challenge;
pub mod flow;
pub mod groups;
pub mod request;
pub mod token;
