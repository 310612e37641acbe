//! Who tells of changes and who does not: what the pages cannot know.

use domain::wire::delivery::SourceView;
use leptos::prelude::*;

use crate::format::joined;
use crate::paths;
use crate::ui::{Empty, Pill, Time, Tone, table};

/// Every source that told something or failed to, and the names of those that are silent.
pub(super) fn sources(sources: &[SourceView]) -> AnyView {
    let heard = |source: &&SourceView| source.last_told.is_some() || source.problem.is_some();
    let rows: Vec<Vec<AnyView>> = sources.iter().filter(heard).map(cells).collect();
    let silent: Vec<&str> =
        sources.iter().filter(|source| !heard(source)).map(|source| source.source.as_str()).collect();
    let silence = (!silent.is_empty()).then(|| {
        let text = joined(&[
            "Nothing was told since the server started, and none is configured to be read, by ",
            &silent.join(", "),
            ": what only they would tell is not known here.",
        ]);
        view! { <p class="mut">{text}</p> }
    });
    let rows =
        (!rows.is_empty()).then(|| table("Sources", vec!["Source", "Last read or told", "State"], rows));
    view! {
        <section class="column" aria-labelledby="sources">
            <h2 id="sources">"What is told, and what this page does not know"</h2>
            {rows}
            {silence}
        </section>
    }
    .into_any()
}

fn cells(source: &SourceView) -> Vec<AnyView> {
    let is_read = source.reader.is_some();
    let told = match (source.last_told, is_read) {
        (Some(at), _) => view! { <Time at /> }.into_any(),
        (None, true) => view! { <span class="mut">"never"</span> }.into_any(),
        (None, false) => view! { <span class="mut">"nothing since the server started"</span> }.into_any(),
    };
    let (well, ill) = if is_read { ("read", "cannot be read") } else { ("taken in", "not taken in") };
    let state = match &source.problem {
        Some(problem) => {
            view! { <div class="wrap"><Pill tone=Tone::Unknown label=ill /> " " {problem.clone()}</div> }
                .into_any()
        }
        None => view! { <Pill tone=Tone::Ok label=well /> }.into_any(),
    };
    let name =
        source.reader.clone().map(|name| view! { <div class="mut"><code class="break">{name}</code></div> });
    let named = view! { <div>{source.source.clone()}{name}</div> }.into_any();
    vec![named, told, state]
}

/// Where nothing is followed.
pub(super) fn not_configured() -> AnyView {
    view! {
        <section class="panel">
            <Empty
                title="No services to follow"
                text="None is configured, or your roles reach none. Name the environments, in the order that changes pass through them, and the services in tollgate.toml:"
            >
                <pre class="call" tabindex="0" role="region" aria-label="Configuration">
                    "[delivery]\nenvironments = [\"dev\", \"staging\", \"prod\"]\n\n[[services]]\nname = \"checkout\"\nrepository = \"acme/checkout\""
                </pre>
                {how_facts_come_in()}
            </Empty>
        </section>
    }
    .into_any()
}

/// Where nothing was told of what is followed.
pub(super) fn nothing_told() -> AnyView {
    view! {
        <Empty title="Nothing was told yet" text="What is known of a change appears here as soon as somebody tells it.">
            {how_facts_come_in()}
        </Empty>
    }
    .into_any()
}

fn how_facts_come_in() -> AnyView {
    // Reading the location of one's own document does not fail.
    let origin = window().location().origin().unwrap_or_default();
    view! {
        <p class="mut">
            "GitHub tells of commits, CI and deployments by a webhook at "
            <code class="break">{joined(&[&origin, paths::GITHUB_WEBHOOK])}</code>
            ", signed with delivery.github_webhook_secret; a pipeline tells of its stages by "
            <code>"tollgate report"</code> "."
        </p>
    }
    .into_any()
}
