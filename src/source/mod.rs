//! Build contexts: fetches the files of a build. Knows nothing of the image that is built.

pub mod archive;
pub mod bounds;
pub mod git;
pub mod left_out;
pub mod local;
pub mod tarball;
mod times;
mod tree;
