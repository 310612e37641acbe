//! The fields of the dialogs: services, environments, how long, which tag.

use domain::gitops::AskKind;
use domain::wire::gitops::PromotionBoard;
use leptos::prelude::*;

use super::draft::{AT, Choice, Draft, before};
use crate::fetched::Fetched;
use crate::format::joined;
use crate::reading::Reading;
use crate::ui::{select_field, small_button};

/// How long a freeze can last, in seconds.
const LASTS: [(&str, &str); 8] = [
    ("", "somebody resumes it"),
    ("3600", "1 hour has passed"),
    ("14400", "4 hours have passed"),
    ("28800", "8 hours have passed"),
    ("86400", "1 day has passed"),
    ("259200", "3 days have passed"),
    ("604800", "7 days have passed"),
    (AT, "a certain time"),
];

/// What there is to choose from, as it is known.
pub(super) type Board = Fetched<PromotionBoard>;

fn of<T: Default>(board: Board, read: impl FnOnce(&PromotionBoard) -> T) -> T {
    board.value.reading_untracked(|board| board.map(read)).unwrap_or_default()
}

/// What is asked of one kind of operation.
pub(super) fn fields(draft: RwSignal<Draft>, board: Board) -> AnyView {
    // Counts what has other services be chosen from.
    let turned = RwSignal::new(0_u32);
    let more = match draft.reading_untracked(|draft| draft.kind) {
        AskKind::Promote => one_environment(draft, board, turned, "To"),
        AskKind::Revert => one_environment(draft, board, turned, "In"),
        AskKind::Freeze => view! { {environments(draft, board, turned)} {ends(draft)} }.into_any(),
        AskKind::Resume => ().into_any(),
    };
    view! { {more} {services(draft, board, turned)} }.into_any()
}

/// The environments that a tag can come to, or be put back in.
fn one_environment(
    draft: RwSignal<Draft>,
    board: Board,
    turned: RwSignal<u32>,
    label: &'static str,
) -> AnyView {
    let is_promotion = draft.reading_untracked(|draft| draft.kind == AskKind::Promote);
    let options = of(board, |board| {
        let names = board.environments.iter().map(|row| row.name.clone());
        let options = names.filter_map(|name| {
            let text = match before(board, &name) {
                Some(from) if is_promotion => joined(&[&name, ", from ", from]),
                None if is_promotion => return None,
                _ => name.clone(),
            };
            let is_it = name.clone();
            let selected = move || draft.reading(|draft| draft.environments.contains(&is_it));
            Some(view! { <option value=name prop:selected=selected>{text}</option> }.into_any())
        });
        options.collect_view()
    });
    let choose = move |event| {
        let name = event_target_value(&event);
        let services: Vec<String> =
            draft.reading_untracked(|draft| draft.services.iter().map(|(name, _)| name.clone()).collect());
        let kind = draft.reading_untracked(|draft| draft.kind);
        // What was chosen for one environment need not make sense in another.
        let other = of(board, |board| {
            let mut other = Draft::of(kind, board, &services, Some(&name));
            if other.services.is_empty() {
                other = Draft::of(kind, board, &[], Some(&name));
            }
            Some(other)
        });
        let Some(other) = other else { return };
        draft.set(other);
        turned.update(|turned| *turned += 1);
    };
    view! {
        <label class="field">
            <span>{label}</span>
            <select on:change=choose>{options}</select>
        </label>
    }
    .into_any()
}

fn environments(draft: RwSignal<Draft>, board: Board, turned: RwSignal<u32>) -> AnyView {
    let names: Vec<String> =
        of(board, |board| board.environments.iter().map(|row| row.name.clone()).collect());
    let boxes = names
        .into_iter()
        .map(|name| {
            let (is_it, it) = (name.clone(), name.clone());
            let checked = move || draft.reading(|draft| draft.environments.contains(&is_it));
            let choose = move |chosen: bool| {
                draft.update(|draft| {
                    draft.environments.retain(|one| *one != it);
                    if chosen {
                        draft.environments.push(it.clone());
                    }
                });
                turned.update(|turned| *turned += 1);
            };
            check(name, String::new(), None, Signal::derive(checked), Box::new(choose))
        })
        .collect_view();
    view! { <fieldset class="picks"><legend>"Environments"</legend>{boxes}</fieldset> }.into_any()
}

