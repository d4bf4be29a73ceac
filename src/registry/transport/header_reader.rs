//! Reads the tokens, quoted strings and parameters of a header, by the grammar of RFC 9110, section 5.6.

/// What is left to read of a header.
pub struct HeaderReader<'a> {
    pub rest: &'a str,
}

impl<'a> HeaderReader<'a> {
    /// Takes the characters that are `wanted`, up to the first one that is not.
    pub fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    pub fn skip(&mut self, unwanted: impl Fn(char) -> bool) {
        self.take(unwanted);
    }

    /// Reads `=` and a quoted string, or else the characters that are `bare`.
    pub fn value(&mut self, bare: impl Fn(char) -> bool) -> Option<String> {
        self.rest = self.rest.strip_prefix('=')?;
        self.skip(is_space);
        match self.rest.strip_prefix('"') {
            Some(quoted) => {
                self.rest = quoted;
                self.quoted()
            }
            None => Some(self.take(bare).to_owned()),
        }
    }

    fn quoted(&mut self) -> Option<String> {
        let mut value = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = self.rest.get(at + 1..).unwrap_or_default();
                    return Some(value);
                }
                '\\' => value.push(chars.next()?.1),
                c => value.push(c),
            }
        }
        None
    }
}

pub fn is_space(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// A `tchar` of RFC 9110.
pub fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}
