//! Lists that a registry sends page by page: tags, repositories, referrers.

use super::{
    problem::LookupError,
    requests::{ask::Answer, host::Host},
    transport::{link, request_spec::RequestSpec},
};

/// More pages than any list has.
const MAX_PAGES: usize = 10_000;

/// The most bytes of all pages of a list: a million names of 30 bytes.
const MAX_BYTES: usize = 32 * 1024 * 1024;

impl Host {
    /// Requests a list with all its pages. `take` reads each page, and returns how many entries it has that were on no earlier page. Returns
    /// the first answer if it is no success, for instance because there is no such list.
    ///
    /// # Errors
    ///
    /// [`LookupError::Unknown`] where any page cannot be read, or the list has no end: a part of a list is never taken for all of it.
    pub async fn ask_for_pages(
        &self,
        mut request_spec: RequestSpec,
        mut take: impl FnMut(&Answer) -> Result<usize, LookupError>,
    ) -> Result<Option<Answer>, LookupError> {
        let mut bytes = 0;
        for page in 1..=MAX_PAGES {
            let answer = self.ask(&request_spec).await?;
            let bad = |problem: String| LookupError::bad_reply(problem, answer.asked.clone());
            if answer.response.status != 200 {
                return match page {
                    1 => Ok(Some(answer)),
                    _ => Err(bad("a page of its list is missing".to_owned())),
                };
            }
            let new = take(&answer)?;
            bytes += answer.response.body.len();
            let next = link::next_page(&answer.response.headers).map_err(bad)?;
            let Some(next) = next else {
                return Ok(None);
            };
            if new == 0 {
                return Err(bad(
                    "its list goes on after a page with nothing new".to_owned()
                ));
            }
            if bytes > MAX_BYTES || page == MAX_PAGES {
                return Err(bad("its list has no end".to_owned()));
            }
            request_spec = request_spec.with(|more| more.query = next);
        }
        Ok(None)
    }
}
