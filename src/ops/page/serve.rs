//! Serves the status page without the loop, from the state directory alone.

use std::net::SocketAddr;

use jiff::SignedDuration;

use crate::{
    error::Result,
    listen::{Pages, Server, Sources},
    ops::{
        App,
        event::{Event, EventSink},
    },
    sys::{
        loop_health::LoopHealth,
        signal::{Signal, Stop},
    },
};

use super::{StatusPage, access};

/// Serves the page at an address until it is stopped. Changes nothing.
///
/// # Errors
///
/// [`crate::error::Kind::Invalid`] where the page would be public without a token; [`crate::error::Kind::Failed`] where the address cannot be
/// bound.
pub async fn serve(
    app: &App,
    address: SocketAddr,
    stop: &Stop,
    events: &EventSink<'_>,
) -> Result<Signal> {
    let page = StatusPage::start(app)?;
    let pages = Pages {
        metrics: None,
        page: Some(page.source()),
        loop_health: LoopHealth::new(app.clock.now(), SignedDuration::MAX),
    };
    let sources = Sources::default().with_page(access(app)?);
    let server = Server::start(address, sources, app.clock.clone(), pages)?;
    events.send(Event::Note(format!(
        "the page is at http://{}",
        server.address()
    )));
    Ok(stop.wait().await)
}
