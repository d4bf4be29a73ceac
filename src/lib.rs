//! Rebuilds container images when what they are built from changes.
//!
//! The rooms, and whom each may name, are in `docs/architecture.md`; `tests/architecture` holds them.

pub mod builder;
pub mod cli;
pub mod compose;
pub mod dockerfile;
pub mod error;
pub mod image;
pub mod lineage;
pub mod listen;
pub mod notify;
pub mod ops;
pub mod page;
pub mod registry;
pub mod retention;
pub mod secret;
pub mod source;
pub mod steps;
pub mod store;
pub mod sys;
pub mod task;
pub mod view;
pub mod watch;

pub use error::{Error, Result};
