//! Splits a `cmd` or a `build` into words by the rules of a POSIX shell: quotes, backslashes, comments. Nothing is
//! expanded.

use crate::secret::{MaskedText, Secret};

use super::marks;

/// Operators of a shell, which are ordinary words here.
const OPERATORS: [&str; 9] = ["|", "||", "&", "&&", ";", "<", ">", ">>", "2>&1"];

/// How many words a text may have.
const MOST: usize = 20_000;

/// Splits a text into words, each with its secret parts.
///
/// # Errors
///
/// A quote that is not closed, or too many words.
pub(super) fn split(text: &MaskedText) -> Result<Vec<MaskedText>, String> {
    let split = |text: &str| shell_words::split(text);
    let words = split(text.reveal()).map_err(|_| "a quote is left open".to_owned())?;
    if words.len() > MOST {
        return Err(format!("there are more than {MOST} words"));
    }
    if !text.has_secret() {
        return Ok(words.into_iter().map(MaskedText::from).collect());
    }
    let mut reader = marks::MarkedReader::default();
    let marked = split(&marks::written(text)).unwrap_or_default();
    let marked: Vec<MaskedText> = marked.iter().map(|word| reader.read(word)).collect();
    let same = |(word, marked): (&String, &MaskedText)| word == marked.reveal();
    Ok(
        match words.len() == marked.len() && words.iter().zip(&marked).all(same) {
            true => marked,
            // Where the marks changed how the text splits, all of it is secret.
            false => words
                .into_iter()
                .map(|word| MaskedText::from(Secret::new(word)))
                .collect(),
        },
    )
}

/// Returns the first word that is an operator of a shell.
pub(super) fn operator(words: &[MaskedText]) -> Option<&str> {
    let mut words = words.iter().map(MaskedText::reveal);
    words.find(|word| OPERATORS.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let words = split(&MaskedText::from(text)).unwrap();
        words.iter().map(|word| word.reveal().to_owned()).collect()
    }

    #[test]
    fn words_are_split_with_shell_quotes_and_backslashes() {
        assert_eq!(
            words("-t 'a b' \"c $d\" e\\ f\n  --x=\"y z\""),
            ["-t", "a b", "c $d", "e f", "--x=y z"]
        );
        let open = split(&MaskedText::from("a 'b"));
        assert_eq!(open, Err("a quote is left open".to_owned()));
        assert!(split(&MaskedText::from("a ".repeat(20_001))).is_err());
    }

    #[test]
    fn command_that_needs_a_shell_is_detected() {
        let words = split(&MaskedText::from("bash echo hi > file")).unwrap();
        assert_eq!(operator(&words), Some(">"));
        let words = split(&MaskedText::from("bash -c 'a > b'")).unwrap();
        assert_eq!(operator(&words), None);
    }

    #[test]
    fn split_words_keep_secret_parts_secret() {
        let shown = |text: &str, secret: std::ops::Range<usize>| -> Vec<String> {
            let text = MaskedText::with_secrets(text, vec![secret]);
            let words = split(&text).unwrap();
            words.iter().map(ToString::to_string).collect()
        };
        assert_eq!(shown("sh -c 'x hunter2 y'", 9..16), ["sh", "-c", "x *** y"]);
        assert_eq!(shown("sh a=b c d", 5..8), ["sh", "a=***", "***", "d"]);
        // A backslash in front of a mark would escape the mark instead of the character behind it.
        assert_eq!(shown("sh a\\ b", 5..6), ["***", "***"]);
    }
}
