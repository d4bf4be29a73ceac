//! Rewrites the command line as az does before it parses options: `acr` before the command, and `@FILE` in place of a
//! value.

use std::{ffi::OsString, fs::File, io::Read as _, path::Path};

/// The largest file that `@FILE` reads, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Returns the command line with `acr` removed and `@FILE` replaced.
pub fn meant(mut args: Vec<OsString>) -> Vec<OsString> {
    // For users with `alias az=acrt`, or with az's habits.
    let is = |n: usize, word: &str| args.get(n).is_some_and(|it| it == word);
    match (is(1, "acr"), is(1, "az") && is(2, "acr")) {
        (true, _) => drop(args.remove(1)),
        (_, true) => drop(args.drain(1..3)),
        _ => {}
    }
    args.into_iter().map(with_file).collect()
}

/// Returns the content of a file where a word, or the part behind its first `=`, is `@` and the file's path; else the word
/// unchanged.
fn with_file(word: OsString) -> OsString {
    let Some(text) = word.to_str() else {
        return word;
    };
    let (before, value) = match text.split_once('=') {
        Some((_, value)) => (&text[..text.len() - value.len()], value),
        None => ("", text),
    };
    let content = value.strip_prefix('@').and_then(content_of);
    content.map_or_else(
        || word.clone(),
        |content| format!("{before}{content}").into(),
    )
}

/// Returns the text of a regular file without trailing line breaks; `-` is standard input.
fn content_of(path: &str) -> Option<String> {
    let mut text = String::new();
    if path == "-" {
        std::io::stdin()
            .take(MAX_FILE)
            .read_to_string(&mut text)
            .ok()?;
    } else {
        // Opening a pipe would block.
        let is_file = Path::new(path).metadata().is_ok_and(|it| it.is_file());
        let file = is_file.then(|| File::open(path).ok())??;
        file.take(MAX_FILE).read_to_string(&mut text).ok()?;
    }
    Some(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant_of(line: &str) -> String {
        let words = meant(line.split(' ').map(OsString::from).collect());
        let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
        words.join("|")
    }

    #[test]
    fn az_and_acr_words_are_accepted_before_a_command_only() {
        assert_eq!(meant_of("acrt acr task list"), "acrt|task|list");
        assert_eq!(meant_of("acrt az acr build ."), "acrt|build|.");
        assert_eq!(meant_of("acrt acr acr x"), "acrt|acr|x");
        assert_eq!(meant_of("acrt build acr"), "acrt|build|acr");
        assert_eq!(meant_of("acrt az login"), "acrt|az|login");
    }

    #[test]
    fn argument_at_file_is_replaced_by_the_text_of_an_existing_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, "two\nlines\n\n").unwrap();
        let path = path.display();
        assert_eq!(
            meant_of(&format!("acrt --cmd @{path}")),
            "acrt|--cmd|two\nlines"
        );
        assert_eq!(
            meant_of(&format!("acrt --cmd=@{path}")),
            "acrt|--cmd=two\nlines"
        );
        assert_eq!(meant_of(&format!("acrt A=@{path}")), "acrt|A=two\nlines");
        for word in [
            "@nowhere",
            "PKG=@acme/nowhere",
            "a@b",
            "@",
            "x=",
            "web@sha256:1",
            "A=B=@x",
        ] {
            assert_eq!(meant_of(&format!("acrt {word}")), format!("acrt|{word}"));
        }
        let folder = folder.path().display();
        assert_eq!(
            meant_of(&format!("acrt @{folder}")),
            format!("acrt|@{folder}")
        );
    }
}
