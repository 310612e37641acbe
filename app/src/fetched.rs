//! What the server answered, as signals: kept while it is asked again, so that nothing flickers, and never out of order.

use std::pin::Pin;
use std::time::Duration;

use futures::future::{AbortHandle, abortable};
use leptos::prelude::*;

use crate::api::ApiError;
use crate::live::Live;

/// How long to wait before asking again when the server could not be reached.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// A call of a server function, boxed so that the code around it is compiled once per answer and not once per call.
pub(crate) type Request<T> = Pin<Box<dyn Future<Output = Result<T, ApiError>>>>;

/// An answer with its state. The value stays while a newer one is fetched and when that fails.
pub(crate) struct Fetched<T: Send + Sync + 'static> {
    pub(crate) value: RwSignal<Option<T>>,
    pub(crate) error: RwSignal<Option<ApiError>>,
    pub(crate) loading: RwSignal<bool>,
    attempt: RwSignal<u32>,
}

impl<T: Send + Sync + 'static> Clone for Fetched<T> {
    fn clone(&self) -> Fetched<T> {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Fetched<T> {}

impl<T: Send + Sync + 'static> Fetched<T> {
    /// Asks again.
    pub(crate) fn retry(self) {
        self.attempt.update(|attempt| *attempt += 1);
    }

    /// Forgets the value, for a page that turns to another subject.
    pub(crate) fn clear(self) {
        self.value.set(None);
        self.error.set(None);
    }
}

/// Runs `request` now and whenever a signal that it reads changes. A request that is overtaken is aborted.
pub(crate) fn fetched<T>(request: impl Fn() -> Request<T> + 'static) -> Fetched<T>
where
    T: PartialEq + Send + Sync + 'static,
{
    fetched_when(move || Some(request()))
}

/// As [`fetched`], but asks nothing while `request` answers `None`.
pub(crate) fn fetched_when<T>(request: impl Fn() -> Option<Request<T>> + 'static) -> Fetched<T>
where
    T: PartialEq + Send + Sync + 'static,
{
    let fetched = Fetched {
        value: RwSignal::new(None),
        error: RwSignal::new(None),
        loading: RwSignal::new(true),
        attempt: RwSignal::new(0),
    };
    let live = expect_context::<Live>();
    Effect::new(move |running: Option<Option<AbortHandle>>| {
        fetched.attempt.track();
        if let Some(Some(running)) = running {
            running.abort();
        }
        let Some(request) = request() else {
            fetched.loading.set(false);
            return None;
        };
        let (request, handle) = abortable(request);
        on_cleanup({
            let handle = handle.clone();
            move || handle.abort()
        });
        fetched.loading.set(true);
        leptos::task::spawn_local(async move {
            let Ok(answer) = request.await else { return };
            // The owner may be gone by now, which `try_` tells and panics would not forgive.
            let _ = fetched.loading.try_set(false);
            live.note(answer.as_ref().err());
            match answer {
                Ok(value) => {
                    let same = fetched.value.try_with_untracked(|known| known.as_ref() == Some(&value));
                    if same == Some(false) {
                        fetched.value.try_set(Some(value));
                    }
                    if fetched.error.try_with_untracked(Option::is_some) == Some(true) {
                        fetched.error.try_set(None);
                    }
                }
                Err(error) => {
                    let again = matches!(error, ApiError::Offline | ApiError::Unavailable { .. });
                    fetched.error.try_set(Some(error));
                    if again {
                        set_timeout(
                            move || {
                                fetched.attempt.try_update(|attempt| *attempt += 1);
                            },
                            RETRY_AFTER,
                        );
                    }
                }
            }
        });
        Some(handle)
    });
    fetched
}
