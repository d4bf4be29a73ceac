//! Parses the challenge of a 401: the `WWW-Authenticate` header of RFC 9110, section 11.6.1.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

use crate::registry::transport::header_reader::{HeaderReader, is_space, is_token};

/// Longer than any real header; what is longer is not parsed.
const MAX_HEADER: usize = 16 * 1024;

/// One challenge: a scheme and its parameters. Names are in lower case, values are unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// `bearer`, `basic` or another scheme.
    pub scheme: String,
    /// The parameters, in order.
    pub params: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectedChallenge {
    /// A token from a token service.
    Bearer {
        /// The URL of the service, not checked yet.
        realm: String,
        /// The name of the registry at the service.
        service: Option<String>,
        /// The scope that the token must have.
        scope: Option<String>,
        /// Why the token of the request does not suffice: `invalid_token` or `insufficient_scope`.
        error: Option<String>,
    },
    /// User and password in each request.
    Basic,
}

impl Challenge {
    fn param(&self, name: &str) -> Option<String> {
        let mut params = self.params.iter();
        params
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    }
}

/// Returns the challenge in the headers of a 401: a bearer token where both schemes are offered, `None` where neither is.
pub fn select_challenge(headers: &HeaderMap) -> Option<SelectedChallenge> {
    let challenges: Vec<Challenge> = headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .flat_map(|value| parse(&String::from_utf8_lossy(value.as_bytes())))
        .collect();
    let with_scheme = |scheme| challenges.iter().filter(move |it| it.scheme == scheme);
    let bearer = with_scheme("bearer").find_map(|challenge| {
        Some(SelectedChallenge::Bearer {
            realm: challenge.param("realm")?,
            service: challenge.param("service"),
            scope: challenge.param("scope"),
            error: challenge.param("error"),
        })
    });
    let basic = with_scheme("basic").next();
    bearer.or(basic.map(|_| SelectedChallenge::Basic))
}

/// Parses one header: any number of challenges, separated by commas like their parameters. Parsing ends at a violation of the grammar; what
/// comes before it counts.
pub fn parse(header: &str) -> Vec<Challenge> {
    let mut reader = HeaderReader {
        rest: header.get(..MAX_HEADER).unwrap_or(header),
    };
    let mut challenges: Vec<Challenge> = Vec::new();
    loop {
        reader.skip(|c| c == ',' || is_space(c));
        let name = reader.take(is_token).to_ascii_lowercase();
        if name.is_empty() {
            return challenges;
        }
        let spaced = !reader.take(is_space).is_empty();
        if let Some(last) = challenges
            .last_mut()
            .filter(|_| reader.rest.starts_with('='))
        {
            let Some(value) = reader.value(is_bare) else {
                return challenges;
            };
            last.params.push((name, value));
            continue;
        }
        challenges.push(Challenge {
            scheme: name,
            params: Vec::new(),
        });
        if spaced {
            skip_token68(&mut reader);
        }
    }
}

/// Skips the single opaque word (`token68`) that a scheme may have instead of parameters, as in `Negotiate YII=`.
fn skip_token68(reader: &mut HeaderReader<'_>) {
    let word = reader
        .rest
        .split([',', ' ', '\t'])
        .next()
        .unwrap_or_default();
    let bare = word.trim_end_matches('=');
    let is_word = !bare.is_empty() && bare.chars().all(|c| is_token(c) || c == '/' || c == ':');
    let rest = reader.rest.get(word.len()..).unwrap_or_default();
    // A word before `=` or before another word is the name of a parameter, or the next scheme.
    if is_word
        && matches!(
            rest.trim_start_matches(is_space).chars().next(),
            None | Some(',')
        )
    {
        reader.rest = rest;
    }
}

