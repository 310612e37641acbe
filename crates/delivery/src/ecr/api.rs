//! The calls to ECR: which images a repository lists, what their manifests say, and whether both may be asked.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws::{Failure, Settings};
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::operation::RequestId;
use aws_sdk_ecr::operation::describe_images::DescribeImagesError;
use aws_sdk_ecr::types::{
    DescribeImagesFilter, ImageDetail, ImageFailureCode, ImageIdentifier, ImageStatusFilter, TagStatus,
};

use domain::delivery::ImageState;

use super::Role;
use super::image::{Listed, keep_newest, state};
use super::manifest::{MEDIA_TYPES, Manifest};
use super::memory::{Memory, Reading};
use super::name::{ImageName, Registry};
use super::problem::{self, Call, Place};
use crate::reader::Checked;

const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Images that one page lists: the most that ECR takes.
const PAGE: i32 = 1_000;
/// Pages of one repository. ECR holds 100,000 images in one by default ("Service quotas").
const MOST_PAGES: usize = 100;
/// Manifests that one call reads: an index of a few platforms has some kilobytes.
const MANIFESTS_AT_ONCE: usize = 20;
/// What is asked for to find out whether manifests may be read, where there is no image: that there is none is an answer.
const ANY_TAG: &str = "latest";

/// A registry and how it is asked.
#[derive(Debug)]
pub(super) struct Api {
    client: Client,
    registry: Registry,
    role: Option<String>,
}

/// What came of reading a repository.
#[derive(Debug)]
pub(super) struct Outcome {
    /// `None` where its images could not be listed.
    pub(super) reading: Option<Reading>,
    pub(super) problems: Vec<String>,
}

impl Api {
    pub(super) async fn new(settings: &Settings, registry: Registry, role: Option<Role>) -> Api {
        let settings = Settings {
            region: Some(registry.region.clone()),
            attempt_timeout: settings.attempt_timeout.or(Some(ATTEMPT_TIMEOUT)),
            call_timeout: settings.call_timeout.or(Some(CALL_TIMEOUT)),
            ..settings.clone()
        };
        let mut config = aws::load(&settings).await;
        if let Some(Role { arn, external_id }) = &role {
            let mut provider = AssumeRoleProvider::builder(arn).configure(&config).session_name("tollgate");
            if let Some(external_id) = external_id {
                provider = provider.external_id(external_id);
            }
            let credentials = SharedCredentialsProvider::new(provider.build().await);
            config = config.into_builder().credentials_provider(credentials).build();
        }
        Api { client: Client::new(&config), registry, role: role.map(|role| role.arn) }
    }

    /// Reads which images a repository has, and the manifests that `memory` lacks.
    pub(super) async fn read(&self, repository: &str, memory: &Memory) -> Outcome {
        let images = match self.list(repository).await {
            Ok(images) => images,
            Err(problem) => return Outcome { reading: None, problems: vec![problem] },
        };
        let digests: Vec<String> = memory.unread(&images).into_iter().map(str::to_owned).collect();
        let (mut manifests, problem) = self.manifests(repository, &digests).await;
        let mut problems: Vec<String> = problem.into_iter().collect();
        // What an index does not say, its platforms may.
        let mut asked: BTreeMap<String, String> = BTreeMap::new();
        for (digest, manifest) in &manifests {
            if let Some(platform) = manifest.asks_for().filter(|_| asks_for_revision(&images, digest)) {
                asked.insert(digest.clone(), platform.to_owned());
            }
        }
        let platforms: Vec<String> = asked.values().cloned().collect();
        let (found, problem) = self.manifests(repository, &platforms).await;
        for (index, platform) in asked {
            match (manifests.get_mut(&index), found.get(&platform)) {
                (Some(manifest), Some(found)) => manifest.revision.clone_from(&found.revision),
                // Both are read again in the next round.
                (Some(_), None) if problem.is_some() => drop(manifests.remove(&index)),
                // Nobody has the platform any more.
                (Some(_) | None, _) => {}
            }
        }
        problems.extend(problem);
        Outcome { reading: Some(Reading { images, manifests }), problems }
    }

    /// The images that were pushed last, of those with a tag.
    async fn list(&self, repository: &str) -> Result<Vec<Listed>, String> {
        // Without a status ECR answers with active images alone, and one that was archived would stay as it was.
        let filter = DescribeImagesFilter::builder()
            .tag_status(TagStatus::Tagged)
            .image_status(ImageStatusFilter::Any)
            .build();
        let mut pages = self
            .client
            .describe_images()
            .registry_id(&self.registry.account)
            .repository_name(repository)
            .filter(filter)
            .max_results(PAGE)
            .into_paginator()
            .send();
        let mut images = Vec::new();
        for _ in 0..MOST_PAGES {
            let Some(page) = pages.next().await else { break };
            let page = page.map_err(|error| self.problem(&error, Call::DescribeImages, repository))?;
            images.extend(page.image_details().iter().filter_map(Listed::of));
            keep_newest(&mut images);
        }
        Ok(images)
    }

