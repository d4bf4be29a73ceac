//! Reads `.env`, the variables of a compose project, by the rules of compose-go's `dotenv` package.

use std::collections::BTreeMap;

use super::variables::{MAX_TEXT, Variables};

/// Reads a file of variables. Values may refer to earlier lines and to `outer`. An invalid line is an error with its number.
pub fn read(
    text: &str,
    outer: &dyn Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, String>, (usize, String)> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    // For all lines together: each may repeat what the lines before it say.
    let mut left = MAX_TEXT;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().enumerate();
    while let Some((n, line)) = lines.next() {
        let line = line.trim_start();
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let line = match line.strip_prefix("export") {
            Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start(),
            _ => line,
        };
        let Some(at) = line.find(['=', ':']) else {
            // A name alone takes its value from `outer`.
            let name = line.trim();
            let Some(value) = is_name(name).then(|| outer(name)) else {
                return Err((n + 1, "it is not of the form `NAME=VALUE`".to_owned()));
            };
            found.extend(value.map(|value| (name.to_owned(), value)));
            continue;
        };
        let (name, value) = (line[..at].trim(), line[at + 1..].trim_start());
        if !is_name(name) {
            let shown = name.chars().take(60).collect::<String>();
            return Err((
                n + 1,
                format!("`{}` is not the name of a variable", shown.escape_debug()),
            ));
        }
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (mut value, is_literal) = match quote {
            None => (unquoted(value).to_owned(), false),
            Some(quote) => {
                let mut whole = value[1..].to_owned();
                // A line end is never part of a quote or of an escape that matters: each line can be looked at by itself.
                let mut begin = 0;
                let end = loop {
                    if let Some(end) = end_of(&whole[begin..], quote) {
                        break begin + end;
                    }
                    let Some((_, next)) = lines.next() else {
                        return Err((n + 1, "a quote is not closed".to_owned()));
                    };
                    whole.push('\n');
                    begin = whole.len();
                    whole.push_str(next);
                };
                whole.truncate(end);
                (whole, quote == '\'')
            }
        };
        if quote == Some('"') {
            value = unescaped(&value);
        }
        if !is_literal {
            let lookup = |name: &str| outer(name).or_else(|| found.get(name).cloned());
            let mut variables = Variables::within(&lookup, left);
            value = variables.expand(&value).map_err(|why| (n + 1, why))?;
            left = variables.left;
        }
        found.insert(name.to_owned(), value);
    }
    Ok(found)
}

fn is_name(name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']');
    !name.is_empty() && name.chars().all(is_part)
}

/// Removes the comment behind an unquoted value: it starts with a blank.
fn unquoted(value: &str) -> &str {
    let comment = value.char_indices().find(|(at, c)| {
        let before = value[..*at].chars().next_back();
        *c == '#' && before.is_none_or(char::is_whitespace)
    });
    value[..comment.map_or(value.len(), |(at, _)| at)].trim_end()
}

/// Returns where a quoted value ends.
fn end_of(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

fn unescaped(value: &str) -> String {
    let mut result = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            result.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => result.push('\n'),
            Some('r') => result.push('\r'),
            Some('t') => result.push('\t'),
            Some('$') => result.push_str("$$"),
            Some(c @ ('"' | '\\')) => result.push(c),
            Some(c) => result.extend(['\\', c]),
            None => result.push('\\'),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotenv_line_forms_are_read() {
        let text = "# c\n\nA=1\nexport B = two # c\nC='$A #x'\nD=\"$A\\n${B}\"\nE=a#b\nF: yes\nG=${A}${OUT}\nH=\"x\ny\"\nOUT\n";
        let outer = |name: &str| (name == "OUT").then(|| "o".to_owned());
        let found = read(text, &outer).unwrap();
        let found: Vec<(&str, &str)> = found.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(
            found,
            [
                ("A", "1"),
                ("B", "two"),
                ("C", "$A #x"),
                ("D", "1\ntwo"),
                ("E", "a#b"),
                ("F", "yes"),
                ("G", "1o"),
                ("H", "x\ny"),
                ("OUT", "o"),
            ]
        );
    }

    #[test]
    fn invalid_dotenv_line_is_reported_with_its_number() {
        let line = |text: &str| read(text, &|_| None).unwrap_err().0;
        assert_eq!(line("A=1\nB C=2\n"), 2);
        assert_eq!(line("A='1\n"), 1);
        assert_eq!(line("A=1\n\na b\n"), 3);
        assert_eq!(line("A=${B:?}\n"), 1);
    }

    #[test]
    fn growth_of_dotenv_values_by_each_other_is_limited_for_the_file() {
        let mut text = format!("A0={}\n", "x".repeat(1000));
        for n in 1..100 {
            text.push_str(&format!("A{n}={}\n", format!("$A{}", n - 1).repeat(10)));
        }
        let (line, why) = read(&text, &|_| None).unwrap_err();
        assert!(line < 10 && why.contains("too long"), "{line}: {why}");
        // Values that are looked up and not used count too.
        let unused = format!("A={}\nB={}\n", "x".repeat(1_000_000), "${A:+}".repeat(20));
        assert_eq!(read(&unused, &|_| None).unwrap_err().0, 2);
    }

    #[test]
    fn open_quote_of_many_lines_is_read_in_linear_time() {
        let text = format!("A='{}", "x\n".repeat(400_000));
        assert_eq!(read(&text, &|_| None).unwrap_err().0, 1);
        let found = read("A='x\\\n' B", &|_| None).unwrap();
        assert_eq!(found["A"], "x\\\n");
    }
}
