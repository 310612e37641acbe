//! Each account-region as a source: when it was read, what went wrong, what is missing, and what the account prescribes.

use domain::source::{MetadataDefaults, SourceError, SourceState};
use domain::wire::SourceRow;
use leptos::prelude::*;

use crate::browser;
use crate::format;
use crate::format::joined;
use crate::paths;
use crate::problem::show;
use crate::shell::Sources;
use crate::ui::{Empty, Heading, SourcePill, Time};

#[component]
pub(crate) fn Accounts() -> AnyView {
    browser::set_title("Accounts");
    let Sources(sources) = expect_context();
    let line = move || {
        sources.value.reading(|rows| {
            let rows = rows.as_ref()?;
            let live = rows.iter().filter(|row| row.state == SourceState::Live).count() as u32;
            Some(joined(&[
                &format::count(live),
                " of ",
                &format::counted(rows.len() as u32, "source"),
                " read recently. A source is one account in one region.",
            ]))
        })
    };
    view! {
        <Heading title="Accounts">{move || line().unwrap_or_else(|| "Reading the state of the sources…".into())}</Heading>
        {show(sources, 6, |rows| content(rows))}
    }
    .into_any()
}

fn content(rows: &[SourceRow]) -> AnyView {
    if rows.is_empty() {
        return view! {
            <section class="panel">
                <Empty title="No sources" text="No account is configured, or the regions are still being asked for. The configuration file lists accounts and regions." />
            </section>
        }
        .into_any();
    }
    // What needs attention first: the states are ordered that way.
    let mut rows: Vec<&SourceRow> = rows.iter().collect();
    rows.sort_by(|left, right| {
        (left.state, &left.status.alias, &left.status.key).cmp(&(
            right.state,
            &right.status.alias,
            &right.status.key,
        ))
    });
    let body = rows.into_iter().map(source_row).collect_view();
    view! {
        <section class="panel" aria-label="Sources">
            <div class="scroll" tabindex="0" role="region" aria-label="Table of sources">
                <table class="roomy">
                    <thead>
                        <tr>
                            <th scope="col">"Account · region"</th>
                            <th scope="col">"State"</th>
                            <th scope="col">"Last read"</th>
                            <th scope="col" class="num">"Instances"</th>
                            <th scope="col" class="num">"Took"</th>
                            <th scope="col">"Account defaults"</th>
                            <th scope="col">"Changes"</th>
                            <th scope="col">"Problem"</th>
                        </tr>
                    </thead>
                    <tbody>{body}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

fn source_row(row: &SourceRow) -> AnyView {
    let status = &row.status;
    let href = paths::fleet(&joined(&["account:", &status.key.account, " region:", &status.key.region]));
    let last = match status.last_success {
        Some(at) => view! { <Time at /> }.into_any(),
        None => "never".into_any(),
    };
    let took = status.duration_ms.map_or("–".to_owned(), format::milliseconds);
    let changes = match &status.changes_disabled {
        None => "allowed".into_any(),
        Some(why) => view! { "disabled: " {why.clone()} }.into_any(),
    };
    let reading = status.error.as_ref().map(|error| problem("Reading", error));
    let defaults_problem = status.defaults_error.as_ref().map(|error| problem("Account defaults", error));
    let attempt = status
        .error
        .as_ref()
        .and(status.last_attempt)
        .map(|at| view! { <p class="mut">"last tried " <Time at /></p> });
    view! {
        <tr>
            <th scope="row" class="name">
                <a href=href>{status.alias.clone()} " · " {status.key.region.to_string()}</a>
                <small class="mono">{status.key.account.to_string()}</small>
            </th>
            <td><SourcePill state=row.state /></td>
            <td>{last}</td>
            <td class="num">{format::count(status.instance_count)}</td>
            <td class="num mut">{took}</td>
            <td class="wrap">{defaults(status.defaults.as_ref())}</td>
            <td class="wrap mut">{changes}</td>
            <td class="wrap">{reading} {defaults_problem} {attempt}</td>
        </tr>
    }
    .into_any()
}

fn problem(what: &'static str, error: &SourceError) -> AnyView {
    let permission = error
        .missing_permission
        .as_ref()
        .map(|action| view! { <p>"Missing permission: " <code>{action.clone()}</code></p> });
    view! {
        <p class="bad-text"><b>{what} ": " {error.code.clone()}</b> " " {error.message.clone()}</p>
        {permission}
    }
    .into_any()
}

fn defaults(defaults: Option<&MetadataDefaults>) -> AnyView {
    let Some(defaults) = defaults else {
        return view! { <span class="mut">"not known"</span> }.into_any();
    };
    let hop_limit = defaults.http_put_response_hop_limit.map(|hops| hops.to_string());
    let pairs = [
        ("tokens", defaults.http_tokens.as_deref()),
        ("hops", hop_limit.as_deref()),
        ("endpoint", defaults.http_endpoint.as_deref()),
        ("tags", defaults.instance_metadata_tags.as_deref()),
        ("tokens enforced", defaults.http_tokens_enforced.as_deref()),
        ("managed by", defaults.managed_by.as_deref()),
    ];
    let set = pairs
        .into_iter()
        .filter_map(|(name, value)| {
            Some(view! { <li><span class="mut">{name}</span> " " {value?.to_owned()}</li> })
        })
        .collect::<Vec<_>>();
    if set.is_empty() {
        return view! { <span class="mut">"none set"</span> }.into_any();
    }
    view! { <ul class="inline-list spaced">{set}</ul> }.into_any()
}
