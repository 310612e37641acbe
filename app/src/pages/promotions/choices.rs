//! The fields of the dialogs: services, environments, how long, which tag.

use domain::gitops::AskKind;
use domain::wire::gitops::PromotionBoard;
use leptos::prelude::*;

use super::draft::{AT, Choice, Draft, before};
use crate::format::joined;
use crate::reading::Reading;
use crate::ui::select_field;

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

/// What is asked of one kind of operation.
pub(super) fn fields(draft: RwSignal<Draft>, board: StoredValue<PromotionBoard>) -> AnyView {
    let more = match draft.reading_untracked(|draft| draft.kind) {
        AskKind::Promote => one_environment(draft, board, "To"),
        AskKind::Revert => one_environment(draft, board, "In"),
        AskKind::Freeze => view! { {environments(draft, board)} {ends(draft)} }.into_any(),
        AskKind::Resume => ().into_any(),
    };
    view! { {more} {services(draft, board)} }.into_any()
}

/// The environments that a tag can come to, or be put back in.
fn one_environment(
    draft: RwSignal<Draft>,
    board: StoredValue<PromotionBoard>,
    label: &'static str,
) -> AnyView {
    let is_promotion = draft.reading_untracked(|draft| draft.kind == AskKind::Promote);
    let options = board.with_value(|board| {
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
        let services = draft.reading_untracked(|draft| draft.services.keys().cloned().collect());
        let kind = draft.reading_untracked(|draft| draft.kind);
        // What was chosen for one environment need not make sense in another.
        let other = board.with_value(|board| {
            let mut other = Draft::of(kind, board, &services, Some(&name));
            if other.services.is_empty() {
                other = Draft::of(kind, board, &std::collections::BTreeSet::new(), Some(&name));
            }
            other
        });
        draft.set(other);
    };
    view! {
        <label class="field">
            <span>{label}</span>
            <select on:change=choose>{options}</select>
        </label>
    }
    .into_any()
}

fn environments(draft: RwSignal<Draft>, board: StoredValue<PromotionBoard>) -> AnyView {
    let names: Vec<String> =
        board.with_value(|board| board.environments.iter().map(|row| row.name.clone()).collect());
    let boxes = names
        .into_iter()
        .map(|name| {
            let (is_it, it) = (name.clone(), name.clone());
            let checked = move || draft.reading(|draft| draft.environments.contains(&is_it));
            let choose = move |chosen: bool| {
                draft.update(|draft| {
                    if chosen {
                        draft.environments.insert(it.clone());
                    } else {
                        draft.environments.remove(&it);
                    }
                });
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

fn services(draft: RwSignal<Draft>, board: StoredValue<PromotionBoard>) -> AnyView {
    // Made anew where others can be chosen, and not with each box that is ticked.
    let choices = Memo::new(move |_| board.with_value(|board| draft.reading(|draft| draft.choices(board))));
    let list = move || {
        choices.reading(|choices| {
            if choices.is_empty() {
                return view! { <p class="mut">"None that this makes sense for."</p> }.into_any();
            }
            choices.iter().map(|choice| service(choice, draft)).collect_view().into_any()
        })
    };
    let all = move |chosen: bool| {
        draft.update(|draft| {
            let open = choices.reading_untracked(|choices| {
                let open = choices.iter().filter(|choice| choice.refusal.is_none());
                open.map(|choice| choice.service.clone()).collect::<Vec<_>>()
            });
            for name in open {
                if chosen {
                    draft.services.entry(name).or_default();
                } else {
                    draft.services.remove(&name);
                }
            }
        });
    };
    let several = move || {
        choices.reading(|choices| choices.len() > 1).then(|| {
        view! {
            <div class="acts">
                <button type="button" class="btn small" on:click=move |_| all(true)>"All services"</button>
                <button type="button" class="btn small" on:click=move |_| all(false)>"None"</button>
            </div>
        }
    })
    };
    view! {
        <fieldset class="picks">
            <legend>"Services"</legend>
            <div class="picks-list">{move || list()}</div>
            {move || several().into_any()}
        </fieldset>
    }
    .into_any()
}

fn service(choice: &Choice, draft: RwSignal<Draft>) -> AnyView {
    let Choice { service, note, refusal } = choice.clone();
    let (is_it, it) = (service.clone(), service.clone());
    let open = refusal.is_none();
    let checked = Signal::derive(move || open && draft.reading(|draft| draft.services.contains_key(&is_it)));
    let choose = move |chosen: bool| {
        draft.update(|draft| {
            if chosen {
                draft.services.entry(it.clone()).or_default();
            } else {
                draft.services.remove(&it);
            }
        });
    };
    let goes_back = draft.reading_untracked(|draft| draft.kind == AskKind::Revert);
    let named = StoredValue::new(service.clone());
    let tag = move || (goes_back && checked.get()).then(|| tag(named.get_value(), draft));
    view! {
        <div class="pick-row">
            {check(service, note, refusal, checked, Box::new(choose))}
            {move || tag().into_any()}
        </div>
    }
    .into_any()
}

/// The tag that a service goes back to.
fn tag(service: String, draft: RwSignal<Draft>) -> AnyView {
    let value = draft.reading_untracked(|draft| draft.services.get(&service).cloned()).unwrap_or_default();
    let label = joined(&["Tag of ", &service]);
    let type_in = move |event| {
        draft.update(|draft| {
            draft.services.insert(service.clone(), event_target_value(&event));
        });
    };
    view! {
        <input
            type="text"
            class="tag-field"
            aria-label=label
            placeholder="the one before"
            autocomplete="off"
            spellcheck="false"
            prop:value=value
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
