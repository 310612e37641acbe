//! GitOps operations for one caller: what they see, and what they may have done.

use ::delivery::gitops::{Actor, GitopsError, MOST_OPERATIONS};
use ::delivery::{DeliveryError, Sight};
use domain::access::{Permission, Resource};
use domain::delivery::{EnvironmentName, Place, ServiceName};
use domain::gitops::{Ask, Operation, OperationId, Person, Plan, approval_refusal};
use domain::wire::gitops::{EnvironmentRow, OperationView, PlaceView, PromotionBoard, PromotionRow};
use jiff::Timestamp;
use store::DecisionKind;

use super::Services;
use super::delivery::error;
use crate::api::ApiError;

/// Why nothing can be asked for where no repository is named.
const NOT_CONFIGURED: &str = "No GitOps repository is configured: name the one that your tags live in by [[gitops]] in the configuration.";
/// Why something cannot be merged yet.
const UNAPPROVED: &str = "Somebody else has to approve it before it is merged.";

impl Services {
    pub(in crate::api) async fn promotion_board(&self) -> Result<PromotionBoard, ApiError> {
        let now = Timestamp::now();
        let matrix = self.delivery.matrix_view(self, now).await.map_err(error)?;
        let desired = self.delivery.desired_tags().await.map_err(error)?;
        let config = self.delivery.config();
        let is_shown = |name: &&EnvironmentName| matrix.environments.iter().any(|one| one == name.as_str());
        let order: Vec<&EnvironmentName> = config.environments.names().iter().filter(is_shown).collect();
        let mut services = Vec::with_capacity(matrix.rows.len());
        for row in matrix.rows {
            let Ok(service) = ServiceName::parse(&row.service) else { continue };
            let places = row.cells.into_iter().zip(&order).map(|(cell, environment)| {
                let place = Place { service: service.clone(), environment: (*environment).clone() };
                Some(PlaceView {
                    cell: cell?,
                    desired: desired.get(&place).cloned(),
                    may_release: self.denied_at(Permission::Release, &place).is_none(),
                    can_receive: false,
                })
            });
            let mut row = PromotionRow { service: row.service, places: places.collect() };
            row.mark_receivers();
            services.push(row);
        }
        let environment = |name: &&EnvironmentName| {
            let rules = config.rules(name);
            EnvironmentRow {
                name: name.to_string(),
                approval: rules.approval,
                auto_merge: rules.auto_merge,
                closed: config.closed(name, now),
            }
        };
        let disabled = if self.gitops.is_empty() {
            Some(NOT_CONFIGURED.to_owned())
        } else {
            self.installation.read_only.clone()
        };
        Ok(PromotionBoard {
            environments: order.iter().map(environment).collect(),
            services,
            operations: self.operations(MOST_OPERATIONS).await?,
            disabled,
        })
    }

    /// The latest operations of which the caller sees every place.
    async fn operations(&self, limit: u32) -> Result<Vec<OperationView>, ApiError> {
        let operations = self.gitops.operations(limit).await.map_err(gitops_error)?;
        let seen = operations.into_iter().filter(|operation| self.sees_operation(operation));
        Ok(seen.map(|operation| self.operation_view(operation)).collect())
    }

    pub(in crate::api) async fn operation(&self, id: &str) -> Result<OperationView, ApiError> {
        let operation = self.operation_in_sight(id).await?;
        Ok(self.operation_view(operation))
    }

    /// What an operation would do.
    pub(in crate::api) async fn plan_operation(&self, ask: Ask, reason: &str) -> Result<Plan, ApiError> {
        self.permit_places(Permission::Release, &ask)?;
        self.gitops.plan(&ask, reason, Timestamp::now()).await.map_err(gitops_error)
    }

    pub(in crate::api) async fn request_operation(
        &self,
        ask: Ask,
        reason: &str,
        fingerprint: Option<&str>,
    ) -> Result<OperationView, ApiError> {
        self.permit_places(Permission::Release, &ask)?;
        let requested = self.gitops.request(ask, &self.actor()?, reason, fingerprint, Timestamp::now()).await;
        Ok(self.operation_view(requested.map_err(gitops_error)?))
    }

    pub(in crate::api) async fn approve_operation(
        &self,
        id: &str,
        fingerprint: &str,
        reason: &str,
    ) -> Result<OperationView, ApiError> {
        self.decide(id, DecisionKind::Approve, Permission::Approve, fingerprint, reason).await
    }

    pub(in crate::api) async fn merge_operation(
        &self,
        id: &str,
        fingerprint: &str,
    ) -> Result<OperationView, ApiError> {
        self.decide(id, DecisionKind::Merge, Permission::Release, fingerprint, "").await
    }

