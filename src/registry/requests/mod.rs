//! One request to a registry, from the first try to the last.
//!
//! Requests go to a `host`. From the top down: `ask` retries until there is a response, an `attempt` is one try with challenge, tokens and
//! redirects, `grant` requests tokens for its `destination`, and `outcome` judges the result of a try.

pub mod ask;
pub mod attempt;
pub mod destination;
pub mod grant;
pub mod host;
pub mod outcome;
