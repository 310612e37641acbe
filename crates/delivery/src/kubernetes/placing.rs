//! Which service and environment an Application or a workload is of.

use std::collections::{BTreeMap, BTreeSet};

use domain::delivery::{EnvironmentName, Place, ServiceName};

/// How places are found: by labels, or else by the name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placing {
    /// The label that names the service, and the one that names the environment.
    pub service_label: Option<String>,
    pub environment_label: Option<String>,
    /// How names are made of both, such as `{service}-{environment}`.
    pub name_pattern: Option<String>,
    /// Those that the pattern is tried with.
    pub services: Vec<ServiceName>,
    pub environments: Vec<EnvironmentName>,
}

/// The place of something by its name and labels. Labels may name a service or an environment that is not among the configured
/// ones; a name that fits several places is of none.
pub fn place_of(placing: &Placing, name: &str, labels: &BTreeMap<String, String>) -> Option<Place> {
    let labelled = |key: &Option<String>| labels.get(key.as_ref()?);
    let service = labelled(&placing.service_label).and_then(|text| ServiceName::parse(text).ok());
    let environment = labelled(&placing.environment_label).and_then(|text| EnvironmentName::parse(text).ok());
    if let (Some(service), Some(environment)) = (&service, &environment) {
        return Some(Place { service: service.clone(), environment: environment.clone() });
    }
    let pattern = placing.name_pattern.as_ref()?;
    let services = service.as_ref().map_or(placing.services.as_slice(), std::slice::from_ref);
    let environments = environment.as_ref().map_or(placing.environments.as_slice(), std::slice::from_ref);
    let mut fitting = BTreeSet::new();
    for service in services {
        let pattern = pattern.replace("{service}", service.as_str());
        for environment in environments {
            if pattern.replace("{environment}", environment.as_str()) == name {
                fitting.insert(Place { service: service.clone(), environment: environment.clone() });
            }
        }
    }
    let place = fitting.pop_first();
    place.filter(|_| fitting.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placing() -> Placing {
        Placing {
            service_label: Some("acme.io/service".into()),
            environment_label: Some("acme.io/env".into()),
            name_pattern: Some("{service}-{environment}".into()),
            services: ["users", "users-api", "pay"].map(|name| ServiceName::parse(name).unwrap()).into(),
            environments: ["dev", "prod", "api-dev"].map(|name| EnvironmentName::parse(name).unwrap()).into(),
        }
    }

    fn place(placing: &Placing, name: &str, labels: &[(&str, &str)]) -> Option<String> {
        let labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        place_of(placing, name, &labels).map(|place| format!("{} in {}", place.service, place.environment))
    }

    #[test]
    fn labels_name_the_place_and_else_the_name_does() {
        type Case = (&'static str, &'static [(&'static str, &'static str)], Option<&'static str>);
        let cases: [Case; 9] = [
            ("whatever", &[("acme.io/service", "users"), ("acme.io/env", "dev")], Some("users in dev")),
            // Not configured: whoever asked decides what becomes of it.
            ("x", &[("acme.io/service", "new"), ("acme.io/env", "qa")], Some("new in qa")),
            ("pay-prod", &[("acme.io/service", "users"), ("acme.io/env", "dev")], Some("users in dev")),
            ("pay-prod", &[], Some("pay in prod")),
            ("pay-qa", &[], None),
            ("users-dev", &[("acme.io/service", "users")], Some("users in dev")),
            ("pay-dev", &[("acme.io/service", "users")], None),
            ("users-dev", &[("acme.io/service", "Not A Name")], Some("users in dev")),
            // users in api-dev, or users-api in dev.
            ("users-api-dev", &[], None),
        ];
        for (name, labels, expected) in cases {
            assert_eq!(place(&placing(), name, labels).as_deref(), expected, "{name} {labels:?}");
        }
        let by_label = Placing { name_pattern: None, ..placing() };
        assert_eq!(place(&by_label, "pay-prod", &[]), None);
        assert_eq!(place(&Placing::default(), "pay-prod", &[("acme.io/service", "users")]), None);
    }

    #[test]
    fn a_name_may_stand_anywhere_in_a_pattern() {
        let pattern = |pattern: &str| Placing { name_pattern: Some(pattern.into()), ..placing() };
        assert_eq!(place(&pattern("{environment}.{service}"), "dev.pay", &[]).as_deref(), Some("pay in dev"));
        assert_eq!(place(&pattern("acme-{service}"), "acme-pay", &[]), None, "of which environment?");
    }
}
