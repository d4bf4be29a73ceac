//! Which images the target of a Dockerfile depends on, as BuildKit reads it, and the copy pinned to their digests.
//!
//! Bytes in, values out: nothing here reads a file or asks a registry. Only what decides which images are named is
//! checked; all else is the builder's to judge. A file that asks for another frontend than Docker's is read as far as it
//! can be, and what remains is told as [`Unread`]. The way of a file through this room:
//!
//! | step | from | to | by |
//! |---|---|---|---|
//! | lines | bytes | logical lines, each byte with its place | `text`, `lines`, `directive` |
//! | words | a line | keyword, flags, arguments, heredocs | `words`, `form`, `heredoc` |
//! | meaning | words | instructions, as far as they name images | `instruction`, `mount`, `frontend` |
//! | stages | instructions | stages | `canonical` |
//! | graph | stages and a build | what each stage needs | `graph`, `reach`, `scope`, `expand`, `substitution`, `pattern`, `platform`, `context` |
//! | answer | the graphs of all platforms | [`BaseImage`]s, the pinned copy | `bases`, `pin` |

mod bases;
mod build;
mod context;
mod directive;
mod expand;
mod file;
mod frontend;
mod graph;
mod heredoc;
mod instruction;
mod lines;
mod mount;
mod parsed_line;
mod pattern;
mod pin;
mod problem;
mod reach;
mod scope;
mod stages;
mod substitution;
mod text;
mod tokenize;

pub use bases::{BaseImage, BaseKind, Pinning, Unpinnable, Unread};
pub use build::Build;
pub use file::Dockerfile;
pub use problem::{DockerfileError, DockerfileErrorKind};
pub use text::Place;
