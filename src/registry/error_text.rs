//! Makes messages of servers, and URLs, safe to be shown.

use reqwest::{
    Url,
    header::{CONTENT_TYPE, HeaderMap},
};
use serde::Deserialize;

use super::header_text;

/// How many characters of a server's message are shown.
const MAX_WORDS: usize = 300;

/// Returns a URL without the parts that may be secret.
pub fn bare(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// Shown instead of a web page.
pub const WEB_PAGE: &str = "a web page";

/// Returns the message of an error response, safe to be shown, and its error codes of the distribution specification.
pub fn server_words(headers: &HeaderMap, body: &[u8]) -> Option<(String, Vec<String>)> {
    #[derive(Deserialize)]
    struct Envelope {
        errors: Vec<ServerError>,
    }
    #[derive(Deserialize)]
    struct ServerError {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    if body.is_empty() {
        return None;
    }
    if let Ok(Envelope { errors }) = serde_json::from_slice(body) {
        let error_text: Vec<String> = errors
            .iter()
            .map(|error| {
                if error.message.is_empty() {
                    error.code.clone()
                } else {
                    format!("{}: {}", error.code, error.message)
                }
            })
            .collect();
        let codes = errors.into_iter().map(|error| error.code).collect();
        return Some((clean(&error_text.join("; ")), codes));
    }
    let text = String::from_utf8_lossy(body);
    let is_page = header_text(headers, CONTENT_TYPE).is_some_and(|value| value.contains("html"))
        || text.trim_start().starts_with('<');
    let error_text = if is_page {
        WEB_PAGE.to_owned()
    } else {
        clean(&text)
    };
    (!error_text.is_empty()).then_some((error_text, Vec::new()))
}

/// Makes a server's message safe to be shown: one line, without control or direction characters, and not too long.
pub fn clean(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || is_hostile(c));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let mut error_text = words.join(" ");
    if error_text.chars().count() > MAX_WORDS {
        error_text = error_text.chars().take(MAX_WORDS).collect();
        error_text.push('…');
    }
    error_text
}

/// Tells whether a character could move the cursor, ring the bell or reverse the text on a terminal.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registry_error_text_loses_terminal_control_characters() {
        assert_eq!(
            clean("a\u{1b}]52;c;x\u{7}\r\nb\u{202e}c\u{9b}2J  d"),
            "a ]52;c;x b c 2J d"
        );
        assert_eq!(clean(&"x".repeat(1000)).chars().count(), MAX_WORDS + 1);
    }
}
