//! What the server answered, as signals: kept while it is asked again, so that nothing flickers, and never out of order.

use std::any::Any;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{AbortHandle, abortable};
use leptos::prelude::*;

use crate::api::ApiError;
use crate::live::Live;
use crate::reading::{Reading, effect};

/// How long to wait before asking again when the server could not be reached.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// A call of a server function, boxed so that the code around it is compiled once per answer and not once per call.
pub(crate) type Request<T> = Pin<Box<dyn Future<Output = Result<T, ApiError>>>>;

/// An answer with its state. The value stays while a newer one is fetched and when that fails.
pub(crate) struct Fetched<T: Send + Sync + 'static> {
    pub(crate) value: Answer<T>,
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

    /// As [`Fetched::retry`], where the page may be gone.
    pub(crate) fn try_retry(self) {
        self.attempt.try_update(|attempt| *attempt += 1);
    }

    /// Forgets the value, for a page that turns to another subject.
    pub(crate) fn clear(self) {
        self.value.erased.set(None);
        self.error.set(None);
    }
}

type Erased = Arc<dyn Any + Send + Sync>;

/// The last value, if any. It is kept without its type, so that the reactive graph is compiled for one kind of value and not
/// for each answer.
pub(crate) struct Answer<T> {
    erased: RwSignal<Option<Erased>>,
    kind: PhantomData<fn() -> T>,
}

impl<T> Clone for Answer<T> {
    fn clone(&self) -> Answer<T> {
        *self
    }
}

impl<T> Copy for Answer<T> {}

impl<T: Send + Sync + 'static> Answer<T> {
    /// Reads the value, subscribing to it.
    pub(crate) fn reading<R>(self, read: impl FnOnce(&Option<&T>) -> R) -> R {
        self.erased.reading(|erased| read(&erased.as_ref().and_then(|value| value.downcast_ref())))
    }

    /// Reads the value without subscribing to it.
    pub(crate) fn reading_untracked<R>(self, read: impl FnOnce(&Option<&T>) -> R) -> R {
        self.erased.reading_untracked(|erased| read(&erased.as_ref().and_then(|value| value.downcast_ref())))
    }

    pub(crate) fn is_known(self) -> bool {
        self.erased.reading(Option::is_some)
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
        value: Answer { erased: RwSignal::new(None), kind: PhantomData },
        error: RwSignal::new(None),
        loading: RwSignal::new(true),
        attempt: RwSignal::new(0),
    };
    let request = move || {
        let request = request()?;
        let erased = async move { request.await.map(|value| -> Erased { Arc::new(value) }) };
        Some(Box::pin(erased) as Request<Erased>)
    };
    let slot = Slot {
        value: fetched.value.erased,
        same: |one, other| one.downcast_ref::<T>() == other.downcast_ref::<T>(),
        error: fetched.error,
        loading: fetched.loading,
        attempt: fetched.attempt,
        live: expect_context(),
    };
    slot.follow(Box::new(request));
    fetched
}

/// Where an answer goes, whatever its type.
#[derive(Clone, Copy)]
struct Slot {
    value: RwSignal<Option<Erased>>,
    /// Whether two values are equal, so that pages are not built anew for what they show already.
    same: fn(&Erased, &Erased) -> bool,
    error: RwSignal<Option<ApiError>>,
    loading: RwSignal<bool>,
    attempt: RwSignal<u32>,
    live: Live,
}

impl Slot {
    fn follow(self, request: Box<dyn Fn() -> Option<Request<Erased>>>) {
        let running = StoredValue::new(None::<AbortHandle>);
        effect(move || {
            self.attempt.track();
            if let Some(running) = running.get_value() {
                running.abort();
            }
            let request = request();
            self.loading.set(request.is_some());
            if let Some(request) = request {
                running.set_value(Some(spawn(Box::pin(async move { self.take(request.await) }))));
            }
        });
        self.live.on_return(move || {
            if self.error.reading_untracked(|error| *error == Some(ApiError::Unauthenticated)) {
                self.attempt.update(|attempt| *attempt += 1);
            }
        });
        on_cleanup(move || {
            if let Some(Some(running)) = running.try_get_value() {
                running.abort();
            }
        });
    }

    fn take(self, answer: Result<Erased, ApiError>) {
        self.live.note(answer.as_ref().err());
        self.loading.set(false);
        match answer {
            Ok(value) => {
                let same =
                    |known: &Option<Erased>| known.as_ref().is_some_and(|known| (self.same)(known, &value));
                if !self.value.reading_untracked(same) {
                    self.value.set(Some(value));
                }
                if self.error.reading_untracked(Option::is_some) {
                    self.error.set(None);
                }
            }
            Err(error) => {
                let again = matches!(error, ApiError::Offline | ApiError::Unavailable { .. });
                if self.error.reading_untracked(|known| known.as_ref() != Some(&error)) {
                    self.error.set(Some(error));
                }
                if again {
                    // The page may be gone by then, which `try_` minds.
                    let retry = move || {
                        self.attempt.try_update(|attempt| *attempt += 1);
                    };
                    set_timeout(retry, RETRY_AFTER);
                }
            }
        }
    }
}

/// Runs a boxed task that can be aborted, and through it the request that it waits for.
pub(crate) fn spawn(task: Pin<Box<dyn Future<Output = ()>>>) -> AbortHandle {
    let (task, handle) = abortable(task);
    leptos::task::spawn_local(async move {
        // An aborted task has nothing to tell.
        let _ = task.await;
    });
    handle
}
