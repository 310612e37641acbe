//! Deliveries for one caller: what no grant lets them see is not in any answer.

use ::delivery::{DeliveryError, MOST_CHANGES, report};
use domain::access::{Permission, Resource};
use domain::delivery::{ChangeSummary, CommitSha, EnvironmentName, Fact, InvalidName, Search, ServiceName};
use domain::wire::delivery::{DoraView, MatrixRow, MatrixView, ReasonView, Report, Reported, TimelineView};
use jiff::Timestamp;

use super::{Services, internal};
use crate::api::ApiError;

/// The windows that metrics are measured over, in days.
const WINDOWS: [u32; 3] = [7, 30, 90];
/// How many stages are reported at once.
const MOST_REPORTS: usize = 500;

impl Services {
    pub(in crate::api) async fn delivery_matrix(&self) -> Result<MatrixView, ApiError> {
        let rows = self.delivery.matrix(Timestamp::now()).await.map_err(error)?;
        let names = self.delivery.config().environments.names();
        // An environment of which nothing may be seen is not shown at all; of one that is seen of other services, the cell is.
        let seen = |environment: &EnvironmentName| {
            rows.iter().any(|(service, _)| self.sees_delivery(&service.name, environment))
        };
        let environments: Vec<&EnvironmentName> = names.iter().filter(|name| seen(name)).collect();
        let rows =
            rows.iter().filter(|(service, _)| self.sees_service(&service.name)).map(|(service, cells)| {
                let cells = cells
                    .iter()
                    .filter(|cell| environments.contains(&&cell.environment))
                    .map(|cell| self.sees_delivery(&service.name, &cell.environment).then_some(cell));
                MatrixRow::of(service.name.as_str(), service.repository.as_deref(), cells)
            });
        Ok(MatrixView {
            rows: rows.collect(),
            environments: environments.into_iter().map(ToString::to_string).collect(),
            sources: self.delivery.sources(),
        })
    }

    pub(in crate::api) async fn delivery_timeline(
        &self,
        service: &str,
        commit: &str,
    ) -> Result<TimelineView, ApiError> {
        let (service, commit) = (self.visible_service(service)?, parsed(CommitSha::parse(commit))?);
        let timeline = self.delivery.timeline(&service, &commit).await.map_err(error)?;
        let reasons = self.delivery.reasons(&service, &commit, Timestamp::now()).await.map_err(error)?;
        let mut view = TimelineView::of(&timeline);
        view.environments.retain(|one| {
            EnvironmentName::parse(&one.environment).is_ok_and(|name| self.sees_delivery(&service, &name))
        });
        for one in &mut view.environments {
            let reason = reasons.iter().find(|(name, _)| name.as_str() == one.environment);
            one.reason = reason.map(|(_, answer)| ReasonView::of(answer));
        }
        let seen: Vec<&str> = view.environments.iter().map(|one| one.environment.as_str()).collect();
        view.path.retain(|hop| hop.environment.as_deref().is_none_or(|name| seen.contains(&name)));
        Ok(view)
    }

    /// The latest changes, of one service or of all, or those that `q` means.
    pub(in crate::api) async fn delivery_changes(
        &self,
        service: &str,
        q: &str,
        limit: u32,
    ) -> Result<Vec<ChangeSummary>, ApiError> {
        let limit = limit.clamp(1, MOST_CHANGES);
        let service = match service {
            "" => None,
            service => Some(self.visible_service(service)?),
        };
        let found = match Search::parse(q) {
            None => self.delivery.changes(service.as_ref(), limit).await,
            Some(search) => self.delivery.search(&search, limit).await,
        };
        let mut changes = found.map_err(error)?;
        changes.retain(|change| {
            self.sees_service(&change.service) && service.as_ref().is_none_or(|only| *only == change.service)
        });
        for change in &mut changes {
            let service = &change.service;
            change.environments.retain(|one| self.sees_delivery(service, &one.environment));
        }
        Ok(changes)
    }

    /// The facts of a change: what all that is shown of it was made from.
    pub(in crate::api) async fn delivery_facts(
        &self,
        service: &str,
        commit: &str,
    ) -> Result<Vec<Fact>, ApiError> {
        let (service, commit) = (self.visible_service(service)?, parsed(CommitSha::parse(commit))?);
        let mut facts = self.delivery.facts(&service, &commit).await.map_err(error)?;
        facts.retain(|fact| match &fact.environment {
            Some(environment) => self.sees_delivery(&service, environment),
            None => true,
        });
        Ok(facts)
    }

    pub(in crate::api) async fn delivery_dora(
        &self,
        service: &str,
        days: u32,
    ) -> Result<Vec<DoraView>, ApiError> {
        let service = self.visible_service(service)?;
        if !WINDOWS.contains(&days) {
            return Err(ApiError::BadRequest {
                message: "Metrics are measured over 7, 30 or 90 days.".into(),
            });
        }
        let measured = self.delivery.dora(&service, days, Timestamp::now()).await.map_err(error)?;
        let seen = measured.iter().filter(|dora| self.sees_delivery(&service, &dora.environment));
        Ok(seen.map(DoraView::of).collect())
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

    /// Whether the caller sees a service in an environment.
    fn sees_delivery(&self, service: &ServiceName, environment: &EnvironmentName) -> bool {
        let resource = Resource::Delivery { environment: environment.as_str(), service: service.as_str() };
        self.caller().is_ok_and(|caller| caller.allows(Permission::View, &resource))
    }

    /// Whether the caller sees a service in any environment.
    pub fn sees_service(&self, service: &ServiceName) -> bool {
        let names = self.delivery.config().environments.names();
        names.iter().any(|environment| self.sees_delivery(service, environment))
    }

    /// A service that is followed and that the caller sees; what they do not see is unknown to them.
    fn visible_service(&self, name: &str) -> Result<ServiceName, ApiError> {
        let service = parsed(ServiceName::parse(name))?;
        if self.delivery.config().service(&service).is_some() && self.sees_service(&service) {
            return Ok(service);
        }
        Err(ApiError::NotFound { message: format!("There is no service {service} here.") })
    }
}

fn parsed<T>(parsed: Result<T, InvalidName>) -> Result<T, ApiError> {
    parsed.map_err(|error| ApiError::BadRequest { message: format!("{error}.") })
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
        | DeliveryError::UnknownService(_)
        | DeliveryError::UnknownEnvironment(_)
        | DeliveryError::Invalid(_) => ApiError::BadRequest { message: error.to_string() },
    }
}
