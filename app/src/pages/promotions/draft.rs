//! What is filled in for an operation, and what it comes to as something that can be asked for.

use domain::delivery::{EnvironmentName, Place, ServiceName};
use domain::gitops::{Ask, AskKind, Return};
use domain::time::Timestamp;
use domain::wire::gitops::{PlaceView, PromotionBoard};

use super::words;
use crate::format::joined;

/// The choice of a time instead of a span.
pub(super) const AT: &str = "at";

/// What is filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) kind: AskKind,
    /// Services by name, each with the tag that it is to go back to, where one is typed. A few, so that a list is enough.
    pub(super) services: Vec<(String, String)>,
    pub(super) environments: Vec<String>,
    /// How long a freeze lasts, in seconds; empty is until somebody resumes, [`AT`] until the time in `until`.
    pub(super) lasts: String,
    /// As the browser's own field has it: `2026-11-22T10:00`, in UTC.
    pub(super) until: String,
    pub(super) bypass: String,
}

/// A service that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) service: String,
    /// What is to be known of it: the tags now and next, who holds it.
    pub(super) note: String,
    /// Why it cannot be chosen.
    pub(super) refusal: Option<&'static str>,
}

impl Draft {
    /// What is filled in before anybody does: for the services named, or for all that it makes sense for, where none is.
    pub(super) fn of(
        kind: AskKind,
        board: &PromotionBoard,
        services: &[String],
        environment: Option<&str>,
    ) -> Draft {
        let mut draft = Draft {
            kind,
            services: Vec::new(),
            environments: Vec::new(),
            lasts: String::new(),
            until: String::new(),
            bypass: String::new(),
        };
        let is_meant = |service: &str| services.is_empty() || services.iter().any(|meant| meant == service);
        let names = || board.environments.iter().map(|row| row.name.as_str());
        let has = |name: &str, wanted: fn(&PlaceView) -> bool| {
            board
                .services
                .iter()
                .any(|row| is_meant(&row.service) && place(board, &row.service, name).is_some_and(wanted))
        };
        let held = |place: &PlaceView| !place.cell.holds.is_empty();
        match (kind, environment) {
            (_, Some(name)) => draft.environments.push(name.to_owned()),
            (AskKind::Promote, None) => {
                let first = names().find(|name| has(name, |place| place.can_receive));
                draft.environments.extend(first.or(names().nth(1)).map(str::to_owned));
            }
            (AskKind::Resume, None) => {
                draft.environments.extend(names().filter(|name| has(name, held)).map(str::to_owned));
            }
            (AskKind::Revert, None) => draft.environments.extend(names().next_back().map(str::to_owned)),
            // Nobody freezes everything by leaving a field as it was.
            (AskKind::Freeze, None) => {}
        }
        let every = match kind {
            AskKind::Promote | AskKind::Freeze | AskKind::Resume => true,
            AskKind::Revert => !services.is_empty(),
        };
        if every {
            let chosen = draft.choices(board).into_iter().filter(|choice| choice.refusal.is_none());
            let chosen = chosen.filter(|choice| is_meant(&choice.service));
            draft.services = chosen.map(|choice| (choice.service, String::new())).collect();
        }
        draft
    }

    /// The services that can be chosen for the environments that are.
    pub(super) fn choices(&self, board: &PromotionBoard) -> Vec<Choice> {
        board
            .services
            .iter()
            .filter_map(|row| {
                let (note, refusal) = self.choice(board, &row.service)?;
                Some(Choice { service: row.service.clone(), note, refusal })
            })
            .collect()
    }

    /// What is to be known of a service, and why it cannot be chosen; `None` of one that it makes no sense for.
    fn choice(&self, board: &PromotionBoard, service: &str) -> Option<(String, Option<&'static str>)> {
        let at = |name: &str| place(board, service, name);
        let views: Vec<(&String, &PlaceView)> =
            self.environments.iter().filter_map(|name| Some((name, at(name)?))).collect();
        let yours = views.iter().any(|(_, view)| view.may_release);
        let refused = (!views.is_empty() && !yours).then_some("not yours to change");
        let tag = |view: &PlaceView| view.desired.clone().unwrap_or_else(|| "no tag".to_owned());
        match self.kind {
            AskKind::Promote => {
                let (to, view) = views.first().copied()?;
                let source = at(before(board, to)?)?;
                let note = joined(&[&tag(view), " → ", &tag(source)]);
                let refusal = match (&source.desired, view.can_receive) {
                    (_, true) => None,
                    (None, false) => Some("no tag to take on"),
                    (Some(_), false) if !view.cell.holds.is_empty() => Some("held: resume it first"),
                    (Some(_), false) => Some("there already"),
                };
                Some((note, refused.or(refusal)))
            }
            AskKind::Revert => {
                let (_, view) = views.first().copied()?;
                Some((joined(&["now ", &tag(view)]), refused))
            }
            AskKind::Freeze => Some((String::new(), refused)),
            AskKind::Resume => {
                let holds: Vec<String> = views
                    .iter()
                    .flat_map(|(name, view)| view.cell.holds.iter().map(move |hold| (name, hold)))
                    .map(|(name, hold)| {
                        joined(&[words::hold_kind(hold), " in ", name, " by ", &hold.by, ": ", &hold.reason])
                    })
                    .collect();
                (!holds.is_empty()).then(|| (holds.join("; "), refused))
            }
        }
    }

