//! One list that is followed: listed once, then watched, and taken up again when the watch ends.
//!
//! kube's own `watcher` tells neither bookmarks nor that it was taken up again, and by these a quiet watch is known from a dead one.

use std::fmt::Debug;
use std::time::Duration;

use futures::{StreamExt as _, TryFutureExt as _};
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use kube::core::{ApiResource, Status};
use kube::runtime::watcher::DefaultBackoff;
use kube::{Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, timeout};

use super::kind::{Kind, Object};

/// The longest list or beginning of a watch.
const CALL: Duration = Duration::from_secs(30);
/// After which the server is to end a watch.
const WATCH_SECONDS: u32 = 240;
/// A watch that says nothing for so long, not even a bookmark, is dead.
const SILENCE: Duration = Duration::from_secs(360);
/// A watch that ends sooner is not taken up again at once.
const SHORT: Duration = Duration::from_secs(1);
const PAGE: u32 = 500;

/// A kind, in one namespace or in all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WatchId {
    pub kind: Kind,
    pub namespace: Option<String>,
}

/// Namespace and name.
pub(super) type Key = (String, String);

/// What a watch says.
#[derive(Debug)]
pub(super) enum Report {
    /// All that there is.
    Listed(Vec<(Key, Object)>),
    Seen(Key, Object),
    Gone(Key),
    /// It is followed from here on.
    Following,
    /// The cluster does not have the kind.
    NotServed,
    Failed(Problem),
}

/// Why a list cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub verb: &'static str,
    pub why: Why,
    pub message: String,
}

/// What kind of problem it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// 401: whoever asks is not known any more.
    Unauthorized,
    /// 403: it is not allowed.
    Forbidden,
    /// 404: the cluster does not have the kind.
    NotFound,
    /// 410: what came since is not kept any more.
    Gone,
    /// Anything else, which may pass.
    Other,
}

/// How a kind is followed.
pub(super) struct Follow<K> {
    pub id: WatchId,
    pub api: Api<K>,
    pub client: Client,
    /// The one object that is asked for, where it is one.
    pub name: Option<&'static str>,
    /// Before a kind that is not served is looked for again.
    pub look_again: Duration,
    pub to: Sender<(WatchId, Report)>,
}

impl<K> Follow<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    /// Follows until nobody wants to know any more. `project` takes what counts of an object, or nothing.
    pub(super) async fn run(self, project: impl Fn(K) -> Option<Object> + Send) {
        let mut backoff = DefaultBackoff::default();
        // Where the list was last known to be; `None` before it was listed.
        let mut version: Option<String> = None;
        loop {
            let outcome = match version.take() {
                None => self.list(&project).await,
                Some(version) => self.watch(version, &project).await,
            };
            let wait = match outcome {
                Ok(Next::From(at)) => {
                    version = Some(at);
                    continue;
                }
                Ok(Next::Again(at)) => {
                    version = at;
                    backoff.next()
                }
                Err(Stop::Closed) => return,
                Err(Stop::Problem(problem, at)) => {
                    version = at;
                    let absent = self.is_absent(&problem).await;
                    let report = if absent { Report::NotServed } else { Report::Failed(problem) };
                    if self.tell(report).await.is_err() {
                        return;
                    }
                    if absent { Some(self.look_again) } else { backoff.next() }
                }
            };
            tokio::time::sleep(wait.unwrap_or(SHORT)).await;
        }
    }

    async fn list(&self, project: &impl Fn(K) -> Option<Object>) -> Result<Next, Stop> {
        let mut parameters =
            ListParams { field_selector: self.selector(), ..ListParams::default() }.limit(PAGE);
        let mut objects = Vec::new();
        loop {
            let page = call("list", self.api.list(&parameters).map_err(Wrong::from)).await;
            let page = page.map_err(|problem| Stop::Problem(problem, None))?;
            let metadata = page.metadata;
            objects.extend(page.items.into_iter().filter_map(|object| self.keyed(object, project)));
            match metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => parameters.continue_token = Some(token),
                None => {
                    self.tell(Report::Listed(objects)).await?;
                    return match metadata.resource_version.filter(|version| !version.is_empty()) {
                        Some(version) => Ok(Next::From(version)),
                        None => Err(Stop::other("list", "the list came without a resource version")),
                    };
                }
            }
        }
    }

    async fn watch(&self, mut version: String, project: &impl Fn(K) -> Option<Object>) -> Result<Next, Stop> {
        let mut parameters = WatchParams { field_selector: self.selector(), ..WatchParams::default() };
        parameters.timeout = Some(WATCH_SECONDS);
        let begun = Instant::now();
        let events = match call("watch", self.api.watch(&parameters, &version).map_err(Wrong::from)).await {
            Ok(events) => events,
            Err(problem) if problem.why == Why::Gone => return Ok(Next::Again(None)),
            Err(problem) => return Err(Stop::Problem(problem, Some(version))),
        };
        let mut events = std::pin::pin!(events);
        self.tell(Report::Following).await?;
        loop {
            let event = match timeout(SILENCE, events.next()).await {
                Ok(Some(event)) => event,
                // The server ends each watch after a while.
                Ok(None) if begun.elapsed() > SHORT => return Ok(Next::From(version)),
                Ok(None) => return Ok(Next::Again(Some(version))),
                Err(_) => {
                    let message = format!("nothing came for {} s, not even a bookmark", SILENCE.as_secs());
                    return Err(Stop::Problem(
                        Problem { verb: "watch", why: Why::Other, message },
                        Some(version),
                    ));
                }
            };
            match event {
                Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) => {
                    version = object.resource_version().unwrap_or(version);
                    let key = key_of(&object);
                    let report = match project(object) {
                        Some(object) => Report::Seen(key, object),
                        None => Report::Gone(key),
                    };
                    self.tell(report).await?;
                }
                Ok(WatchEvent::Deleted(object)) => {
                    version = object.resource_version().unwrap_or(version);
                    self.tell(Report::Gone(key_of(&object))).await?;
                }
                Ok(WatchEvent::Bookmark(bookmark)) => version = bookmark.metadata.resource_version,
                // What came since is not kept any more: everything is listed anew.
                Ok(WatchEvent::Error(status)) if status.code == 410 => return Ok(Next::Again(None)),
                Ok(WatchEvent::Error(status)) => {
                    return Err(Stop::Problem(Problem::of("watch", &Wrong::Refused(status)), None));
                }
                Err(kube::Error::Api(status)) if status.code == 410 => return Ok(Next::Again(None)),
                Err(error) => {
                    return Err(Stop::Problem(Problem::of("watch", &Wrong::from(error)), Some(version)));
                }
            }
        }
    }

    fn selector(&self) -> Option<String> {
        self.name.map(|name| format!("metadata.name={name}"))
    }

    fn keyed(&self, object: K, project: &impl Fn(K) -> Option<Object>) -> Option<(Key, Object)> {
        let key = key_of(&object);
        Some((key, project(object)?))
    }

    /// Whether the cluster does not have the kind. Without a permission the answer is 403 for what there is not, too.
    async fn is_absent(&self, problem: &Problem) -> bool {
        let Some(resource) = self.id.kind.custom() else { return false };
        problem.why == Why::NotFound
            || problem.why == Why::Forbidden && is_served(&self.client, &resource).await == Some(false)
    }

    async fn tell(&self, report: Report) -> Result<(), Stop> {
        self.to.send((self.id.clone(), report)).await.map_err(|_| Stop::Closed)
    }
}

