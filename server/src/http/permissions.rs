//! What each path of the API needs: one table, which is asked before anything is answered, and which the documentation shows. A
//! path without a row answers nobody.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use app::api::{self, ApiError};
use axum::Extension;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use domain::access::Permission;
use http::Method;
use leptos::server_fn::axum::register_explicit;
use leptos::server_fn::{Protocol, ServerFn};

use super::Services;
use super::api::error;
use crate::auth::{self, Who};

/// What somebody needs to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing: it is how one signs in.
    Nothing,
    /// Having signed in, with whatever roles.
    SignIn,
    /// The permission on something; on what exactly is checked where that is known.
    Permission(Permission),
}

/// One row of the table.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) method: Method,
    pub(super) needs: Needs,
}

const VIEW: Needs = Needs::Permission(Permission::View);
const CHANGE: Needs = Needs::Permission(Permission::Change);
const RELEASE: Needs = Needs::Permission(Permission::Release);

/// By path.
pub(super) static TABLE: LazyLock<BTreeMap<&'static str, Row>> = LazyLock::new(|| {
    let mut table = Table(BTreeMap::new());
    table.function::<api::SessionInfo>(Needs::SignIn);
    table.function::<api::ListIssuers>(Needs::Nothing);
    table.function::<api::ListSessions>(Needs::SignIn);
    table.function::<api::EndSession>(Needs::SignIn);
    table.function::<api::ListTokens>(Needs::SignIn);
    table.function::<api::MakeToken>(Needs::SignIn);
    table.function::<api::RevokeToken>(Needs::SignIn);
    table.function::<api::ShowDevice>(Needs::SignIn);
    table.function::<api::DecideDevice>(Needs::SignIn);
    table.function::<api::ListInstances>(VIEW);
    table.function::<api::MatchingIds>(VIEW);
    table.function::<api::QueryVocabulary>(VIEW);
    table.function::<api::Overview>(VIEW);
    table.function::<api::InstanceDetail>(VIEW);
    table.function::<api::InstanceOrigins>(VIEW);
    table.function::<api::InstanceRaw>(VIEW);
    table.function::<api::VerifyUse>(VIEW);
    table.function::<api::PlanEnforce>(CHANGE);
    table.function::<api::PlanRestore>(CHANGE);
    table.function::<api::ApplyPlan>(CHANGE);
    table.function::<api::Change>(VIEW);
    table.function::<api::PreviewSelection>(VIEW);
    table.function::<api::ListSources>(VIEW);
    table.function::<api::PolicyReport>(VIEW);
    table.function::<api::ListAudit>(VIEW);
    table.function::<api::ListReleases>(VIEW);
    table.function::<api::RollBack>(RELEASE);
    table.function::<api::DeliveryMatrix>(VIEW);
    table.function::<api::DeliveryTimeline>(VIEW);
    table.function::<api::DeliveryChanges>(VIEW);
    table.function::<api::DeliveryFacts>(VIEW);
    table.function::<api::DeliveryDora>(VIEW);
    table.function::<api::DeliveryReport>(Needs::Permission(Permission::Report));
    table.function::<api::PromotionBoard>(VIEW);
    table.function::<api::GitopsOperation>(VIEW);
    table.function::<api::PlanOperation>(RELEASE);
    table.function::<api::RequestOperation>(RELEASE);
    table.function::<api::ApproveOperation>(Needs::Permission(Permission::Approve));
    table.function::<api::MergeOperation>(RELEASE);
    table.function::<api::CloseOperation>(RELEASE);
    table.route(Method::POST, super::delivery::EVENTS_PATH, Needs::Permission(Permission::Report));
    table.route(Method::POST, super::delivery::REGISTRY_PATH, Needs::Permission(Permission::Report));
    table.route(Method::POST, super::delivery::GITHUB_PATH, Needs::Nothing);
    table.route(Method::GET, super::EVENTS_PATH, VIEW);
    table.route(Method::GET, "/api/export/fleet.csv", VIEW);
    table.route(Method::GET, "/api/export/fleet.json", VIEW);
    table.route(Method::GET, "/api/export/audit.csv", VIEW);
    table.route(Method::GET, "/api/export/audit.json", VIEW);
    table.route(Method::GET, "/api/auth/login", Needs::Nothing);
    table.route(Method::GET, "/api/auth/callback", Needs::Nothing);
    table.route(Method::POST, "/api/auth/logout", Needs::Nothing);
    table.route(Method::POST, auth::AUTHORIZATION_PATH, Needs::Nothing);
    table.route(Method::POST, auth::TOKEN_PATH, Needs::Nothing);
    table.route(Method::POST, auth::REVOCATION_PATH, Needs::Nothing);
    table.0
});

