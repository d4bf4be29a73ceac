//! Which images the target of a Dockerfile stands on, as BuildKit reads it, and the copy pinned to their digests.
//!
//! Bytes in, values out: nothing here reads a file or asks a registry. The way of a file through this room:
//!
//! | step | from | to | by |
//! |---|---|---|---|
//! | lines | bytes | logical lines, each byte with its place | `text`, `lines`, `directive` |
//! | words | a line | keyword, flags, arguments, heredocs | `words`, `form`, `heredoc` |
//! | meaning | words | instructions, checked | `instruction`, `flags`, `mount`, `duration`, `late` |
//! | stages | instructions | stages | `canonical` |
//! | graph | stages and a build | what each stage needs | `graph`, `reach`, `scope`, `expand`, `substitution`, `pattern`, `platform`, `context` |
//! | answer | the graphs of all platforms | [`BaseImage`]s, the pinned copy | `bases`, `pin` |

mod bases;
mod canonical;
mod context;
mod directive;
mod duration;
mod expand;
mod file;
mod flags;
mod form;
mod graph;
mod heredoc;
mod instruction;
mod late;
mod lines;
mod mount;
mod pattern;
mod pin;
mod problem;
mod reach;
mod scope;
mod substitution;
mod text;
mod words;

pub use bases::{BaseImage, BaseKind, Build, Pinning, Unpinnable};
pub use file::Dockerfile;
pub use problem::{DockerfileError, DockerfileErrorKind};
pub use text::Place;
