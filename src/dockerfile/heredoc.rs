//! Heredocs: the bodies that follow a line.
//!
//! BuildKit finds them by reading the whole line as a shell would, with a backslash as escape whatever the file says. A
//! line that cannot be read that way, for example because of an apostrophe, has none.

use super::expand::{InvalidWord, Lexer};

/// A heredoc that a line announces.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heredoc {
    /// The line that ends its body.
    pub name: String,
    /// Written `<<-`: tabs in front of the name are dropped.
    pub without_tabs: bool,
}

/// Returns the heredocs of a line, in order.
///
/// # Errors
///
/// A name with quotes that are not closed.
pub(super) fn of_line(line: &str) -> Result<Vec<Heredoc>, InvalidWord> {
    if !line.contains("<<") {
        return Ok(Vec::new());
    }
    let lexer = Lexer::new('\\').raw().keep_unset();
    let words = lexer.words(line).unwrap_or_default();
    words
        .iter()
        .filter_map(|word| of_word(word).transpose())
        .collect()
}

/// Reads a word of the form `\d*<<-?\s*[^<]*`.
fn of_word(word: &str) -> Result<Option<Heredoc>, InvalidWord> {
    let word = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let Some(rest) = word.strip_prefix("<<") else {
        return Ok(None);
    };
    let (without_tabs, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let rest = rest.trim_start_matches([' ', '\t', '\n', '\u{c}', '\r']);
    if rest.is_empty() || rest.contains('<') {
        return Ok(None);
    }
    let names = Lexer::new('\\').keep_unset().words(rest)?;
    Ok(<[String; 1]>::try_from(names)
        .ok()
        .map(|[name]| Heredoc { name, without_tabs }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(line: &str) -> Vec<String> {
        let heredocs = of_line(line).unwrap().into_iter();
        heredocs.map(|heredoc| heredoc.name).collect()
    }

    #[test]
    fn word_that_begins_with_two_angle_brackets_is_a_heredoc() {
        assert_eq!(names("RUN <<EOF"), ["EOF"]);
        assert_eq!(names("RUN <<EOF cat"), ["EOF"]);
        assert_eq!(names("RUN cat 3<<EOF"), ["EOF"]);
        assert_eq!(names("COPY <<a <<b /x"), ["a", "b"]);
        assert_eq!(names("RUN cat << EOF"), ["EOF"]);
        assert_eq!(names("RUN echo $(( 1 << 3 ))"), ["3"]);
        assert_eq!(names("RUN <<$EOF"), ["$EOF"]);
    }

    #[test]
    fn heredoc_with_a_dash_strips_tabs() {
        let heredocs = of_line("RUN <<-E <<F").unwrap();
        let tabs: Vec<bool> = heredocs.iter().map(|h| h.without_tabs).collect();
        assert_eq!(tabs, [true, false]);
    }

    #[test]
    fn heredoc_name_loses_its_quotes() {
        assert_eq!(names("RUN <<'EOF'"), ["EOF"]);
        assert_eq!(names("RUN <<\"EOF\""), ["EOF"]);
        assert_eq!(names("RUN <<'a b'"), ["a b"]);
        assert_eq!(names("RUN <<eo\\'f"), ["eo'f"]);
        assert_eq!(names("RUN <<E'O'F"), ["EOF"]);
    }

    #[test]
    fn other_angle_brackets_are_no_heredoc() {
        for line in [
            "RUN cat <<<EOF",
            "RUN echo $((1<<3))",
            "RUN cat<<EOF",
            "RUN \"<<EOF\"",
            "RUN '<<EOF'",
            "RUN a < b",
            "RUN <<",
            "RUN <<-",
            "RUN <<- EOF",
            "RUN a",
        ] {
            assert_eq!(names(line), Vec::<String>::new(), "{line}");
        }
    }

    #[test]
    fn line_with_unbalanced_shell_quotes_has_no_heredoc() {
        assert_eq!(names("RUN echo don't <<EOF"), Vec::<String>::new());
        assert_eq!(names("RUN echo ${ <<EOF"), Vec::<String>::new());
    }
}