    pub(in crate::api) async fn close_operation(
        &self,
        id: &str,
        reason: &str,
    ) -> Result<OperationView, ApiError> {
        self.decide(id, DecisionKind::Close, Permission::Release, "", reason).await
    }

    async fn decide(
        &self,
        id: &str,
        kind: DecisionKind,
        permission: Permission,
        fingerprint: &str,
        reason: &str,
    ) -> Result<OperationView, ApiError> {
        let operation = self.operation_in_sight(id).await?;
        self.permit_places(permission, &operation.ask)?;
        let actor = self.actor()?;
        let decided =
            self.gitops.decide(&operation.id, kind, &actor, fingerprint, reason, Timestamp::now()).await;
        Ok(self.operation_view(decided.map_err(gitops_error)?))
    }

    /// What is out of sight is unknown.
    async fn operation_in_sight(&self, id: &str) -> Result<Operation, ApiError> {
        let id =
            OperationId::parse(id).map_err(|error| ApiError::BadRequest { message: error.to_string() })?;
        let operation = self.gitops.operation(&id).await.map_err(gitops_error)?;
        if self.sees_operation(&operation) {
            Ok(operation)
        } else {
            Err(gitops_error(GitopsError::NotFound(id)))
        }
    }

    /// Whether the caller sees an operation; what cannot be read is not seen.
    pub async fn sees_operation_named(&self, id: &OperationId) -> bool {
        self.gitops.operation(id).await.is_ok_and(|operation| self.sees_operation(&operation))
    }

    fn sees_operation(&self, operation: &Operation) -> bool {
        operation.ask.places().iter().all(|place| Sight::sees(self, &place.service, &place.environment))
    }

    /// Whether the caller has `permission` on every place, and sees where tags come from.
    fn permit_places(&self, permission: Permission, ask: &Ask) -> Result<(), ApiError> {
        if let Ask::Promote { services, from, .. } = ask
            && let Some(service) = services.iter().find(|service| !Sight::sees(self, service, from))
        {
            return Err(error(DeliveryError::NotFound(format!(
                "There is no service {service} in {from} here."
            ))));
        }
        let denied = ask.places().iter().find_map(|place| self.denied_at(permission, place));
        denied.map_or(Ok(()), |message| Err(ApiError::Forbidden { message }))
    }

    /// Why the caller has not `permission` on a place; `None` where they have.
    fn denied_at(&self, permission: Permission, place: &Place) -> Option<String> {
        let caller = self.caller().ok()?;
        let resource =
            Resource::Delivery { environment: place.environment.as_str(), service: place.service.as_str() };
        let denied = caller.check(permission, &resource).err();
        self.installation.read_only.clone().or(denied.map(|denied| denied.to_string()))
    }

    fn operation_view(&self, operation: Operation) -> OperationView {
        let places = operation.ask.places();
        let denied = |permission| places.iter().find_map(|place| self.denied_at(permission, place));
        let is_open = operation.status.is_open();
        let over = (!is_open).then(|| format!("It is {} already.", operation.status.as_str()));
        let fingerprint = &operation.plan.fingerprint;
        let refusal =
            self.actor().ok().and_then(|actor| approval_refusal(&operation, &actor.person, fingerprint));
        let unapproved = (!operation.is_approved()).then(|| UNAPPROVED.to_owned());
        let wanted = operation.is_wanted().then(|| "It is merged as soon as it can be.".to_owned());
        let release = over.or_else(|| denied(Permission::Release));
        OperationView {
            approve_disabled: refusal
                .map(|refusal| refusal.to_string())
                .or_else(|| denied(Permission::Approve)),
            merge_disabled: release.clone().or(unapproved).or(wanted),
            close_disabled: release,
            operation,
        }
    }

    fn actor(&self) -> Result<Actor, ApiError> {
        let caller = self.caller()?;
        Ok(Actor {
            person: Person { id: caller.principal.clone(), name: caller.actor.clone() },
            address: caller.address.clone(),
        })
    }
}

fn gitops_error(error: GitopsError) -> ApiError {
    match error {
        GitopsError::Invalid(message) => ApiError::BadRequest { message },
        GitopsError::Refused(message) => ApiError::Conflict { message },
        GitopsError::NotFound(_) => ApiError::NotFound { message: error.to_string() },
        // It names hosts and paths that are nobody's business in a browser.
        GitopsError::Host(problem) => {
            tracing::warn!(problem, "a GitOps repository cannot be asked");
            ApiError::Unavailable {
                message: "The GitOps repository does not answer as it should. Try again; the server's log says why."
                    .into(),
            }
        }
        GitopsError::Delivery(error) => super::delivery::error(error),
    }
}