/// When a freeze ends, and what it lets through.
fn ends(draft: RwSignal<Draft>) -> AnyView {
    let chosen = Signal::derive(move || draft.reading(|draft| draft.lasts.clone()));
    let choose = move |lasts| draft.update(|draft| draft.lasts = lasts);
    let at = move || {
        (chosen.get() == AT).then(|| {
            view! {
                <label class="field">
                    <span>"Time (UTC)"</span>
                    <input
                        type="datetime-local"
                        prop:value=draft.reading_untracked(|draft| draft.until.clone())
                        on:input=move |event| draft.update(|draft| draft.until = event_target_value(&event))
                    />
                </label>
            }
        })
    };
    view! {
        <div class="filters">
            {select_field("Until", &LASTS, chosen, Box::new(choose))}
            {move || at().into_any()}
            <label class="field">
                <span>"Tag that may come all the same (optional)"</span>
                <input
                    type="text"
                    autocomplete="off"
                    spellcheck="false"
                    prop:value=draft.reading_untracked(|draft| draft.bypass.clone())
                    on:input=move |event| draft.update(|draft| draft.bypass = event_target_value(&event))
                />
            </label>
        </div>
    }
    .into_any()
}

fn services(draft: RwSignal<Draft>, board: Board, turned: RwSignal<u32>) -> AnyView {
    let choices = move || of(board, |board| draft.reading_untracked(|draft| draft.choices(board)));
    // Made anew where others can be chosen, and not with each box that is ticked.
    let list = move || {
        turned.track();
        let choices = choices();
        if choices.is_empty() {
            return view! { <p class="mut">"None that this makes sense for."</p> }.into_any();
        }
        choices.into_iter().map(|choice| service(choice, draft)).collect_view().into_any()
    };
    let all = move |chosen: bool| {
        let press = move || {
            draft.update(|draft| {
                for choice in choices().iter().filter(|choice| choice.refusal.is_none()) {
                    draft.choose(&choice.service, chosen);
                }
            });
        };
        Box::new(press) as Box<dyn Fn()>
    };
    view! {
        <fieldset class="picks">
            <legend>"Services"</legend>
            <div class="picks-list">{move || list()}</div>
            <div class="acts">
                {small_button("All", "All services".to_owned(), all(true))}
                {small_button("None", "None of the services".to_owned(), all(false))}
            </div>
        </fieldset>
    }
    .into_any()
}

fn service(choice: Choice, draft: RwSignal<Draft>) -> AnyView {
    let Choice { service, note, refusal } = choice;
    let (is_it, it) = (service.clone(), service.clone());
    let open = refusal.is_none();
    let checked = Signal::derive(move || {
        open && draft.reading(|draft| draft.services.iter().any(|(name, _)| *name == is_it))
    });
    let choose = move |chosen| draft.update(|draft| draft.choose(&it, chosen));
    let goes_back = open && draft.reading_untracked(|draft| draft.kind == AskKind::Revert);
    let tag = goes_back.then(|| tag(service.clone(), checked, draft));
    view! { <div class="pick-row">{check(service, note, refusal, checked, Box::new(choose))} {tag}</div> }
        .into_any()
}

/// The tag that a service goes back to, where it does.
fn tag(service: String, checked: Signal<bool>, draft: RwSignal<Draft>) -> AnyView {
    let label = joined(&["Tag of ", &service]);
    let type_in = move |event| {
        draft.update(|draft| {
            if let Some((_, tag)) = draft.services.iter_mut().find(|(name, _)| *name == service) {
                *tag = event_target_value(&event);
            }
        });
    };
    view! {
        <input
            type="text"
            class="tag-field"
            hidden=move || !checked.get()
            aria-label=label
            placeholder="the one before"
            autocomplete="off"
            spellcheck="false"
            on:input=type_in
        />
    }
    .into_any()
}

/// A box to tick, with what is to be known of what it stands for.
fn check(
    name: String,
    note: String,
    refusal: Option<&'static str>,
    checked: Signal<bool>,
    choose: Box<dyn Fn(bool)>,
) -> AnyView {
    let note = (!note.is_empty()).then(|| view! { <span class="mut">{note}</span> });
    let refusal_text = refusal.map(|why| view! { <span class="mut">"– " {why}</span> });
    view! {
        <label class="pick">
            <input
                type="checkbox"
                disabled=refusal.is_some()
                prop:checked=move || checked.get()
                on:change=move |event| choose(event_target_checked(&event))
            />
            <span>{name}</span>
            {note}
            {refusal_text}
        </label>
    }
    .into_any()
}
