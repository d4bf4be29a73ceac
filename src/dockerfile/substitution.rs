//! Substitutions: the values of `$name`, `${name}` and `${name:-word}`.

use super::{
    expand::{DEEPEST, InvalidWord, WordReader, WordSplitter},
    pattern,
};

impl WordReader<'_> {
    /// Reads what follows a `$`.
    ///
    /// # Errors
    ///
    /// A syntax error, or an unset variable that must be set.
    pub fn dollar(&mut self) -> Result<String, InvalidWord> {
        if self.chars.next_if_eq(&'{').is_none() {
            let name = self.name();
            return Ok(match self.variables.get(&name) {
                _ if name.is_empty() => "$".to_owned(),
                Some(value) => value.clone(),
                None if self.lexer.keep_unset => format!("${name}"),
                None => String::new(),
            });
        }
        match self.chars.peek() {
            None => return Err(InvalidWord::Brace),
            Some('{' | '}' | ':') => return Err(InvalidWord::Name),
            Some(_) => {}
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(InvalidWord::Deep);
        }
        let name = self.name();
        let value = match self.chars.next() {
            None => Err(InvalidWord::Brace),
            Some('}') => Ok(match self.variables.get(&name) {
                Some(value) => value.clone(),
                None if self.lexer.keep_unset => format!("${{{name}}}"),
                None => String::new(),
            }),
            Some('/') => self.replacement(&name),
            Some(':') => match self.chars.next() {
                None | Some('#' | '%') => Err(unknown_modifier(":", None)),
                Some(modifier) => self.alternative(&name, modifier, true),
            },
            Some(modifier @ ('-' | '+' | '?')) => self.alternative(&name, modifier, false),
            Some(end @ ('#' | '%')) => self.trimmed(&name, end),
            modifier => Err(unknown_modifier("", modifier)),
        };
        self.depth -= 1;
        value
    }

    /// Reads a name: letters, digits and `_`; or digits alone; or one of the shell's special parameters.
    fn name(&mut self) -> String {
        let mut name = String::new();
        let Some(first) = self.chars.peek().copied() else {
            return name;
        };
        if matches!(first, '@' | '*' | '#' | '?' | '-' | '$' | '!') {
            name.extend(self.chars.next());
        } else if first.is_numeric() {
            while let Some(c) = self.chars.next_if(|c| c.is_numeric()) {
                name.push(c);
            }
        } else {
            while let Some(c) = self.chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                name.push(c);
            }
        }
        name
    }

    /// Reads the rest of `${name-word}`, `${name+word}` and `${name?word}`, each also with `:` before the sign.
    fn alternative(
        &mut self,
        name: &str,
        modifier: char,
        empty_is_unset: bool,
    ) -> Result<String, InvalidWord> {
        let word = self.operand('}', false)?;
        let value = self.variables.get(name);
        if self.lexer.keep_unset && value.is_none() {
            let colon = if empty_is_unset { ":" } else { "" };
            return Ok(format!("${{{name}{colon}{modifier}{word}}}"));
        }
        let set = value.filter(|value| !(empty_is_unset && value.is_empty()));
        match (modifier, set) {
            ('-', None) | ('+', Some(_)) => Ok(word),
            ('+', None) => Ok(String::new()),
            ('-' | '?', Some(value)) => Ok(value.clone()),
            ('?', None) => Err(InvalidWord::Unset {
                name: name.to_owned(),
                message: match (value, word.is_empty()) {
                    (_, false) => word,
                    (None, true) => "is not allowed to be unset".to_owned(),
                    (Some(_), true) => "is not allowed to be empty".to_owned(),
                },
            }),
            _ => Err(unknown_modifier(":", Some(modifier))),
        }
    }

    /// Reads the rest of `${name#pattern}` and `${name%pattern}`, also with the sign doubled.
    fn trimmed(&mut self, name: &str, end: char) -> Result<String, InvalidWord> {
        let word = self.operand('}', true)?;
        let value = match self.variables.get(name) {
            Some(value) => value.as_str(),
            None if self.lexer.keep_unset => return Ok(format!("${{{name}{end}{word}}}")),
            None => "",
        };
        let (pattern, longest) = match word.strip_prefix(end) {
            Some(pattern) => (pattern, true),
            None => (word.as_str(), false),
        };
        self.charge_match(pattern, value)?;
        Ok(match end {
            '#' => pattern::trim_start(value, pattern, longest)?,
            _ => pattern::trim_end(value, pattern, longest)?,
        })
    }

    /// Reads the rest of `${name/pattern/replacement}`, also with the slash doubled.
    fn replacement(&mut self, name: &str) -> Result<String, InvalidWord> {
        let all = self.chars.next_if_eq(&'/').is_some();
        let pattern = match self.operand('/', true) {
            Err(InvalidWord::Brace) => return Err(InvalidWord::Separator),
            pattern => pattern?,
        };
        let replacement = self.operand('}', true)?;
        let value = match self.variables.get(name) {
            Some(value) => value.as_str(),
            None if self.lexer.keep_unset => {
                return Ok(format!("${{{name}/{pattern}/{replacement}}}"));
            }
            None => "",
        };
        self.charge_match(&pattern, value)?;
        self.budget
            .charge(replacement.len().saturating_mul(value.len() + 1))?;
        Ok(pattern::replace(value, &pattern, &replacement, all)?)
    }

    fn operand(&mut self, stop: char, raw_escapes: bool) -> Result<String, InvalidWord> {
        self.until(Some(stop), raw_escapes, &mut WordSplitter::default())
            .map_err(|error| match self.chars.peek() {
                None if !matches!(error, InvalidWord::Large | InvalidWord::Deep) => {
                    InvalidWord::Brace
                }
                _ => error,
            })
    }

    fn charge_match(&self, pattern: &str, value: &str) -> Result<(), InvalidWord> {
        self.budget
            .charge(pattern.len().saturating_mul(value.len() + 1))
    }
}