    /// The image that a tag names now: its state and its digest; `None` where there is none.
    pub(super) async fn tagged(
        &self,
        repository: &str,
        tag: &str,
    ) -> Result<Option<(ImageState, String)>, String> {
        let call = self.client.describe_images().registry_id(&self.registry.account);
        let id = ImageIdentifier::builder().image_tag(tag).build();
        let answer = match call.repository_name(repository).image_ids(id).send().await {
            Ok(answer) => answer,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DescribeImagesError::is_image_not_found_exception) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(self.problem(&error, Call::DescribeImages, repository)),
        };
        // Where no status is told, there is none but active.
        let image = |detail: &ImageDetail| {
            let state = detail.image_status().and_then(state).unwrap_or(ImageState::Active);
            Some((state, detail.image_digest()?.to_owned()))
        };
        Ok(answer.image_details().iter().find_map(image))
    }

    /// The manifests of images, by digest, as far as they could be read, and why not all could.
    async fn manifests(
        &self,
        repository: &str,
        digests: &[String],
    ) -> (BTreeMap<String, Manifest>, Option<String>) {
        let mut manifests = BTreeMap::new();
        let mut problem = None;
        for digests in digests.chunks(MANIFESTS_AT_ONCE) {
            let ids = digests.iter().map(|digest| ImageIdentifier::builder().image_digest(digest).build());
            let call = self
                .client
                .batch_get_image()
                .registry_id(&self.registry.account)
                .repository_name(repository)
                .set_image_ids(Some(ids.collect()))
                .set_accepted_media_types(Some(MEDIA_TYPES.map(str::to_owned).to_vec()));
            let answer = match call.send().await {
                Ok(answer) => answer,
                Err(error) => {
                    return (manifests, Some(self.problem(&error, Call::BatchGetImage, repository)));
                }
            };
            for image in answer.images() {
                let digest = image.image_id().and_then(ImageIdentifier::image_digest);
                if let (Some(digest), Some(text)) = (digest, image.image_manifest()) {
                    manifests.insert(digest.to_owned(), Manifest::parse(text));
                }
            }
            for failure in answer.failures() {
                // It was deleted since it was listed.
                if failure.failure_code() == Some(&ImageFailureCode::ImageNotFound) {
                    continue;
                }
                let digest = failure.image_id().and_then(ImageIdentifier::image_digest).unwrap_or("an image");
                let code = failure.failure_code().map_or("no code", ImageFailureCode::as_str);
                let reason = failure.failure_reason().unwrap_or("ECR gave no reason.");
                problem = Some(format!(
                    "ECR does not give the manifest of {digest} in {repository} ({code}): {reason}"
                ));
            }
        }
        (manifests, problem)
    }

    /// Whether both calls may be made for a repository.
    pub(super) async fn check(&self, name: &ImageName) -> [Checked; 2] {
        let repository = &name.repository;
        let listed = self
            .client
            .describe_images()
            .registry_id(&self.registry.account)
            .repository_name(repository)
            .max_results(1)
            .send()
            .await;
        let (outcome, digest) = match &listed {
            Ok(answer) => match answer.image_details() {
                [] => (Ok("allowed; there is no image yet".to_owned()), None),
                [image, ..] => (Ok("allowed".to_owned()), image.image_digest()),
            },
            Err(error) => (Err(self.problem(error, Call::DescribeImages, repository)), None),
        };
        let id = match digest {
            Some(digest) => ImageIdentifier::builder().image_digest(digest),
            None => ImageIdentifier::builder().image_tag(ANY_TAG),
        };
        let call = self.client.batch_get_image().registry_id(&self.registry.account);
        let read = call.repository_name(repository).image_ids(id.build()).send().await;
        let what = |call: Call| format!("{} on {name}", call.permission());
        [
            Checked { what: what(Call::DescribeImages), outcome },
            Checked {
                what: what(Call::BatchGetImage),
                outcome: match read {
                    Ok(_) => Ok("allowed".to_owned()),
                    Err(error) => Err(self.problem(&error, Call::BatchGetImage, repository)),
                },
            },
        ]
    }

    fn problem<E, R>(&self, error: &SdkError<E, R>, call: Call, repository: &str) -> String
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        R: fmt::Debug + Send + Sync + 'static,
        SdkError<E, R>: RequestId,
    {
        let place = Place { registry: &self.registry, repository, role: self.role.as_deref() };
        problem::of(&Failure::of(error), call, place)
    }
}

/// Whether the commit of an image is not in its tags.
fn asks_for_revision(images: &[Listed], digest: &str) -> bool {
    images.iter().any(|image| image.digest == digest && !image.names_commit())
}
