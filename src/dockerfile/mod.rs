//! Finds the images that the target of a Dockerfile depends on, as BuildKit does, and pins the file to their digests.
//!
//! Pure functions: nothing here reads a file or asks a registry. Only what decides which images are named is checked;
//! the builder checks the rest. A file that asks for a frontend other than Docker's is read as far as possible, and the
//! rest is returned as [`UnreadPart`]. The steps:
//!
//! | step | from | to | by |
//! |---|---|---|---|
//! | lines | bytes | logical lines, each byte with its place | `text`, `lines`, `directive` |
//! | words | a line | keyword, flags, arguments, heredocs | `tokenize`, `parsed_line`, `heredoc` |
//! | meaning | words | instructions, as far as they name images | `instruction`, `mount`, `frontend` |
//! | stages | instructions | stages | `stages` |
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

pub use bases::{BaseImage, BaseKind, Pinning, Unpinnable, UnreadPart};
pub use build::Build;
pub use file::Dockerfile;
pub use problem::{DockerfileError, DockerfileErrorKind};
