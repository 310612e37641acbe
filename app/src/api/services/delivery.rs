//! Deliveries for one caller: what no grant lets them see is not in any answer.

use ::delivery::{DeliveryError, Sight, report};
use domain::access::{Permission, Resource};
use domain::delivery::{ChangeSummary, EnvironmentName, Fact, ServiceName};
use domain::wire::delivery::{DoraView, MatrixView, Report, Reported, TimelineView};
use jiff::Timestamp;

use super::{Services, internal};
use crate::api::ApiError;

/// How many stages are reported at once.
const MOST_REPORTS: usize = 500;

impl Sight for Services {
    fn sees(&self, service: &ServiceName, environment: &EnvironmentName) -> bool {
        let resource = Resource::Delivery { environment: environment.as_str(), service: service.as_str() };
        self.caller().is_ok_and(|caller| caller.allows(Permission::View, &resource))
    }
}

impl Services {
    pub(in crate::api) async fn delivery_matrix(&self) -> Result<MatrixView, ApiError> {
        self.delivery.matrix_view(self, Timestamp::now()).await.map_err(error)
    }

    pub(in crate::api) async fn delivery_timeline(
        &self,
        service: &str,
        commit: &str,
    ) -> Result<TimelineView, ApiError> {
        self.delivery.timeline_view(self, service, commit, Timestamp::now()).await.map_err(error)
    }

    pub(in crate::api) async fn delivery_changes(
        &self,
        service: &str,
        q: &str,
        limit: u32,
    ) -> Result<Vec<ChangeSummary>, ApiError> {
        self.delivery.changes_view(self, service, q, limit).await.map_err(error)
    }

    pub(in crate::api) async fn delivery_facts(
        &self,
        service: &str,
        commit: &str,
    ) -> Result<Vec<Fact>, ApiError> {
        self.delivery.facts_view(self, service, commit).await.map_err(error)
    }

    pub(in crate::api) async fn delivery_dora(
        &self,
        service: &str,
        days: u32,
    ) -> Result<Vec<DoraView>, ApiError> {
        self.delivery.dora_view(self, service, days, Timestamp::now()).await.map_err(error)
    }

    /// Takes in what a pipeline tells: all of it, or nothing.
    pub(in crate::api) async fn delivery_report(&self, reports: Vec<Report>) -> Result<Reported, ApiError> {
        if reports.len() > MOST_REPORTS {
            return Err(ApiError::BadRequest {
                message: format!("At most {MOST_REPORTS} stages are reported at once."),
            });
        }
        let now = Timestamp::now();
        let facts: Result<Vec<Fact>, DeliveryError> =
            reports.into_iter().map(|report| report::fact(report, now)).collect();
        let recorded = self.record_delivery(facts.map_err(error)?).await?;
        Ok(Reported { new: recorded })
    }

    /// Takes in facts that the caller tells, who must be allowed to report on each; answers how many were new.
    ///
    /// # Errors
    /// [`ApiError::Forbidden`] for what is out of reach, [`ApiError::BadRequest`] for what contradicts itself.
    pub async fn record_delivery(&self, facts: Vec<Fact>) -> Result<u32, ApiError> {
        for fact in &facts {
            self.permit_report(&fact.service, fact.environment.as_ref())?;
        }
        let recorded = self.delivery.record(facts, Timestamp::now()).await.map_err(error)?;
        Ok(u32::try_from(recorded.new).unwrap_or(u32::MAX))
    }

    /// Whether the caller may tell of a service; of what is before any environment whoever may tell of one of them.
    fn permit_report(
        &self,
        service: &ServiceName,
        environment: Option<&EnvironmentName>,
    ) -> Result<(), ApiError> {
        let caller = self.caller()?;
        let permit = |environment: &EnvironmentName| {
            let resource =
                Resource::Delivery { environment: environment.as_str(), service: service.as_str() };
            caller.check(Permission::Report, &resource)
        };
        let checked = match environment {
            Some(environment) => permit(environment),
            None => {
                let mut names = self.delivery.config().environments.names().iter().map(permit);
                // Without environments there is nothing to be limited to.
                names.find(Result::is_ok).unwrap_or_else(|| {
                    caller.check(
                        Permission::Report,
                        &Resource::Delivery { environment: "", service: service.as_str() },
                    )
                })
            }
        };
        checked.map_err(|denied| ApiError::Forbidden { message: denied.to_string() })
    }

    /// Whether the caller sees a service in any environment.
    pub fn sees_service(&self, service: &ServiceName) -> bool {
        self.delivery.sees_service(self, service)
    }
}

/// The error as the browser is told it.
pub fn error(error: DeliveryError) -> ApiError {
    match error {
        DeliveryError::Store(error) => internal(error),
        DeliveryError::NotKept(problem) => {
            tracing::error!(%problem, "facts could not be kept");
            ApiError::Unavailable { message: "What was told could not be kept. Send it again.".into() }
        }
        DeliveryError::NotFound(message) => ApiError::NotFound { message },
        DeliveryError::Fact(_)
        | DeliveryError::Name(_)
        | DeliveryError::UnknownService(_)
        | DeliveryError::UnknownEnvironment(_)
        | DeliveryError::Invalid(_) => ApiError::BadRequest { message: error.to_string() },
    }
}
