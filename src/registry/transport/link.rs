//! The `Link` header (RFC 8288) of a list that is sent page by page.

use reqwest::header::{HeaderMap, LINK};

use super::header_reader::{HeaderReader, is_space, is_token};

/// One link: `<target>; rel="next"`.
struct Link<'a> {
    target: &'a str,
    /// The words of its first `rel`, which is the one that counts.
    relations: String,
}

/// Returns the query of the next page, from `<…?last=x&n=100>; rel="next"`; `None` on the last page. Only the query is used: a list continues
/// at the same path.
///
/// # Errors
///
/// What is wrong with the header: a list with one that cannot be read may go on, and must not be taken for complete.
pub fn next_page(headers: &HeaderMap) -> Result<Option<String>, String> {
    for header in headers.get_all(LINK) {
        let text = String::from_utf8_lossy(header.as_bytes());
        let mut reader = HeaderReader { rest: &text };
        while let Some(link) = read(&mut reader)? {
            let mut relations = link.relations.split_whitespace().peekable();
            if relations.peek().is_none() {
                return Err("a link to another page does not say which page it is".to_owned());
            }
            if relations.any(|relation| relation.eq_ignore_ascii_case("next")) {
                return query(link.target).map(Some);
            }
        }
    }
    Ok(None)
}

fn query(target: &str) -> Result<String, String> {
    let target = target.split('#').next().unwrap_or(target);
    match target.split_once('?') {
        Some((_, query)) if !query.is_empty() => Ok(query.to_owned()),
        _ => Err("the link to its next page has no query".to_owned()),
    }
}

/// Reads the next link of a header; `None` at its end.
fn read<'a>(reader: &mut HeaderReader<'a>) -> Result<Option<Link<'a>>, String> {
    let malformed = || "its `Link` header is malformed".to_owned();
    reader.skip(|c| c == ',' || is_space(c));
    if reader.rest.is_empty() {
        return Ok(None);
    }
    let target = reader.rest.strip_prefix('<').ok_or_else(malformed)?;
    let (target, rest) = target.split_once('>').ok_or_else(malformed)?;
    reader.rest = rest;
    let mut relations = None;
    loop {
        reader.skip(is_space);
        if reader.rest.is_empty() || reader.rest.starts_with(',') {
            break;
        }
        reader.rest = reader.rest.strip_prefix(';').ok_or_else(malformed)?;
        reader.skip(is_space);
        let name = reader.take(is_token);
        reader.skip(is_space);
        if !reader.rest.starts_with('=') {
            continue;
        }
        let value = reader.value(|c| !is_space(c) && !matches!(c, ',' | ';' | '"'));
        let value = value.ok_or_else(malformed)?;
        if name.eq_ignore_ascii_case("rel") && relations.is_none() {
            relations = Some(value);
        }
    }
    Ok(Some(Link {
        target: target.trim(),
        relations: relations.unwrap_or_default(),
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(links: &[&str]) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        for link in links {
            headers.append(LINK, link.parse().unwrap());
        }
        next_page(&headers)
    }

    #[test]
    fn next_page_is_found_in_every_form_that_the_grammar_of_link_headers_allows() {
        let expected = Ok(Some("last=a&n=2".to_owned()));
        for link in [
            r#"</v2/_catalog?last=a&n=2>; rel="next""#,
            "<https://r.example/v2/x/tags/list?last=a&n=2>; rel=next",
            r#"</x?p=0>; rel="prev", </x?last=a&n=2>;rel="next""#,
            r#"</v2/x,y/tags/list?last=a&n=2>; rel="next""#,
            "</x?last=a&n=2>; rel = \"next\"",
            "</x?last=a&n=2>\t;\trel\t=\tnext",
            r#"</x?last=a&n=2>; rel="last next""#,
            r#"</x?last=a&n=2>; REL="NEXT""#,
            r#"</x?last=a&n=2>; title="page 2, 3; rel=\"prev\""; rel="next""#,
            r#"</x?last=a&n=2>; rel=next; rel="prev""#,
            r#", </x?last=a&n=2>; crossorigin; rel=next,"#,
            "<?last=a&n=2#top>; rel=next",
            r#"</x?last=a&n=2>; rel=next, nonsense"#,
        ] {
            assert_eq!(of(&[link]), expected, "{link}");
        }
        assert_eq!(
            of(&["</x?p=0>; rel=first", "</x?last=a&n=2>; rel=next"]),
            expected
        );
        let comma = of(&["</x?last=a&cursor=x,y>; rel=next"]);
        assert_eq!(comma, Ok(Some("last=a&cursor=x,y".to_owned())));
    }

    #[test]
    fn list_without_a_link_to_a_next_page_ends() {
        for links in [
            &[][..],
            &[""],
            &[" , "],
            &["</x?p=1>; rel=prev, </x>; rel=\"first last\""],
        ] {
            assert_eq!(of(links), Ok(None), "{links:?}");
        }
    }

    #[test]
    fn link_header_that_cannot_be_read_is_no_end_of_a_list() {
        for link in [
            "nonsense",
            "</x?a=1",
            "</x?a=1> rel=next",
            "</x?a=1>; rel=\"next",
            "</x?a=1>",
            "</x?a=1>; rel=",
            "</x?a=1>; title=next",
            "</v2/_catalog>; rel=\"next\"",
            "</v2/_catalog?>; rel=\"next\"",
            "</x?p=0>; rel=prev; </x?a=1>; rel=next",
        ] {
            assert!(of(&[link]).is_err(), "{link}");
        }
    }

    proptest! {
        #[test]
        fn any_link_header_is_read_without_a_panic(link in "[<>;,=\" ?a-z\\\\é]{0,60}") {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, reqwest::header::HeaderValue::from_bytes(link.as_bytes()).unwrap());
            let _ = next_page(&headers);
        }
    }
}
