//! Build contexts: where the files of a build come from. Knows nothing of what is built from them.

pub mod archive;
pub mod bounds;
pub mod git;
pub mod local;
pub mod tarball;
mod times;
mod tree;
pub mod vcs;
