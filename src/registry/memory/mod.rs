//! What is kept as long as the process lives: answers, and what was `learnt` of each registry.
//!
//! The `cache` holds documents by digest and looks at tags, `in_flight` the requests in progress, and `head_trust` whether a registry's HEAD
//! responses are reliable.

pub mod cache;
pub mod head_trust;
pub mod in_flight;
pub mod learnt;
