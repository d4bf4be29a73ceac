//! What registries hold, as they answer with it: pure, headers and bytes in, meaning out.
//!
//! `head` reads what the headers of an answer say, `body` what its bytes are: a `manifest` or an index of such. `index` chooses from
//! an index, and `kinds` tells images from what else lies in registries.

pub mod body;
pub mod head;
pub mod index;
pub mod kinds;
pub mod manifest;