    /// As something that can be asked for.
    ///
    /// # Errors
    /// What is missing, or cannot be used.
    pub(super) fn ask(&self, board: &PromotionBoard, now: Timestamp) -> Result<Ask, &'static str> {
        if self.environments.is_empty() {
            return Err("Choose at least one environment.");
        }
        let choices = self.choices(board);
        let is_open = |service: &str| {
            choices.iter().any(|choice| choice.service == service && choice.refusal.is_none())
        };
        let services: Vec<&(String, String)> =
            self.services.iter().filter(|(service, _)| is_open(service)).collect();
        if services.is_empty() {
            return Err("Choose at least one service.");
        }
        let name =
            |name: &str| EnvironmentName::parse(name).map_err(|_| "An environment has no usable name.");
        let service = |name: &str| ServiceName::parse(name).map_err(|_| "A service has no usable name.");
        let one = || self.environments.first().map(String::as_str).unwrap_or_default();
        match self.kind {
            AskKind::Promote => {
                let to = one();
                let from = before(board, to).ok_or("Nothing comes before this environment.")?;
                let services =
                    services.into_iter().map(|(name, _)| service(name)).collect::<Result<_, _>>()?;
                Ok(Ask::Promote { services, from: name(from)?, to: name(to)? })
            }
            AskKind::Revert => {
                let back = |(name, tag): &(String, String)| {
                    let tag = Some(tag.trim().to_owned()).filter(|tag| !tag.is_empty());
                    Ok(Return { service: service(name)?, tag })
                };
                let returns = services.into_iter().map(back).collect::<Result<_, &'static str>>()?;
                Ok(Ask::Revert { environment: name(one())?, returns })
            }
            AskKind::Freeze | AskKind::Resume => {
                let mut places = Vec::new();
                for (one, _) in services {
                    for environment in &self.environments {
                        if place(board, one, environment).is_some_and(|place| self.reaches(place)) {
                            places.push(Place { service: service(one)?, environment: name(environment)? });
                        }
                    }
                }
                let places = places.into_iter().collect();
                match self.kind {
                    AskKind::Resume => Ok(Ask::Resume { places }),
                    _ => Ok(Ask::Freeze { places, until: self.ends(now)?, bypass: self.let_through() }),
                }
            }
        }
    }

    /// Chooses a service, or does not.
    pub(super) fn choose(&mut self, service: &str, chosen: bool) {
        self.services.retain(|(one, _)| chosen || one != service);
        if chosen && self.services.iter().all(|(one, _)| one != service) {
            self.services.push((service.to_owned(), String::new()));
        }
    }

    /// Whether a place is one that a freeze or a resume of its service and environment means.
    fn reaches(&self, place: &PlaceView) -> bool {
        place.may_release && (self.kind != AskKind::Resume || !place.cell.holds.is_empty())
    }

    fn ends(&self, now: Timestamp) -> Result<Option<Timestamp>, &'static str> {
        let ends = match self.lasts.as_str() {
            "" => return Ok(None),
            AT => joined(&[&self.until, ":00Z"]).parse().map_err(|_| "Choose the time that it ends at.")?,
            seconds => {
                let seconds: i64 = seconds.parse().unwrap_or_default();
                Timestamp::from_second(now.as_second() + seconds).map_err(|_| "It would never end.")?
            }
        };
        if ends <= now { Err("It would end at a time that has passed.") } else { Ok(Some(ends)) }
    }

    fn let_through(&self) -> Option<String> {
        Some(self.bypass.trim().to_owned()).filter(|tag| !tag.is_empty())
    }
}

/// A service in an environment, where the caller sees it.
fn place<'a>(board: &'a PromotionBoard, service: &str, environment: &str) -> Option<&'a PlaceView> {
    let position = board.environments.iter().position(|row| row.name == environment)?;
    board.services.iter().find(|row| row.service == service)?.places.get(position)?.as_ref()
}

/// The environment that tags come from.
pub(super) fn before<'a>(board: &'a PromotionBoard, environment: &str) -> Option<&'a str> {
    let position = board.environments.iter().position(|row| row.name == environment)?;
    Some(board.environments.get(position.checked_sub(1)?)?.name.as_str())
}

#[cfg(test)]
mod tests {
    use domain::delivery::{Hold, HoldKind};
    use domain::wire::delivery::{CellView, HealthView};
    use domain::wire::gitops::{EnvironmentRow, PromotionRow};

    use super::*;

