//! What is kept as long as the process lives: answers, and what was `learnt` of each registry.
//!
//! The `cache` holds what is behind digests and what tags were seen as, `flights` what is being asked for right now, and `head_trust`
//! whether a registry's answers to HEAD are of use.

pub mod cache;
pub mod flights;
pub mod head_trust;
pub mod learnt;
