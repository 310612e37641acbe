//! Who is asking, followed for as long as the page lives: a session that ends under an open page is begun anew in a second
//! tab, and everything goes on where it was.

use domain::access::Permission;
use domain::wire::SessionInfo;
use leptos::prelude::*;

use crate::api::{self, ApiError};
use crate::browser;
use crate::fetched::{Fetched, fetched};
use crate::format::joined;
use crate::live::Live;
use crate::pages;
use crate::paths;
use crate::reading::{Reading, effect, on_change};
use crate::ui::Dialog;

/// What a tab writes when somebody is signed in, so that the others look again.
const TOLD: &str = "signed-in";

/// Who is asking; provided as context.
#[derive(Clone, Copy)]
pub(crate) struct Session {
    pub(crate) info: Fetched<SessionInfo>,
    /// The dialog that a session's end opens.
    ended: RwSignal<bool>,
}

impl Session {
    /// Asks who it is, and again whenever an answer makes that doubtful.
    pub(crate) fn start(live: Live) -> Session {
        let info = fetched(|| Box::pin(api::session_info()));
        let session = Session { info, ended: RwSignal::new(false) };
        on_change(
            move || live.refused.track(),
            move || {
                if !session.is_nobody_untracked() && !info.loading.get_untracked() {
                    info.retry();
                }
            },
        );
        let known_as = StoredValue::new(None::<String>);
        effect(move || {
            let nobody = session.is_nobody();
            // An outage leaves open whether there is a session.
            if !nobody && info.error.reading(Option::is_some) || live.nobody.get_untracked() == nobody {
                return;
            }
            live.nobody.set(nobody);
            session.ended.set(untrack(|| session.has_ended()));
        });
        effect(move || {
            if session.is_nobody() {
                return;
            }
            let Some(actor) = info.value.reading(|info| info.as_ref().map(|info| info.actor.clone())) else {
                return;
            };
            // What one person typed and saw must not go on under another's name.
            if known_as.with_value(|known| known.as_ref().is_some_and(|known| *known != actor)) {
                return browser::reload();
            }
            known_as.set_value(Some(actor));
            browser::store(TOLD, &browser::random_key());
        });
        // Another tab may have signed in: it says so, and where it cannot, one comes back from it.
        for event in ["storage", "focus"] {
            browser::listen(&window(), event, move |_| {
                if session.is_nobody_untracked() {
                    info.retry();
                }
            });
        }
        session
    }

    /// The last answer was that nobody is signed in.
    pub(crate) fn is_nobody(self) -> bool {
        self.info.error.reading(|error| *error == Some(ApiError::Unauthenticated))
    }

    fn is_nobody_untracked(self) -> bool {
        untrack(|| self.is_nobody())
    }

    /// Nobody was signed in since the page was loaded, so that there is nothing to show.
    pub(crate) fn is_closed(self) -> bool {
        self.is_nobody() && !self.info.value.is_known()
    }

    /// The session ended under an open page.
    pub(crate) fn has_ended(self) -> bool {
        self.is_nobody() && self.info.value.is_known()
    }

    /// Shows again how to go on, where that was put away and something was tried that needs a session.
    pub(crate) fn ask(self) {
        if untrack(|| self.has_ended()) {
            self.ended.set(true);
        }
    }

    /// Whether there is a session, which a local operator has none of; `None` while that is unknown.
    pub(crate) fn signed_in(self) -> Option<bool> {
        self.info.value.reading(|info| info.map(|info| info.signed_in))
    }

    /// Whether the roles include `permission` for anything; not while that is unknown.
    pub(crate) fn may(self, permission: Permission) -> bool {
        self.info
            .value
            .reading(|info| info.as_ref().is_some_and(|info| info.permissions.contains(&permission)))
    }

    /// Why nothing can be changed at all; `None` where the instance decides, and while it is unknown.
    pub(crate) fn change_denied(self) -> Option<String> {
        self.info.value.reading(|info| {
            let info = info.as_ref()?;
            info.read_only.clone().or_else(|| denied(&info.permissions, Permission::Change))
        })
    }
}

/// Why something that needs `permission` is not offered.
fn denied(held: &[Permission], needed: Permission) -> Option<String> {
    let roles: Vec<&str> = needed.roles().map(|role| role.as_str()).collect();
    (!held.contains(&needed))
        .then(|| joined(&["This needs the role ", &roles.join(" or "), ". Ask an administrator for it."]))
}

/// Stands over the open page until somebody is signed in again.
#[component]
pub(crate) fn SessionEnded() -> AnyView {
    let session: Session = expect_context();
    let content = move || {
        let actor = session
            .info
            .value
            .reading_untracked(|info| info.as_ref().map(|info| info.actor.clone()).unwrap_or_default());
        view! {
            <p>
                "Sign in again as " <b>{actor}</b>
                ", in a new tab. This page waits and then goes on where it is: nothing that you typed is lost."
            </p>
            {pages::issuers(paths::SIGNED_IN.to_owned(), true)}
        }
        .into_any()
    };
    view! { <Dialog open=session.ended id="ended-title" title="Your session has ended" content /> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_held_is_explained() {
        let viewer = [Permission::View];
        assert_eq!(denied(&viewer, Permission::View), None);
        assert_eq!(
            denied(&viewer, Permission::Change).as_deref(),
            Some("This needs the role operator or administrator. Ask an administrator for it.")
        );
    }
}