    fn place(desired: &str, is_held: bool) -> Option<PlaceView> {
        let hold = Hold {
            kind: HoldKind::Frozen,
            by: "ana".into(),
            reason: "sale".into(),
            since: Timestamp::UNIX_EPOCH,
            until: None,
            pull_request: None,
        };
        let cell = CellView {
            version: None,
            commit: None,
            since: None,
            health: HealthView::Unknown,
            last_health: None,
            as_of: None,
            behind: None,
            ahead_of: None,
            in_progress: None,
            failed: None,
            holds: is_held.then_some(hold).into_iter().collect(),
        };
        Some(PlaceView { cell, desired: Some(desired.into()), may_release: true, can_receive: false })
    }

    /// `users` can come to staging, `cart` is everywhere, `payments` is held in prod.
    fn board() -> PromotionBoard {
        let environment = |name: &str| EnvironmentRow {
            name: name.into(),
            approval: false,
            auto_merge: false,
            closed: None,
        };
        let row = |service: &str, places: Vec<Option<PlaceView>>| {
            let mut row = PromotionRow { service: service.into(), places };
            row.mark_receivers();
            row
        };
        PromotionBoard {
            environments: ["dev", "staging", "prod"].map(environment).into(),
            services: vec![
                row("cart", vec![place("1", false), place("1", false), place("1", false)]),
                row("payments", vec![place("2", false), place("2", false), place("1", true)]),
                row("users", vec![place("2", false), place("1", false), place("1", false)]),
            ],
            operations: Vec::new(),
            disabled: None,
        }
    }

    fn draft(kind: AskKind, services: &[&str], environment: Option<&str>) -> Draft {
        let services: Vec<String> = services.iter().map(|name| (*name).to_owned()).collect();
        Draft::of(kind, &board(), &services, environment)
    }

    fn asked(draft: &Draft) -> Result<String, &'static str> {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().expect("a time");
        draft.ask(&board(), now).map(|ask| serde_json::to_string(&ask).expect("JSON"))
    }

    #[test]
    fn what_is_offered_first_is_what_makes_sense() {
        for (draft, expected) in [
            (
                draft(AskKind::Promote, &[], None),
                Ok(r#"{"kind":"promote","services":["users"],"from":"dev","to":"staging"}"#),
            ),
            (draft(AskKind::Promote, &["cart"], None), Err("Choose at least one service.")),
            (draft(AskKind::Promote, &["payments"], Some("prod")), Err("Choose at least one service.")),
            (draft(AskKind::Freeze, &["cart"], None), Err("Choose at least one environment.")),
            (
                draft(AskKind::Freeze, &["cart"], Some("dev")),
                Ok(
                    r#"{"kind":"freeze","places":[{"service":"cart","environment":"dev"}],"until":null,"bypass":null}"#,
                ),
            ),
            (
                draft(AskKind::Resume, &[], None),
                Ok(r#"{"kind":"resume","places":[{"service":"payments","environment":"prod"}]}"#),
            ),
            (draft(AskKind::Resume, &["users"], None), Err("Choose at least one environment.")),
            (draft(AskKind::Revert, &[], None), Err("Choose at least one service.")),
            (
                draft(AskKind::Revert, &["users"], Some("prod")),
                Ok(r#"{"kind":"revert","environment":"prod","returns":[{"service":"users","tag":null}]}"#),
            ),
        ] {
            assert_eq!(asked(&draft), expected.map(str::to_owned), "{draft:?}");
        }
    }

    #[test]
    fn a_service_that_cannot_come_says_why() {
        let choices = |environment| {
            let choices = draft(AskKind::Promote, &[], Some(environment)).choices(&board());
            choices.into_iter().map(|choice| (choice.note, choice.refusal)).collect::<Vec<_>>()
        };
        let there = Some("there already");
        assert_eq!(
            choices("staging"),
            [("1 → 1".into(), there), ("2 → 2".into(), there), ("1 → 2".to_owned(), None)]
        );
        assert_eq!(choices("prod")[1], ("1 → 2".to_owned(), Some("held: resume it first")));
        assert_eq!(choices("dev"), [], "nothing comes before it");
    }

    #[test]
    fn a_freeze_ends_when_it_is_said_to() {
        let until = |lasts: &str, until: &str| {
            let mut draft = draft(AskKind::Freeze, &["cart"], Some("dev"));
            (draft.lasts, draft.until) = (lasts.into(), until.into());
            let now: Timestamp = "2026-11-22T10:00:00Z".parse().expect("a time");
            draft.ask(&board(), now).map(|ask| match ask {
                Ask::Freeze { until, .. } => until.map(|until| until.to_string()),
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(until("", "2026-11-22T11:00"), Ok(None));
        assert_eq!(until("3600", ""), Ok(Some("2026-11-22T11:00:00Z".into())));
        assert_eq!(until(AT, "2026-11-23T08:30"), Ok(Some("2026-11-23T08:30:00Z".into())));
        assert_eq!(until(AT, ""), Err("Choose the time that it ends at."));
        assert_eq!(until(AT, "2026-11-22T10:00"), Err("It would end at a time that has passed."));
    }
}
