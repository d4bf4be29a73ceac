//! The words of a `cmd` or a `build`, by the rules of a POSIX shell: quotes, backslashes, comments. Nothing is expanded.

/// What a shell would do something with, and what here is one more word.
const OPERATORS: [&str; 9] = ["|", "||", "&", "&&", ";", "<", ">", ">>", "2>&1"];

/// Splits a text into words.
///
/// # Errors
///
/// What is wrong with the text: a quote that is left open.
pub(super) fn split(text: &str) -> Result<Vec<String>, &'static str> {
    shell_words::split(text).map_err(|_| "a quote is left open")
}

/// Returns the first word that only a shell would understand.
pub(super) fn operator(words: &[String]) -> Option<&str> {
    let mut words = words.iter().map(String::as_str);
    words.find(|word| OPERATORS.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_are_those_of_a_shell() {
        assert_eq!(
            split("-t 'a b' \"c $d\" e\\ f\n  --x=\"y z\"").unwrap(),
            ["-t", "a b", "c $d", "e f", "--x=y z"]
        );
        assert_eq!(split("a 'b"), Err("a quote is left open"));
    }

    #[test]
    fn what_needs_a_shell_is_found() {
        let words = split("bash echo hi > file").unwrap();
        assert_eq!(operator(&words), Some(">"));
        assert_eq!(operator(&split("bash -c 'a > b'").unwrap()), None);
    }
}
