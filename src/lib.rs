//! Rebuilds container images when the images or files that they are built from change.
//!
//! The modules of the crate, and which may use which, are in `docs/architecture.md`; `tests/architecture` checks that.

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
