//! The places of errors in YAML files.

/// Adds a place to an error that the parser reports without one, or only with that of the surrounding mapping: the place of the value that
/// it rejects, of the key that it names, or of the key that leads there; else the beginning of the file.
pub fn located(error: &serde_yaml::Error, content: &[u8]) -> anyhow::Error {
    let told = error.to_string();
    let (what, given) = match told.rsplit_once(" at line ") {
        Some((what, place)) => match place.split_once(" column ") {
            Some((line, column)) => (what, line.parse().ok().zip(column.parse().ok())),
            None => return anyhow::anyhow!(told),
        },
        None => (told.as_str(), None),
    };
    if what.contains(" at line ") || (given.is_none() && told.contains(" at line ")) {
        // A syntax error of YAML names its own place.
        return anyhow::anyhow!(told);
    }
    let text = String::from_utf8_lossy(content);
    let text = TextPlaces(&text);
    let quoted = |sign: char| what.split(sign).nth(1).filter(|it| !it.is_empty());
    let after = |words: &str| {
        what.split_once(words)
            .and_then(|(_, rest)| rest.split('`').next())
    };
    let first = given.map_or(1, |(line, _): (usize, usize)| line);
    let above = || {
        what.split_once(": ")
            .and_then(|(path, _)| path.split(['.', '[']).next())
    };
    let place = after("unknown field `")
        .and_then(|key| text.key(key, 0))
        .or_else(|| after("duplicate field `").and_then(|key| text.key(key, 1)))
        .or_else(|| quoted('"').and_then(|value| text.value(value, first)))
        .or_else(|| quoted('`').and_then(|value| text.value(value, first)))
        .or(given)
        .or_else(|| above().and_then(|key| text.key(key, 0)))
        .unwrap_or((1, 1));
    let (line, column) = place;
    anyhow::anyhow!("{what} at line {line} column {column}")
}

/// What the parser says of a value, without the value.
const COMPLAINTS: [&str; 6] = [
    "invalid type",
    "invalid value",
    "invalid length",
    "unknown field",
    "missing field",
    "duplicate field",
];

/// Like [`located`], for a file of secrets: names keys, line and column, and quotes nothing.
pub fn located_without_values(error: &serde_yaml::Error, content: &[u8]) -> anyhow::Error {
    let told = located(error, content).to_string();
    let found = COMPLAINTS
        .iter()
        .filter_map(|it| Some((told.find(it)?, *it)));
    let (path, what) = match found.min() {
        Some((at, what)) => (&told[..at], what),
        None => ("", "invalid YAML"),
    };
    let place = told.rsplit(" at line ").map(|behind| {
        let mut numbers = behind
            .split(|c: char| !c.is_ascii_digit())
            .filter(|it| !it.is_empty());
        Some((numbers.next()?.to_owned(), numbers.next()?.to_owned()))
    });
    match place.flatten().next() {
        Some((line, column)) => anyhow::anyhow!("{path}{what} at line {line} column {column}"),
        None => anyhow::anyhow!("{path}{what}"),
    }
}

/// Finds the line and column, both counted from 1, of parts of a text.
struct TextPlaces<'a>(&'a str);

impl TextPlaces<'_> {
    /// Returns where the key is, after `after` keys of the same name at the depth of the first.
    fn key(&self, key: &str, after: usize) -> Option<(usize, usize)> {
        let lines = self.0.lines().enumerate();
        let all = lines.filter_map(|(n, line)| {
            let key_of = line.trim_start().trim_start_matches("- ");
            let rest = key_of.strip_prefix(key)?;
            let place = (n + 1, line.len() - key_of.len() + 1);
            rest.starts_with(':').then_some(place)
        });
        let all: Vec<(usize, usize)> = all.collect();
        let column = all.first()?.1;
        all.into_iter().filter(|place| place.1 == column).nth(after)
    }

    /// Returns where the value is, in line `first` or below.
    fn value(&self, value: &str, first: usize) -> Option<(usize, usize)> {
        let lines = self.0.lines().enumerate().skip(first.saturating_sub(1));
        let mut found = lines.filter_map(|(n, line)| {
            let at = line.find(value)?;
            let is_value = line[..at].ends_with([' ', '"', '\'', '[', ',']);
            is_value.then_some((n + 1, at + 1))
        });
        found.next()
    }
}