/// Whether a cluster has a kind; `None` where it does not say.
pub(super) async fn is_served(client: &Client, resource: &ApiResource) -> Option<bool> {
    match timeout(CALL, client.list_api_group_resources(&resource.api_version)).await.ok()? {
        Ok(list) => Some(list.resources.iter().any(|one| one.name == resource.plural)),
        Err(kube::Error::Api(status)) if status.code == 404 => Some(false),
        Err(_) => None,
    }
}

/// Where to go on.
enum Next {
    /// From a version of the list, at once.
    From(String),
    /// After a while, from a version or anew.
    Again(Option<String>),
}

enum Stop {
    /// Nobody listens.
    Closed,
    /// To go on from a version, or anew.
    Problem(Problem, Option<String>),
}

impl Stop {
    fn other(verb: &'static str, message: &str) -> Stop {
        Stop::Problem(Problem { verb, why: Why::Other, message: message.to_owned() }, None)
    }
}

/// What went wrong with a call.
pub(super) enum Wrong {
    Refused(Box<Status>),
    Failed(kube::Error),
}

impl From<kube::Error> for Wrong {
    fn from(error: kube::Error) -> Wrong {
        match error {
            kube::Error::Api(status) => Wrong::Refused(status),
            other => Wrong::Failed(other),
        }
    }
}

impl Problem {
    pub(super) fn of(verb: &'static str, wrong: &Wrong) -> Problem {
        let (why, message) = match wrong {
            Wrong::Refused(status) => match status.code {
                401 => (Why::Unauthorized, "the cluster does not accept the credentials".to_owned()),
                403 => (Why::Forbidden, status.message.clone()),
                404 => (Why::NotFound, "the cluster does not have it".to_owned()),
                410 => (Why::Gone, status.message.clone()),
                code => (Why::Other, format!("HTTP {code}: {}", status.message)),
            },
            Wrong::Failed(error) => (Why::Other, root_cause(error)),
        };
        Problem { verb, why, message }
    }
}

/// A call with a limit to how long it takes.
pub(super) async fn call<T>(
    verb: &'static str,
    call: impl Future<Output = Result<T, Wrong>>,
) -> Result<T, Problem> {
    match timeout(CALL, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(wrong)) => Err(Problem::of(verb, &wrong)),
        Err(_) => {
            let message = format!("no answer within {} s", CALL.as_secs());
            Err(Problem { verb, why: Why::Other, message })
        }
    }
}

/// The innermost cause: the outer ones say only that a request failed.
pub(super) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn key_of<K: Resource>(object: &K) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

#[cfg(test)]
mod tests;
