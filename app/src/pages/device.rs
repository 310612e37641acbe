//! Where somebody lets a program in, such as `tollgate login`, or refuses it.

use domain::wire::DeviceRow;
use leptos::prelude::*;

use crate::api;
use crate::browser;
use crate::deed::Deed;
use crate::fetched::fetched;
use crate::format::joined;
use crate::paths;
use crate::problem::show;
use crate::router::{Router, Trace};
use crate::ui::{Button, Empty, Heading, Kind, Time};

#[component]
pub(crate) fn Device() -> AnyView {
    browser::set_title("Let a program in");
    let router: Router = expect_context();
    let code = move || router.query("user_code");
    let content = move || {
        let code = code();
        if code.is_empty() { ask_code(router) } else { decide(code) }
    };
    view! {
        <Heading title="Let a program in">
            "A program that was let in acts for you, with all that you may do here, until its token expires or is taken back."
        </Heading>
        {move || content()}
    }
    .into_any()
}

fn ask_code(router: Router) -> AnyView {
    let typed = RwSignal::new(String::new());
    let go = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        router.go_to(&paths::device(&untrack(|| typed.get())), Trace::New);
    };
    view! {
        <form class="panel ask" on:submit=go>
            <label class="field">
                <span>"The code that the program shows"</span>
                <input
                    class="mono"
                    type="text"
                    autocomplete="off"
                    autocapitalize="characters"
                    spellcheck="false"
                    required
                    maxlength="20"
                    placeholder="BCDF-GHJK"
                    on:input=move |event| typed.set(event_target_value(&event))
                />
            </label>
            <button type="submit" class="btn primary">"Go on"</button>
        </form>
    }
    .into_any()
}

fn decide(code: String) -> AnyView {
    let asked = code.clone();
    let waiting = fetched(move || Box::pin(api::show_device(asked.clone())));
    let deed = Deed::new();
    let decided = RwSignal::new(None::<bool>);
    let answer = code.clone();
    let answer = Callback::new(move |approve: bool| {
        let code = answer.clone();
        let request = async move {
            api::decide_device(code, approve).await?;
            // The page may be gone by now.
            decided.try_set(Some(approve));
            Ok(())
        };
        let done = if approve { "The program is let in." } else { "The program is refused." };
        deed.run(Box::pin(request), done, Box::new(|| {}));
    });
    let content = move || match decided.get() {
        Some(true) => ended(
            "It is let in",
            "Go back to the program: it goes on by itself. Its token is listed, and taken back, under Tokens.",
        ),
        Some(false) => ended("It is refused", "It is told so. You can close this page."),
        None => {
            let code = code.clone();
            show(waiting, 3, move |row| question(row, &code, deed, answer))
        }
    };
    view! {
        {deed.problem()}
        {move || content()}
    }
    .into_any()
}

fn question(row: &DeviceRow, code: &str, deed: Deed, answer: Callback<bool>) -> AnyView {
    let busy = Signal::derive(move || deed.under_way.get().then(|| "The answer is on its way.".to_owned()));
    view! {
        <section class="panel ask" aria-label="The program">
            <p>"Does the program show this code? If not, or if you started none, refuse it."</p>
            <p class="code mono">{code.to_ascii_uppercase()}</p>
            <p>
                {joined(&[&row.client, ", at ", &row.address, ", asked "])} <Time at=row.created_at /> "."
            </p>
            <div class="acts">
                <Button label="Let it in" kind=Kind::Primary disabled_reason=busy on_press=move || answer.run(true) />
                <Button label="Refuse" disabled_reason=busy on_press=move || answer.run(false) />
            </div>
        </section>
    }
    .into_any()
}

fn ended(title: &'static str, text: &'static str) -> AnyView {
    view! { <section class="panel"><Empty title text /></section> }.into_any()
}
