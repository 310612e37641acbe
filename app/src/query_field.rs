//! The search field: the query language with completion as an ARIA combobox, and mistakes underlined where they are.

use domain::query::{Completion, Query, QueryError, complete};
use leptos::html;
use leptos::prelude::*;

use crate::api;
use crate::browser;
use crate::fetched::{Request, fetched_when};
use crate::format::joined;
use crate::paths;
use crate::reading::Reading;
use crate::router::{Router, Trace};

/// The text of the search field; on the fleet list it is the filter, elsewhere Enter takes it there.
#[derive(Clone, Copy)]
pub(crate) struct Search {
    pub(crate) text: RwSignal<String>,
}

impl Search {
    pub(crate) fn new() -> Search {
        Search { text: RwSignal::new(String::new()) }
    }

    /// The text, when it is in the query language.
    pub(crate) fn usable(self) -> Option<String> {
        self.text.reading(|text| Query::parse(text).is_ok().then(|| text.clone()))
    }

    /// As [`Search::usable`], outside reactive code.
    pub(crate) fn usable_untracked(self) -> Option<String> {
        untrack(|| self.usable())
    }

    fn mistake(self) -> Option<QueryError> {
        self.text.reading(|text| Query::parse(text).err())
    }
}

#[component]
pub(crate) fn QueryField() -> AnyView {
    let search: Search = expect_context();
    let router: Router = expect_context();
    let input = NodeRef::<html::Input>::new();
    let mirror = NodeRef::<html::Div>::new();
    let open = RwSignal::new(false);
    let cursor = RwSignal::new(0_u32);
    let active = RwSignal::new(None::<usize>);
    // The values are only asked for once someone means to type.
    let wanted = RwSignal::new(false);
    let vocabulary = fetched_when(move || {
        wanted.get().then(|| Box::pin(api::query_vocabulary()) as Request<domain::query::Vocabulary>)
    });
    let offers = Memo::new(move |_| {
        if !open.get() {
            return Vec::new();
        }
        let (text, cursor) = (search.text.get(), cursor.get());
        vocabulary.value.reading(|known| match known {
            Some(known) => complete(&text, cursor, known),
            None => complete(&text, cursor, &domain::query::Vocabulary::default()),
        })
    });
    let mistake = Memo::new(move |_| search.mistake());
    let expanded = move || offers.reading(|offers| !offers.is_empty());

    focus_on_slash(input);

    let read_cursor = move || {
        let Some(element) = input.get_untracked() else { return };
        let units = element.selection_end().ok().flatten().unwrap_or(0);
        cursor.set(chars_before(&element.value(), units));
    };
    let typed = move |event| {
        search.text.set(event_target_value(&event));
        active.set(None);
        read_cursor();
        // Between words every key could follow: a list of them all would only be in the way.
        open.set(search.text.reading_untracked(|text| in_word(text, cursor.get_untracked())));
    };
    let accept = move |offer: Completion| {
        let (text, end) = search.text.reading_untracked(|text| accepted(text, &offer));
        search.text.set(text.clone());
        active.set(None);
        cursor.set(end);
        if let Some(element) = input.get_untracked() {
            element.set_value(&text);
            let units = units_before(&text, end);
            // Fails only for inputs without a text selection.
            let _ = element.set_selection_range(units, units);
        }
    };
    let step = move |forward: bool| {
        open.set(true);
        let count = offers.reading_untracked(Vec::len);
        if count > 0 {
            active.update(|active| {
                *active = Some(match (*active, forward) {
                    (None, true) => 0,
                    (None, false) => count - 1,
                    (Some(index), true) => (index + 1) % count,
                    (Some(index), false) => (index + count - 1) % count,
                });
            });
        }
    };
    let keydown = move |event: web_sys::KeyboardEvent| match event.key().as_str() {
        "ArrowDown" | "ArrowUp" => {
            event.prevent_default();
            read_cursor();
            step(event.key() == "ArrowDown");
        }
        "Enter" => {
            event.prevent_default();
            let chosen = active
                .get_untracked()
                .and_then(|index| offers.reading_untracked(|offers| offers.get(index).cloned()));
            if let Some(offer) = chosen {
                return accept(offer);
            }
            open.set(false);
            if router.path.get_untracked() != paths::FLEET
                && let Some(q) = search.usable_untracked()
            {
                router.go_to(&paths::fleet(&q), Trace::New);
            }
        }
        "Escape" if untrack(expanded) => {
            event.prevent_default();
            open.set(false);
            active.set(None);
        }
        _ => {}
    };
    let scrolled = move |_| {
        if let (Some(input), Some(mirror)) = (input.get_untracked(), mirror.get_untracked()) {
            mirror.set_scroll_left(input.scroll_left());
        }
    };
    let option = move |(index, offer): (usize, Completion)| {
        let chosen = offer.clone();
        // Pressing must not take the focus from the field, or the list would close before the click arrives.
        view! {
            <div
                role="option"
                id=option_id(index)
                aria-selected=move || if active.get() == Some(index) { "true" } else { "false" }
                on:mousedown=|event| event.prevent_default()
                on:click=move |_| accept(chosen.clone())
            >
                <code>{offer.text}</code>
                <span class="mut">{offer.detail}</span>
            </div>
        }
    };
    let list = move || {
        expanded().then(|| {
            let options = offers.get().into_iter().enumerate().map(option).collect_view();
            view! { <div class="completions" role="listbox" id="completions" aria-label="Completions">{options}</div> }
        })
    };
    let problem = move || {
        let mistake = mistake.get().filter(|_| !expanded())?;
        let instead =
            mistake.suggestion.clone().map(|suggestion| joined(&[" Did you mean ", &suggestion, "?"]));
        Some(
            view! { <div class="search-problem" id="search-problem">{mistake.message.clone()} {instead}</div> },
        )
    };
    let marked = move || {
        let mistake = mistake.get()?;
        Some(search.text.reading(|text| {
            let (before, inside) = split(text, mistake.start, mistake.end);
            view! { <span>{before}</span> <mark>{inside}</mark> }
        }))
    };
    view! {
        <div class="search" role="search">
            <div class="search-box">
                <div class="search-text">
                    <div class="mirror" aria-hidden="true" node_ref=mirror>{move || marked().into_any()}</div>
                    <input
                        node_ref=input
                        type="text"
                        role="combobox"
                        aria-label="Filter instances"
                        aria-autocomplete="list"
                        aria-expanded=move || if expanded() { "true" } else { "false" }
                        aria-controls=move || expanded().then_some("completions")
                        aria-activedescendant=move || active.get().filter(|_| expanded()).map(option_id)
                        aria-invalid=move || mistake.reading(Option::is_some).then_some("true")
                        aria-describedby=move || mistake.reading(Option::is_some).then_some("search-problem")
                        placeholder="verdict:allows-v1 region:eu-west-1 name or id…"
                        autocomplete="off"
                        autocapitalize="off"
                        spellcheck="false"
                        prop:value=move || search.text.get()
                        on:input=typed
                        on:keydown=keydown
                        on:scroll=scrolled
                        on:focus=move |_| wanted.set(true)
                        on:blur=move |_| open.set(false)
                    />
                </div>
                <kbd aria-hidden="true">"/"</kbd>
            </div>
            {move || list().into_any()}
            <div role="status">{move || problem().into_any()}</div>
        </div>
    }
    .into_any()
}