/// A character of an unquoted value; more than the RFC allows, because some registries send URLs without quotes.
fn is_bare(c: char) -> bool {
    !is_space(c) && c != ',' && c != '"'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(header: &str) -> Vec<(String, Vec<(String, String)>)> {
        parse(header)
            .into_iter()
            .map(|challenge| (challenge.scheme, challenge.params))
            .collect()
    }

    fn params(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn demanded(headers: &[&str]) -> Option<SelectedChallenge> {
        let headers = headers
            .iter()
            .map(|value| (WWW_AUTHENTICATE, value.parse().unwrap()));
        select_challenge(&headers.collect())
    }

    #[test]
    fn challenges_of_real_registries_are_parsed() {
        assert_eq!(
            read(r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#),
            [(
                "bearer".into(),
                params(&[
                    ("realm", "https://auth.docker.io/token"),
                    ("service", "registry.docker.io")
                ])
            )]
        );
        assert_eq!(
            read(r#"Basic realm="Artifactory Realm""#),
            [("basic".into(), params(&[("realm", "Artifactory Realm")]))]
        );
        assert_eq!(
            read(r#"Bearer realm="http://127.0.0.1:9003/token",service="acrt-registry",scope="repository:a:pull,push",error="insufficient_scope""#)[0].1[2..],
            params(&[("scope", "repository:a:pull,push"), ("error", "insufficient_scope")])
        );
    }

    #[test]
    fn two_challenges_in_one_header_are_separated() {
        let header = r#"Bearer realm="https://codeberg.org/v2/token",service="container_registry",scope="*",Basic realm="https://codeberg.org/v2",service="container_registry",scope="*""#;
        let read = read(header);
        assert_eq!(
            read.iter()
                .map(|(scheme, _)| scheme.as_str())
                .collect::<Vec<_>>(),
            ["bearer", "basic"]
        );
        assert_eq!(
            read[1].1[0],
            ("realm".into(), "https://codeberg.org/v2".into())
        );
    }

    #[test]
    fn challenge_parameter_names_are_case_insensitive_and_values_keep_their_case() {
        assert_eq!(
            read(r#"BEARER Realm="https://Auth.Example/ToKeN" , SERVICE=Reg.Example"#),
            [(
                "bearer".into(),
                params(&[
                    ("realm", "https://Auth.Example/ToKeN"),
                    ("service", "Reg.Example")
                ])
            )]
        );
    }

    #[test]
    fn quoted_challenge_values_may_hold_commas_equals_signs_and_escapes() {
        assert_eq!(
            read(r#"Basic realm="a, b=\"c\" \\""#),
            [("basic".into(), params(&[("realm", r#"a, b="c" \"#)]))]
        );
    }

    #[test]
    fn challenge_schemes_without_parameters_do_not_hide_the_next() {
        let schemes = |header: &str| {
            read(header)
                .into_iter()
                .map(|(scheme, _)| scheme)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            schemes("Negotiate, NTLM, Basic realm=x"),
            ["negotiate", "ntlm", "basic"]
        );
        assert_eq!(
            schemes("Negotiate YIIFoo/bar==, Basic realm=x"),
            ["negotiate", "basic"]
        );
        assert_eq!(schemes(",, Basic realm=x ,"), ["basic"]);
    }

    #[test]
    fn malformed_challenge_is_parsed_up_to_the_error() {
        assert_eq!(
            read(r#"Bearer realm="https://a"#),
            [("bearer".into(), vec![])]
        );
        assert_eq!(read(""), []);
        assert_eq!(read("\"\"\""), []);
        assert_eq!(
            read(r#"Bearer realm="a",service="b"#),
            [("bearer".into(), params(&[("realm", "a")]))]
        );
    }

    #[test]
    fn bearer_challenge_is_preferred_over_basic_and_ignored_without_a_realm() {
        let bearer = SelectedChallenge::Bearer {
            realm: "https://a/".into(),
            service: None,
            scope: None,
            error: None,
        };
        assert_eq!(
            demanded(&["Basic realm=x", r#"Bearer realm="https://a/""#]),
            Some(bearer)
        );
        assert_eq!(
            demanded(&["Bearer", "Basic realm=x"]),
            Some(SelectedChallenge::Basic)
        );
        assert_eq!(demanded(&["Digest realm=x"]), None);
        assert_eq!(demanded(&[]), None);
    }

    proptest! {
        #[test]
        fn arbitrary_header_is_parsed_without_a_panic(header in "\\PC*") {
            let _ = parse(&header);
        }

        #[test]
        fn header_of_random_separators_is_parsed_without_a_panic(header in "[Bb a=\",\\\\/:é]{0,40}") {
            let _ = parse(&header);
        }

        #[test]
        fn challenge_formatted_by_the_grammar_is_parsed_back(
            challenges in prop::collection::vec(
                ("[a-z]{1,8}", prop::collection::vec(("[a-z]{1,8}", "[ -~]{0,20}"), 1..4)),
                1..4,
            )
        ) {
            let quote = |value: &str| value.replace('\\', r"\\").replace('"', r#"\""#);
            let header = challenges
                .iter()
                .map(|(scheme, params)| {
                    let params: Vec<String> =
                        params.iter().map(|(name, value)| format!("{name}=\"{}\"", quote(value))).collect();
                    format!("{scheme} {}", params.join(","))
                })
                .collect::<Vec<_>>()
                .join(", ");
            prop_assert_eq!(read(&header), challenges);
        }
    }
}