struct Table(BTreeMap<&'static str, Row>);

impl Table {
    /// A server function, which is registered too: what the linker sees no use of would be left out of the binary.
    fn function<T>(&mut self, needs: Needs)
    where
        T: ServerFn<
                Server: leptos::server_fn::server::Server<
                    T::Error,
                    T::InputStreamError,
                    T::OutputStreamError,
                    Request = http::Request<axum::body::Body>,
                    Response = http::Response<axum::body::Body>,
                >,
            > + 'static,
    {
        register_explicit::<T>();
        self.0.insert(T::PATH, Row { method: T::Protocol::METHOD, needs });
    }

    fn route(&mut self, method: Method, path: &'static str, needs: Needs) {
        self.0.insert(path, Row { method, needs });
    }
}

/// Answers only those who have what the path needs. What has no row is told from what is not allowed only to those who have
/// signed in.
pub(super) async fn require(
    State(services): State<Services>,
    Extension(Who(caller)): Extension<Who>,
    request: Request,
    next: Next,
) -> Response {
    let services = services.for_caller(caller);
    let allowed = match TABLE.get(request.uri().path()).map(|row| row.needs) {
        Some(Needs::Nothing) => Ok(()),
        Some(Needs::SignIn) => services.caller().map(drop),
        Some(Needs::Permission(permission)) => services.permit(permission),
        None => services.caller().and_then(|_| {
            Err(ApiError::NotFound { message: "There is no such endpoint in this version.".into() })
        }),
    };
    match allowed {
        Ok(()) => next.run(request).await,
        Err(refused) => error(refused),
    }
}

/// The path, where it is one of the table's: a label that callers cannot make up.
pub(super) fn known_path(path: &str) -> &'static str {
    TABLE.get_key_value(path).map_or("unknown", |(known, _)| known)
}

#[cfg(test)]
mod tests {
    use domain::access::Role;
    use leptos::server_fn::axum::server_fn_paths;

    use super::*;

    #[test]
    fn every_server_function_has_a_row() {
        const SOURCE: &str = include_str!("../../../app/src/api.rs");
        let written: Vec<String> = SOURCE
            .split("#[server(endpoint = \"")
            .skip(1)
            .filter_map(|rest| Some(format!("/api/{}", rest.split_once('"')?.0)))
            .collect();
        assert!(written.len() > 10, "the source names its endpoints another way");
        for path in &written {
            assert!(TABLE.contains_key(path.as_str()), "{path} has no row");
        }
        // And none that is registered is called by another path than it is written with.
        assert!(server_fn_paths().all(|(path, _)| written.iter().any(|known| known == path)));
    }

    #[test]
    fn what_changes_something_is_a_post_and_what_anyone_may_ask_is_the_way_in() {
        for (path, row) in TABLE.iter() {
            if let Needs::Permission(Permission::View) = row.needs
                && *path != "/api/fleet/selection"
            {
                assert_eq!(row.method, Method::GET, "{path}");
            }
            if row.needs == CHANGE || row.needs == RELEASE {
                assert_eq!(row.method, Method::POST, "{path}");
            }
            if row.needs == Needs::Nothing {
                let signs_in = path.starts_with("/api/auth/") || *path == "/api/session/issuers";
                // Let in by its signature.
                let signed = *path == super::super::delivery::GITHUB_PATH;
                assert!(signs_in || signed, "{path}");
            }
        }
    }

    /// The table as the documentation has it.
    fn documented() -> String {
        let mut text = String::from("| path | method |");
        let roles = Role::ALL.map(Role::as_str);
        text.push_str(&format!(
            " nobody | {} |\n|---|---|---|{}\n",
            roles.join(" | "),
            "---|".repeat(roles.len())
        ));
        for (path, row) in TABLE.iter() {
            let may = |allowed: bool| if allowed { "yes" } else { "" };
            let nobody = may(row.needs == Needs::Nothing);
            let roles = Role::ALL.map(|role| {
                may(match row.needs {
                    Needs::Nothing | Needs::SignIn => true,
                    Needs::Permission(permission) => role.permits(permission),
                })
            });
            text.push_str(&format!("| `{path}` | {} | {nobody} | {} |\n", row.method, roles.join(" | ")));
        }
        text
    }

    #[test]
    fn the_documentation_has_this_table() {
        const DOCUMENTATION: &str = include_str!("../../../docs/security.md");
        let table = documented();
        assert!(DOCUMENTATION.contains(&table), "docs/security.md lacks the table\n{table}");
    }
}
