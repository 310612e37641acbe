//! Server-sent events: tells open pages what moved, under the store's sequence numbers, so that a page that was away misses
//! nothing.

use std::convert::Infallible;
use std::time::Duration;

use app::api::services::Permission;
use axum::Extension;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::response::sse::{Event, KeepAlive, Sse};
use domain::wire::Moved;
use fleet::Notice;
use futures::{Stream, StreamExt};
use http::{HeaderMap, HeaderValue};
use tokio_stream::wrappers::BroadcastStream;
use tokio_util::sync::CancellationToken;

use super::{Services, api};
use crate::auth::Who;

/// Below the 30 seconds after which CloudFront gives up on a silent origin.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) async fn stream(
    State(services): State<Services>,
    State(shutdown): State<CancellationToken>,
    Extension(Who(caller)): Extension<Who>,
    headers: HeaderMap,
) -> Response {
    let services = services.for_caller(caller);
    if let Err(error) = services.permit(Permission::View) {
        return api::error(error);
    }
    // Listening first: what moves while the missed ones are read is told twice rather than never.
    let live = BroadcastStream::new(services.fleet.notices());
    let missed = match last_event_id(&headers) {
        None => Vec::new(),
        Some(seq) => services.fleet.notices_after(seq).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "missed events cannot be read; the page is told to look again");
            everything(&services).into()
        }),
    };
    let told = missed.last().and_then(|notice| notice.seq).unwrap_or_default();
    let (seeing, ended) = (services.clone(), services.session_ended());
    let live = live.flat_map(move |notice| {
        futures::stream::iter(match notice {
            Ok(notice) if notice.seq.is_some_and(|seq| seq <= told) => Vec::new(),
            Ok(notice) => vec![notice],
            // The page fell behind: it looks at everything again.
            Err(_) => everything(&services).into(),
        })
    });
    let events = futures::stream::iter(missed)
        .chain(live)
        .filter_map(move |notice| in_sight(seeing.clone(), notice))
        .map(|notice| Ok(event(&notice)));
    let events = events.take_until(shutdown.cancelled_owned()).take_until(Box::pin(ended));
    let mut response =
        Sse::new(boxed(events)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    // nginx would hold events back until its buffer is full.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

fn boxed(
    events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static,
) -> futures::stream::BoxStream<'static, Result<Event, Infallible>> {
    events.boxed()
}

/// What the caller sees of what moved, if anything.
async fn in_sight(services: Services, mut notice: Notice) -> Option<Notice> {
    let sees = match &mut notice.moved {
        Moved::Fleet { .. } => true,
        Moved::Change { key, .. } => services.sees(&key.source),
        Moved::Delivery { services: names } => {
            let all = names.is_empty();
            names.retain(|name| services.sees_service(name));
            all || !names.is_empty()
        }
        Moved::Gitops { operation: None } => true,
        Moved::Gitops { operation: Some(id) } => services.sees_operation_named(id).await,
    };
    sees.then_some(notice)
}

fn everything(services: &Services) -> [Notice; 3] {
    let fleet = Moved::Fleet { revision: services.fleet.view().revision };
    [fleet, Moved::Delivery { services: Vec::new() }, Moved::Gitops { operation: None }]
        .map(|moved| Notice { seq: None, moved })
}

fn event(notice: &Notice) -> Event {
    let mut event = Event::default().event("moved");
    if let Some(seq) = notice.seq {
        event = event.id(seq.to_string());
    }
    event.json_data(&notice.moved).unwrap_or_else(|error| {
        tracing::error!(%error, "an event cannot be written");
        Event::default().comment("left out")
    })
}

fn last_event_id(headers: &HeaderMap) -> Option<i64> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}
