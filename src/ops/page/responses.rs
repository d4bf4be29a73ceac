//! Responses that need no data of tasks.

use crate::{
    listen::{PageBody, PageRequest, PageResponse},
    page,
};

pub const HTML: &str = "text/html; charset=utf-8";

pub fn whole(status: u16, kind: &'static str, text: String) -> PageResponse {
    PageResponse {
        status,
        kind,
        tag: None,
        body: PageBody::Whole(text.into_bytes()),
    }
}

/// Returns the response to a request that is too much.
pub fn busy() -> PageResponse {
    let text = page::problem(
        "Too much at once",
        "This page is asked for too often. Try again in a moment.",
    );
    whole(503, HTML, text)
}

/// Returns the form that asks for the access token.
pub fn login(request: &PageRequest) -> PageResponse {
    let why = match request.field("why").as_deref() {
        Some("slow") => Some("Too many wrong tokens. Try again in a minute."),
        Some(_) => Some("This is not the token."),
        None => None,
    };
    let next = request.field("next").unwrap_or_else(|| "/".to_owned());
    whole(200, HTML, page::login(&next, why))
}
