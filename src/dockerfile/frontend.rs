//! The frontend that a file asks for with `# syntax=`: an image that reads the file in place of the builder.
//!
//! The rules are those of BuildKit's `DetectSyntax` in `parser/directives.go`.

use serde::Deserialize;

use super::{
    directive::directive,
    text::{self, LogicalLine, SourceToken},
};
use crate::image::{Reference, reference::DOCKER_HUB};

/// Finds the image of the frontend that a file asks for, as written.
///
/// The frontend is named by `# syntax=`, by `// syntax=` as other languages write comments, or by the key `syntax` of a
/// file that is a JSON object. Unlike other directives, `syntax` is also found behind a `#!` line, and not behind
/// leading blanks.
pub(super) fn of_file(file: &str) -> Option<SourceToken> {
    let mut rest = file.get(text::start(file)..).unwrap_or(file);
    if rest.starts_with("#!") {
        rest = rest.split_once('\n')?.1;
    }
    let image = in_comments(rest, "#")
        .or_else(|| in_comments(rest, "//"))
        .or_else(|| in_object(rest))?;
    let start = image.as_ptr() as usize - file.as_ptr() as usize;
    Some(LogicalLine::new(image, start).token(0..image.len()))
}

/// Finds the directive in the first lines. The text after the first space is an argument of the frontend.
fn in_comments<'f>(file: &'f str, comment: &str) -> Option<&'f str> {
    let mut rest = file;
    let mut seen = Vec::new();
    loop {
        let line = rest.split('\n').next()?;
        let (name, value) = directive(line.strip_suffix('\r').unwrap_or(line), comment)?;
        if name == "syntax" {
            return value.split(' ').next().filter(|image| !image.is_empty());
        }
        // Older builders end the directives with `check`.
        if seen.contains(&name) || name == "check" {
            return None;
        }
        seen.push(name);
        rest = rest.get(line.len() + 1..)?;
    }
}

fn in_object(file: &str) -> Option<&str> {
    #[derive(Deserialize)]
    struct Object<'f> {
        #[serde(borrow)]
        syntax: &'f str,
    }
    if !file.trim_start().starts_with('{') {
        return None;
    }
    let object: Object<'_> = serde_json::from_str(file).ok()?;
    Some(object.syntax).filter(|image| !image.is_empty())
}

/// Tells whether an image is Docker's own frontend, which reads files as this parser does: `docker/dockerfile`, or one
/// published beside it, such as `docker/dockerfile-upstream`.
pub(super) fn is_dockers(image: &str) -> bool {
    let Ok(image) = image.parse::<Reference>() else {
        return false;
    };
    let name = image.repository().strip_prefix("docker/dockerfile");
    image.registry() == DOCKER_HUB
        && name.is_some_and(|behind| behind.is_empty() || behind.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(file: &str) -> Option<(String, usize)> {
        of_file(file).map(|token| (token.text, token.place.start()))
    }

    #[test]
    fn frontend_is_read_from_the_syntax_directive() {
        assert_eq!(found("# syntax=a/b:1\nFROM x"), Some(("a/b:1".into(), 9)));
        assert_eq!(
            found("\u{feff}#SYNTAX = a/b:1 more \r\nFROM x"),
            Some(("a/b:1".into(), 13))
        );
        assert_eq!(found("# escape=`\n# syntax=a\n"), Some(("a".into(), 20)));
        assert_eq!(
            found("#!/usr/bin/env x\n# syntax=a\n"),
            Some(("a".into(), 26))
        );
        assert_eq!(found("# syntax=s"), Some(("s".into(), 9)));
    }

    #[test]
    fn frontend_is_read_from_comments_of_other_languages() {
        assert_eq!(
            found("// syntax=a/b:1 x\nlet y"),
            Some(("a/b:1".into(), 10))
        );
        assert_eq!(found("#!/bin/x\n//syntax=a\n"), Some(("a".into(), 18)));
        assert_eq!(
            found("{\"x\": {\"syntax\": \"b\"},\n \"syntax\": \"a/b:1\"}\n"),
            Some(("a/b:1".into(), 35))
        );
    }

    #[test]
    fn dockerfile_without_the_directive_has_no_frontend() {
        for file in [
            "",
            "FROM a",
            "\n# syntax=a",
            "# x\n# syntax=a",
            "  # syntax=a",
            "# syntax=",
            "#!",
            "# escape=`",
            "/ syntax=a",
            "# check=skip=all\n# syntax=a",
            "{\"syntax\": 1}",
            "{\"syntax\": \"a\"} FROM a",
        ] {
            assert_eq!(found(file), None, "{file:?}");
        }
    }

    #[test]
    fn docker_frontends_are_distinguished_from_others() {
        for image in [
            "docker/dockerfile",
            "docker/dockerfile:1.7-labs",
            "docker.io/docker/dockerfile:1",
            "index.docker.io/docker/dockerfile-upstream:master",
        ] {
            assert!(is_dockers(image), "{image}");
        }
        for image in [
            "devthefuture/dockerfile-x",
            "docker/dockerfilex",
            "ghcr.io/docker/dockerfile",
            "dockerfile",
            "Docker/dockerfile",
        ] {
            assert!(!is_dockers(image), "{image}");
        }
    }
}
