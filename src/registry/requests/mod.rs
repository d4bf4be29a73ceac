//! One question to a registry, from the first try to the last.
//!
//! Questions go to a `host`. From above to below: `ask` tries until there is an answer, an `attempt` is one such try, with
//! challenge, tokens and redirects, `grant` has tokens granted at its `destination`, and `outcome` judges what came of a try.

pub mod ask;
pub mod attempt;
pub mod destination;
pub mod grant;
pub mod host;
pub mod outcome;