fn unknown_modifier(colon: &str, modifier: Option<char>) -> InvalidWord {
    InvalidWord::Modifier(colon.chars().chain(modifier).collect())
}

#[cfg(test)]
mod tests {
    use super::super::expand::{BuildVariables, ExpansionBudget, Lexer};
    use super::*;

    fn expand(text: &str) -> Result<String, InvalidWord> {
        let pairs = [("A", "a.b.c"), ("E", ""), ("한", "x")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Lexer::new('\\').word(text, &BuildVariables::from(pairs), &ExpansionBudget::new())
    }

    #[test]
    fn substitution_alternatives_distinguish_unset_from_empty() {
        assert_eq!(expand("${A-x} ${E-x} ${U-x}"), Ok("a.b.c  x".into()));
        assert_eq!(expand("${A:-x} ${E:-x} ${U:-x}"), Ok("a.b.c x x".into()));
        assert_eq!(expand("${A+x} ${E+x} ${U+x}"), Ok("x x ".into()));
        assert_eq!(expand("${A:+x} ${E:+x} ${U:+x}"), Ok("x  ".into()));
        assert_eq!(expand("${U:-${E:-${A}}}"), Ok("a.b.c".into()));
    }

    #[test]
    fn unset_required_variable_is_reported_with_its_name() {
        let unset = |name: &str, message: &str| {
            Err(InvalidWord::Unset {
                name: name.into(),
                message: message.into(),
            })
        };
        assert_eq!(expand("${A?}"), Ok("a.b.c".into()));
        assert_eq!(expand("${E?}"), Ok(String::new()));
        assert_eq!(expand("${E:?}"), unset("E", "is not allowed to be empty"));
        assert_eq!(expand("${U?}"), unset("U", "is not allowed to be unset"));
        assert_eq!(expand("${U:?give it}"), unset("U", "give it"));
    }

    #[test]
    fn substitution_patterns_trim_and_replace() {
        assert_eq!(
            expand("${A#*.} ${A##*.} ${A%.*} ${A%%.*}"),
            Ok("b.c c a.b a".into())
        );
        assert_eq!(expand("${A/./-} ${A//./-}"), Ok("a-b.c a-b-c".into()));
        assert_eq!(expand("${A/./}"), Ok("ab.c".into()));
        assert_eq!(expand("${A/.}"), Err(InvalidWord::Separator));
        assert!(matches!(expand("${A#\\x}"), Err(InvalidWord::Pattern(_))));
    }

    #[test]
    fn unknown_modifiers_and_unclosed_braces_are_refused() {
        assert_eq!(expand("${A:=x}"), Err(InvalidWord::Modifier(":=".into())));
        assert_eq!(expand("${A:#x}"), Err(InvalidWord::Modifier(":".into())));
        assert_eq!(expand("${A^}"), Err(InvalidWord::Modifier("^".into())));
        assert_eq!(expand("${A"), Err(InvalidWord::Brace));
        assert_eq!(expand("${A:-x"), Err(InvalidWord::Brace));
        assert_eq!(expand("${"), Err(InvalidWord::Brace));
        assert_eq!(expand("${}"), Err(InvalidWord::Name));
    }

    #[test]
    fn variable_names_are_letters_digits_or_special_characters() {
        assert_eq!(expand("$A.x $한"), Ok("a.b.c.x x".into()));
        assert_eq!(expand("$1x$@$#"), Ok("x".into()));
        assert_eq!(expand("$ $. $"), Ok("$ $. $".into()));
    }

    #[test]
    fn deep_nesting_and_doubling_variables_are_refused() {
        let deep = |n| format!("{}x{}", "${U:-".repeat(n), "}".repeat(n));
        assert_eq!(expand(&deep(64)), Ok("x".into()));
        assert_eq!(expand(&deep(100_000)), Err(InvalidWord::Deep));
        let variables = BuildVariables::from([("A".to_owned(), "a".repeat(1 << 20))]);
        let word = |text: &str| Lexer::new('\\').word(text, &variables, &ExpansionBudget::new());
        assert!(word(&"$A".repeat(32)).is_ok());
        assert_eq!(word(&"$A".repeat(33)), Err(InvalidWord::Large));
        assert_eq!(
            word(&format!("${{A/{}/}}", "*a".repeat(99))),
            Err(InvalidWord::Large)
        );
    }
}
