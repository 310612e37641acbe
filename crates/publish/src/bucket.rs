//! The bucket, as far as publishing needs it: conditional writes, listings, and headers.

use std::path::Path;

use aws::Failure;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::RequestId;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumMode, CompletedMultipartUpload, CompletedPart, Delete, MetadataDirective, ObjectIdentifier,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use crate::error::PublishError;

/// What is larger goes up in parts, each of which is repeated by itself when it fails.
pub(crate) const LARGEST_HELD: u64 = 16 * 1024 * 1024;
const PART: usize = 8 * 1024 * 1024;
/// The most keys of one `DeleteObjects` (S3 API reference).
const DELETED_AT_ONCE: usize = 1_000;

/// A bucket.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    client: Client,
    name: String,
}

/// An object with its content.
pub(crate) struct Found {
    pub(crate) body: Vec<u8>,
    pub(crate) etag: String,
}

/// An object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) key: String,
    pub(crate) bytes: u64,
    /// Without its quotes.
    pub(crate) etag: String,
}

/// What an object is served with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Headers {
    pub(crate) content_type: String,
    pub(crate) content_encoding: Option<String>,
    pub(crate) cache_control: String,
}

/// On what a write depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition<'a> {
    /// There is no such object.
    Missing,
    /// The object is still the one with this ETag.
    Unchanged(&'a str),
    None,
}

impl<'a> Condition<'a> {
    /// That the object is as it was found, or still missing.
    pub(crate) fn as_found(etag: Option<&'a str>) -> Condition<'a> {
        etag.map_or(Condition::Missing, Condition::Unchanged)
    }

    /// The value of `If-None-Match`.
    fn if_none_match(self) -> Option<String> {
        (self == Condition::Missing).then(|| "*".to_owned())
    }

    /// The value of `If-Match`.
    fn if_match(self) -> Option<String> {
        match self {
            Condition::Unchanged(etag) => Some(etag.to_owned()),
            Condition::Missing | Condition::None => None,
        }
    }
}

/// What came of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Done {
        etag: String,
    },
    /// The condition does not hold.
    Refused,
}

