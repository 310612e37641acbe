//! What a page has the server do, one at a time, and what is said of how it went.

use leptos::prelude::*;

use crate::api::ApiError;
use crate::fetched::{Request, spawn};
use crate::live::Live;
use crate::problem::Problem;
use crate::reading::Reading;
use crate::session::Session;
use crate::ui::Toasts;

/// Each page and dialog has its own.
#[derive(Clone, Copy)]
pub(crate) struct Deed {
    pub(crate) under_way: RwSignal<bool>,
    failure: RwSignal<Option<ApiError>>,
    live: Live,
    session: Session,
    toasts: Toasts,
}

impl Deed {
    pub(crate) fn new() -> Deed {
        Deed {
            under_way: RwSignal::new(false),
            failure: RwSignal::new(None),
            live: expect_context(),
            session: expect_context(),
            toasts: expect_context(),
        }
    }

    /// Sends `request`, unless another is under way; says `done` where it succeeds, and runs `after` in any case.
    pub(crate) fn run(self, request: Request<()>, done: &'static str, after: Box<dyn FnOnce()>) {
        if self.under_way.get_untracked() {
            return;
        }
        self.under_way.set(true);
        self.failure.set(None);
        spawn(Box::pin(async move {
            let answer = request.await;
            self.live.note(answer.as_ref().err());
            // The page may be gone by now, and what it would show with it.
            self.under_way.try_set(false);
            match answer {
                Ok(()) => self.toasts.say(done.into()),
                Err(error) => {
                    self.session.ask();
                    self.failure.try_set(Some(error));
                }
            }
            after();
        }));
    }

    /// Runs `again` once somebody is signed in again, where the last one failed because nobody was.
    pub(crate) fn again_on_return(self, again: Box<dyn Fn()>) {
        self.live.on_return(move || {
            if self.failure.reading_untracked(|failure| *failure == Some(ApiError::Unauthenticated)) {
                again();
            }
        });
    }

    /// Why the last one failed.
    pub(crate) fn problem(self) -> AnyView {
        let problem = move || self.failure.get().map(|error| view! { <Problem error /> });
        view! { {move || problem().into_any()} }.into_any()
    }
}
