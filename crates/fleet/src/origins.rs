//! Where an instance's metadata setting may have come from: its launch template, its AMI, the account's defaults.

use domain::instance::Instance;
use domain::source::MetadataDefaults;
use domain::wire::Origin;

use crate::aws::RegionClients;
use crate::error::AwsError;

/// What each possible origin says, in the order in which EC2 lets one win over the next at launch.
pub(crate) async fn origins(
    clients: &RegionClients,
    instance: &Instance,
    defaults: Option<&MetadataDefaults>,
) -> Vec<Origin> {
    let (template, image) = tokio::join!(launch_template(clients, instance), image(clients, instance));
    let mut origins = Vec::new();
    if let Some(operator) = &instance.operator {
        origins.push(Origin {
            from: "Operator".into(),
            name: operator.to_string(),
            text: "The service that manages the instance sets its options.".into(),
        });
    }
    origins.extend(template);
    origins.push(account_default(defaults));
    origins.extend(image);
    origins
}

async fn launch_template(clients: &RegionClients, instance: &Instance) -> Option<Origin> {
    let (id, version) = instance.launch_template()?;
    let version = version.unwrap_or("$Default");
    clients.describe_rate.take().await;
    let answer = clients
        .ec2
        .describe_launch_template_versions()
        .launch_template_id(id)
        .versions(version)
        .send()
        .await
        .map_err(|error| AwsError::from_sdk("ec2:DescribeLaunchTemplateVersions", error));
    let (name, text) = match answer {
        Err(error) => (id.to_owned(), unreadable(&error)),
        Ok(answer) => match answer.launch_template_versions().first() {
            None => (id.to_owned(), format!("Version {version} does not exist any more.")),
            Some(found) => {
                let tokens = found
                    .launch_template_data()
                    .and_then(|data| data.metadata_options())
                    .and_then(|options| options.http_tokens())
                    .map(|tokens| tokens.as_str().to_owned());
                let text = match tokens {
                    Some(tokens) => format!("Version {version} sets http_tokens = {tokens}."),
                    None => format!(
                        "Version {version} does not set http_tokens: what it starts relies on defaults."
                    ),
                };
                (found.launch_template_name().unwrap_or(id).to_owned(), text)
            }
        },
    };
    Some(Origin { from: "Launch template".into(), name, text })
}

async fn image(clients: &RegionClients, instance: &Instance) -> Option<Origin> {
    let id = instance.image_id.as_deref()?;
    clients.describe_rate.take().await;
    let answer = clients
        .ec2
        .describe_images()
        .image_ids(id)
        .send()
        .await
        .map_err(|error| AwsError::from_sdk("ec2:DescribeImages", error));
    let text = match answer {
        Err(error) => unreadable(&error),
        Ok(answer) => match answer.images().first() {
            None => "The image is not visible to this account any more.".into(),
            Some(image) if image.imds_support().is_some() => {
                "imds-support is v2.0: instances start with http_tokens = required and hop limit 2 unless told otherwise.".into()
            }
            Some(_) => "imds-support is not set: the image leaves tokens optional.".into(),
        },
    };
    Some(Origin { from: "AMI".into(), name: id.to_owned(), text })
}

fn account_default(defaults: Option<&MetadataDefaults>) -> Origin {
    let text = match defaults {
        None => "The account's metadata defaults could not be read.".into(),
        Some(defaults) => {
            let tokens = match defaults.http_tokens.as_deref() {
                Some(tokens) => format!(
                    "New instances start with http_tokens = {tokens} unless their launch says otherwise."
                ),
                None => "No default for http_tokens is set.".into(),
            };
            let enforced = if defaults.tokens_enforced() {
                " HttpTokensEnforced is on: optional is refused."
            } else {
                ""
            };
            format!("{tokens}{enforced}")
        }
    };
    let name = match defaults.and_then(|defaults| defaults.managed_by.as_deref()) {
        Some("declarative-policy") => "set by a declarative policy",
        _ => "set in the account",
    };
    Origin { from: "Account default".into(), name: name.into(), text }
}

fn unreadable(error: &AwsError) -> String {
    format!("Could not be read: {} ({}). {}", error.code, error.message, error.next_step())
}