/// Where the bytes of an object are.
#[derive(Clone, Copy)]
pub(crate) enum Content<'a> {
    Bytes(&'a [u8]),
    /// A file of this many bytes.
    File(&'a Path, u64),
}

impl Bucket {
    pub(crate) fn new(client: Client, name: String) -> Bucket {
        Bucket { client, name }
    }

    /// The object, with its content; `None` where there is none.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Found>, PublishError> {
        let failed = |error| self.failed("s3:GetObject", key, error);
        let answer = match self.client.get_object().bucket(&self.name).key(key).send().await {
            Ok(answer) => answer,
            Err(error) if code(&error) == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(failed(Failure::of(&error))),
        };
        let etag = answer.e_tag().unwrap_or_default().to_owned();
        let body = answer.body.collect().await.map_err(|error| {
            failed(Failure {
                code: "connection".into(),
                message: error.to_string(),
                request_id: None,
                outcome: aws::Outcome::Unknown,
            })
        })?;
        Ok(Some(Found { body: body.to_vec(), etag }))
    }

    /// Every object whose key begins with `prefix`.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<Listed>, PublishError> {
        let mut pages =
            self.client.list_objects_v2().bucket(&self.name).prefix(prefix).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failed("s3:ListBucket", prefix, Failure::of(&error)))?;
            found.extend(page.contents().iter().map(|object| Listed {
                key: object.key().unwrap_or_default().to_owned(),
                bytes: object.size().and_then(|size| size.try_into().ok()).unwrap_or_default(),
                etag: object.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
            }));
        }
        Ok(found)
    }

    /// The headers of an object with its size; `None` where there is none.
    pub(crate) async fn head(&self, key: &str) -> Result<Option<(Headers, u64)>, PublishError> {
        match self.client.head_object().bucket(&self.name).key(key).send().await {
            Ok(answer) => {
                let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
                let headers = Headers {
                    content_type: text(answer.content_type()),
                    content_encoding: answer
                        .content_encoding()
                        .filter(|one| !one.is_empty())
                        .map(str::to_owned),
                    cache_control: text(answer.cache_control()),
                };
                let bytes = answer.content_length().and_then(|length| length.try_into().ok());
                Ok(Some((headers, bytes.unwrap_or_default())))
            }
            Err(error) if matches!(code(&error), Some("NotFound" | "NoSuchKey")) => Ok(None),
            Err(error) => Err(self.failed("s3:GetObject", key, Failure::of(&error))),
        }
    }

    /// SHA-256 of an object in base 64, where S3 was given one with it.
    pub(crate) async fn sha256(&self, key: &str) -> Result<Option<String>, PublishError> {
        let head = self.client.head_object().bucket(&self.name).key(key).checksum_mode(ChecksumMode::Enabled);
        match head.send().await {
            Ok(answer) => Ok(answer.checksum_sha256().map(str::to_owned)),
            Err(error) => Err(self.failed("s3:GetObject", key, Failure::of(&error))),
        }
    }

    /// Writes an object where `condition` holds. S3 checks the bytes against `sha256`.
    pub(crate) async fn put(
        &self,
        key: &str,
        content: Content<'_>,
        sha256: [u8; 32],
        headers: &Headers,
        condition: Condition<'_>,
    ) -> Result<Written, PublishError> {
        let body = match content {
            Content::Bytes(bytes) => ByteStream::from(bytes.to_vec()),
            Content::File(path, bytes) if bytes > LARGEST_HELD => {
                return self.put_large(key, path, headers, condition).await;
            }
            Content::File(path, _) => {
                ByteStream::from(tokio::fs::read(path).await.map_err(|error| PublishError::Unexpected {
                    resource: path.display().to_string(),
                    problem: format!("cannot be read: {error}"),
                })?)
            }
        };
        let put = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(key)
            .body(body)
            .checksum_sha256(STANDARD.encode(sha256))
            .content_type(&headers.content_type)
            .set_content_encoding(headers.content_encoding.clone())
            .cache_control(&headers.cache_control)
            .set_if_none_match(condition.if_none_match())
            .set_if_match(condition.if_match());
        match put.send().await {
            Ok(answer) => Ok(Written::Done { etag: answer.e_tag().unwrap_or_default().to_owned() }),
            Err(error) if is_refused(code(&error)) => Ok(Written::Refused),
            Err(error) => Err(self.failed("s3:PutObject", key, Failure::of(&error))),
        }
    }

    /// The same in parts. What was begun and not ended is taken back, so that nobody pays for it.
    async fn put_large(
        &self,
        key: &str,
        path: &Path,
        headers: &Headers,
        condition: Condition<'_>,
    ) -> Result<Written, PublishError> {
        let begun = self
            .client
            .create_multipart_upload()
            .bucket(&self.name)
            .key(key)
            .checksum_algorithm(aws_sdk_s3::types::ChecksumAlgorithm::Sha256)
            .content_type(&headers.content_type)
            .set_content_encoding(headers.content_encoding.clone())
            .cache_control(&headers.cache_control)
            .send()
            .await
            .map_err(|error| self.failed("s3:PutObject", key, Failure::of(&error)))?;
        let upload = begun.upload_id().unwrap_or_default();
        let written = self.put_parts(key, path, upload, condition).await;
        if !matches!(written, Ok(Written::Done { .. })) {
            let abort = self.client.abort_multipart_upload().bucket(&self.name).key(key).upload_id(upload);
            // The first error says more; a lifecycle rule takes away what is left.
            let _ = abort.send().await;
        }
        written
    }

    async fn put_parts(
        &self,
        key: &str,
        path: &Path,
        upload: &str,
        condition: Condition<'_>,
    ) -> Result<Written, PublishError> {
        let unreadable = |error: std::io::Error| PublishError::Unexpected {
            resource: path.display().to_string(),
            problem: format!("cannot be read: {error}"),
        };
        let mut file = tokio::fs::File::open(path).await.map_err(unreadable)?;
        let mut parts = Vec::new();
        for number in 1.. {
            let mut bytes = Vec::with_capacity(PART);
            (&mut file).take(PART as u64).read_to_end(&mut bytes).await.map_err(unreadable)?;
            if bytes.is_empty() {
                break;
            }
            let checksum = STANDARD.encode(Sha256::digest(&bytes));
            let part = self
                .client
                .upload_part()
                .bucket(&self.name)
                .key(key)
                .upload_id(upload)
                .part_number(number)
                .checksum_sha256(&checksum)
                .body(bytes.into())
                .send()
                .await
                .map_err(|error| self.failed("s3:PutObject", key, Failure::of(&error)))?;
            let part = CompletedPart::builder()
                .part_number(number)
                .set_e_tag(part.e_tag().map(str::to_owned))
                .checksum_sha256(checksum);
            parts.push(part.build());
        }
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self
            .client
            .complete_multipart_upload()
            .bucket(&self.name)
            .key(key)
            .upload_id(upload)
            .multipart_upload(parts)
            .set_if_none_match(condition.if_none_match())
            .set_if_match(condition.if_match());
        match complete.send().await {
            Ok(answer) => Ok(Written::Done { etag: answer.e_tag().unwrap_or_default().to_owned() }),
            Err(error) if is_refused(code(&error)) => Ok(Written::Refused),
            Err(error) => Err(self.failed("s3:PutObject", key, Failure::of(&error))),
        }
    }

    /// Gives an object other headers; its content stays where it is.
    pub(crate) async fn replace_headers(&self, key: &str, headers: &Headers) -> Result<(), PublishError> {
        self.client
            .copy_object()
            .bucket(&self.name)
            .key(key)
            .copy_source(format!("{}/{key}", self.name))
            .metadata_directive(MetadataDirective::Replace)
            .content_type(&headers.content_type)
            .set_content_encoding(headers.content_encoding.clone())
            .cache_control(&headers.cache_control)
            .send()
            .await
            .map(drop)
            .map_err(|error| self.failed("s3:PutObject", key, Failure::of(&error)))
    }

    /// Deletes the objects.
    pub(crate) async fn delete(&self, keys: &[String]) -> Result<(), PublishError> {
        for some in keys.chunks(DELETED_AT_ONCE) {
            let malformed = |error: aws_sdk_s3::error::BuildError| PublishError::Invalid(error.to_string());
            let objects: Result<Vec<ObjectIdentifier>, _> =
                some.iter().map(|key| ObjectIdentifier::builder().key(key).build()).collect();
            let delete = Delete::builder().set_objects(Some(objects.map_err(malformed)?)).quiet(true).build();
            let first = some.first().map_or("", String::as_str);
            let answer = self
                .client
                .delete_objects()
                .bucket(&self.name)
                .delete(delete.map_err(malformed)?)
                .send()
                .await
                .map_err(|error| self.failed("s3:DeleteObject", first, Failure::of(&error)))?;
            // The request may succeed while single keys do not.
            if let Some(error) = answer.errors().first() {
                let failure = Failure {
                    code: error.code().unwrap_or("response").to_owned(),
                    message: error.message().unwrap_or("AWS gave no message.").to_owned(),
                    request_id: None,
                    outcome: aws::Outcome::Answered,
                };
                return Err(self.failed("s3:DeleteObject", error.key().unwrap_or(first), failure));
            }
        }
        Ok(())
    }

    pub(crate) fn url(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    fn failed(&self, operation: &'static str, key: &str, failure: Failure) -> PublishError {
        PublishError::Aws { operation, resource: self.url(key), failure }
    }
}

fn code<E, R>(error: &SdkError<E, R>) -> Option<&str>
where
    E: ProvideErrorMetadata,
    SdkError<E, R>: RequestId,
{
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// Whether a conditional write found that its condition does not hold, or that another one was on its way at the same moment.
fn is_refused(code: Option<&str>) -> bool {
    matches!(code, Some("PreconditionFailed" | "ConditionalRequestConflict"))
}