/// `/` goes to the field from anywhere but another text field or a dialog.
pub(crate) fn focus_on_slash(input: NodeRef<html::Input>) {
    let handle = window_event_listener(leptos::ev::keydown, move |event| {
        let plain = !event.ctrl_key() && !event.meta_key() && !event.alt_key();
        if event.key() != "/" || !plain || browser::is_typing(&event) {
            return;
        }
        if matches!(document().query_selector("dialog[open]"), Ok(Some(_))) {
            return;
        }
        if let Some(element) = input.get_untracked() {
            event.prevent_default();
            // Fails only for an element that left the document.
            let _ = element.focus();
            element.select();
        }
    });
    on_cleanup(move || handle.remove());
}

fn option_id(index: usize) -> String {
    joined(&["completion-", &index.to_string()])
}

/// The text with the offer in its place, and the character that the cursor stands before then.
fn accepted(text: &str, offer: &Completion) -> (String, u32) {
    let (before, _) = split(text, offer.start, offer.end);
    let after: String = text.chars().skip(offer.end as usize).collect();
    let end = offer.start + offer.text.chars().count() as u32;
    (joined(&[&before, &offer.text, &after]), end)
}

/// What stands before the span and what in it; spans count characters.
fn split(text: &str, start: u32, end: u32) -> (String, String) {
    let before = text.chars().take(start as usize).collect();
    let inside = text.chars().skip(start as usize).take(end.saturating_sub(start) as usize).collect();
    (before, inside)
}

/// Whether the cursor stands behind a character of a word.
fn in_word(text: &str, cursor: u32) -> bool {
    let before = (cursor as usize).checked_sub(1).and_then(|position| text.chars().nth(position));
    before.is_some_and(|letter| !letter.is_whitespace())
}

/// How many characters stand before a position that the browser counts in UTF-16 units.
fn chars_before(text: &str, units: u32) -> u32 {
    let mut passed = 0;
    let mut chars = 0;
    for letter in text.chars() {
        if passed >= units {
            break;
        }
        passed += letter.len_utf16() as u32;
        chars += 1;
    }
    chars
}

/// The inverse of [`chars_before`].
fn units_before(text: &str, chars: u32) -> u32 {
    text.chars().take(chars as usize).map(|letter| letter.len_utf16() as u32).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_on_one_side_and_units_on_the_other() {
        let text = "a😀b";
        assert_eq!(chars_before(text, 3), 2);
        assert_eq!(units_before(text, 2), 3);
        assert_eq!(chars_before(text, 99), 3);
        assert_eq!(split(text, 1, 2), ("a".into(), "😀".into()));
    }

    #[test]
    fn completion_opens_within_a_word() {
        assert!(in_word("ver", 3));
        assert!(!in_word("ver ", 4));
        assert!(!in_word("", 0));
    }
}
