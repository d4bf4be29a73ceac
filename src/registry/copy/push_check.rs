//! Finds out before a build whether its push would be refused: begins the upload with which each push begins, and cancels it at once.

use reqwest::Method;

use crate::{
    image::Reference,
    registry::{
        auth::flow::Authorization,
        client::{Registries, refusal},
        problem::LookupError,
        requests::{ask::Answer, attempt::Attempt, outcome::AttemptFailure},
        transport::request_spec::RequestSpec,
    },
};

use super::upload_part::next;

impl Registries {
    /// Returns why the registry of `image` refuses a push with the configured credential. A registry that does not answer, or fails, does
    /// not count as a refusal: it may work again when the build has ended.
    ///
    /// A token proves nothing: services grant one for less than requested. `POST …/blobs/uploads/` is the first request of any push and
    /// needs the same permission; no byte is sent and no tag is changed, and `DELETE` cancels the upload where the registry supports that.
    /// There is one try, without pauses.
    pub async fn push_refusal(&self, image: &Reference) -> Option<LookupError> {
        let host = self.host_of(image).ok()?;
        let _slot = host.limits.enter(&host.clock).await.ok()?;
        let begin = RequestSpec::begin_upload(image, None);
        let mut attempt = Attempt::new(&host, &begin);
        let mut authorization = Authorization::Nothing;
        let response = match attempt.send(&mut authorization).await {
            Ok(response) => response,
            Err(AttemptFailure::Final(error)) => {
                return Some(error).filter(LookupError::is_refused);
            }
            Err(AttemptFailure::TransportError(..)) => return None,
        };
        match response.status {
            202 => {
                let from = begin.url(&host.origin);
                if let Ok(upload) = next(&host.guard, &from, &response.headers) {
                    let end = RequestSpec::upload(Method::DELETE, image, upload);
                    // Registries drop an upload that is not continued.
                    let _ = Attempt::new(&host, &end).send(&mut authorization).await;
                }
                None
            }
            401 | 403 => {
                let asked = attempt.destination.asked_first();
                Some(refusal(&Answer::new(response, asked, &authorization)))
            }
            _ => None,
        }
    }
}
