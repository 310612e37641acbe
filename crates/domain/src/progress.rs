//! How a change goes on, decided from what EC2 describes: before the call, after an unknown outcome, and while waiting.

use crate::change::{ChangeStatus, Difference, Request, expected, setting_differences};
use crate::instance::{Instance, InstanceState, MetadataOptions, OptionsState};

/// What to do with a change whose call has not been made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BeforeCall {
    Send,
    /// The instance is not as planned: the fields that moved.
    Outdated(Vec<Difference>),
    Gone,
}

/// Decides right before the call. `state` (applied or pending) may differ from the plan; the five settings may not.
pub fn before_call(planned: &MetadataOptions, fresh: Option<&Instance>) -> BeforeCall {
    let Some(instance) = fresh.filter(|instance| !instance.state.is_terminal()) else {
        return BeforeCall::Gone;
    };
    let moved = setting_differences(planned, &instance.metadata_options.unwrap_or_default());
    if moved.is_empty() { BeforeCall::Send } else { BeforeCall::Outdated(moved) }
}

/// What EC2's description says of a call that was made, or may have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AfterCall {
    /// The settings are as before: the call was not carried out, or is not visible yet.
    Unchanged,
    /// The settings are as asked, and not applied yet.
    NotYet,
    /// In effect, or for a stopped instance at its next start.
    Done(ChangeStatus),
    /// In effect, with other fields than asked changed as well.
    Different(Vec<Difference>),
    Gone,
}

/// Decides from a fresh description what became of a call.
pub fn after_call(before: &MetadataOptions, request: &Request, fresh: Option<&Instance>) -> AfterCall {
    let Some(instance) = fresh.filter(|instance| instance.state != InstanceState::Terminated) else {
        return AfterCall::Gone;
    };
    let Some(now) = instance.metadata_options else { return AfterCall::NotYet };
    let wanted = expected(before, request);
    let sent_is_there = now.http_tokens == wanted.http_tokens
        && request
            .http_put_response_hop_limit
            .is_none_or(|asked| now.http_put_response_hop_limit == Some(asked));
    if !sent_is_there {
        return AfterCall::Unchanged;
    }
    let others = setting_differences(&wanted, &now);
    match now.state {
        Some(OptionsState::Applied) if others.is_empty() => AfterCall::Done(ChangeStatus::Applied),
        Some(OptionsState::Applied) => AfterCall::Different(others),
        // A stopped instance stays `pending` until it is started.
        Some(OptionsState::Pending) | None if instance.state.applies_at_next_start() => {
            if others.is_empty() {
                AfterCall::Done(ChangeStatus::AtNextStart)
            } else {
                AfterCall::Different(others)
            }
        }
        Some(OptionsState::Pending) | None => AfterCall::NotYet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::HttpTokens;
    use crate::testing::{self, options};

    const BEFORE: MetadataOptions = options(HttpTokens::Optional);
    const REQUEST: Request = Request { http_tokens: HttpTokens::Required, http_put_response_hop_limit: None };

    fn instance(state: InstanceState, options: MetadataOptions) -> Instance {
        Instance { state, metadata_options: Some(options), ..testing::instance("i-1") }
    }

    fn after(state: InstanceState, options: MetadataOptions) -> AfterCall {
        after_call(&BEFORE, &REQUEST, Some(&instance(state, options)))
    }

    #[test]
    fn a_call_is_sent_only_to_the_instance_that_was_planned() {
        let running = |options| instance(InstanceState::Running, options);
        assert_eq!(before_call(&BEFORE, Some(&running(BEFORE))), BeforeCall::Send);
        let pending = MetadataOptions { state: Some(OptionsState::Pending), ..BEFORE };
        assert_eq!(before_call(&BEFORE, Some(&running(pending))), BeforeCall::Send);
        let moved = MetadataOptions { http_put_response_hop_limit: Some(1), ..BEFORE };
        assert!(matches!(before_call(&BEFORE, Some(&running(moved))), BeforeCall::Outdated(_)));
        assert_eq!(
            before_call(&BEFORE, Some(&instance(InstanceState::Terminated, BEFORE))),
            BeforeCall::Gone
        );
        assert_eq!(before_call(&BEFORE, None), BeforeCall::Gone);
    }

    #[test]
    fn waiting_ends_when_the_settings_are_applied() {
        let required = MetadataOptions { http_tokens: Some(HttpTokens::Required), ..BEFORE };
        let pending = MetadataOptions { state: Some(OptionsState::Pending), ..required };
        assert_eq!(after(InstanceState::Running, BEFORE), AfterCall::Unchanged);
        assert_eq!(after(InstanceState::Running, pending), AfterCall::NotYet);
        assert_eq!(after(InstanceState::Running, required), AfterCall::Done(ChangeStatus::Applied));
        assert_eq!(after(InstanceState::Stopped, pending), AfterCall::Done(ChangeStatus::AtNextStart));
        assert_eq!(after(InstanceState::Terminated, required), AfterCall::Gone);
    }

    #[test]
    fn a_field_that_was_not_sent_and_moved_is_told() {
        let moved = MetadataOptions {
            http_tokens: Some(HttpTokens::Required),
            http_put_response_hop_limit: Some(1),
            ..BEFORE
        };
        let AfterCall::Different(differences) = after(InstanceState::Running, moved) else {
            panic!("the hop limit moved without being asked to");
        };
        assert_eq!(differences[0].field, "http_put_response_hop_limit");
    }
}
