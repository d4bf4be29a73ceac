//! Suggestions for a mistyped word.

/// The least similarity, from 0 to 1, at which a name is suggested.
const ALIKE: f64 = 0.8;

/// Returns the name that is most similar to `typed`, if one is similar enough; of several, the first.
pub fn near(typed: &str, names: impl IntoIterator<Item = String>) -> Option<String> {
    let typed = typed.to_lowercase();
    let alike = |name: &String| {
        let name = name.to_lowercase();
        // One wrong letter in a short word is a large part of it, but still a single slip.
        let is_a_slip = typed.len() > 1 && strsim::damerau_levenshtein(&typed, &name) == 1;
        let begins = typed.len() > 2 && name.starts_with(&typed);
        strsim::jaro(&typed, &name).max(if is_a_slip || begins { ALIKE } else { 0.0 })
    };
    let names = names.into_iter().map(|name| (alike(&name), name));
    let names = names.filter(|(how, _)| *how >= ALIKE);
    let best = names.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_name_is_suggested_for_a_typo_and_not_for_another_word() {
        let near = |typed: &str| near(typed, ["web", "worker", "api-gateway"].map(String::from));
        for (typed, meant) in [
            ("wbe", "web"),
            ("Web", "web"),
            ("we", "web"),
            ("workers", "worker"),
            ("api", "api-gateway"),
            ("api-gatewya", "api-gateway"),
        ] {
            assert_eq!(near(typed).as_deref(), Some(meant), "{typed}");
        }
        assert_eq!(near("database"), None);
        assert_eq!(near(""), None);
    }
}
