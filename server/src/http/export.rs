//! Lists as files: CSV and JSON, written as they are read, with the same query as the page's.

use std::sync::Arc;

use app::api::ApiError;
use app::api::services::{Permission, Services, audit_filter};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::audit::AuditEntry;
use fleet::{FleetView, list_row};
use futures::stream;
use http::header;
use serde::Deserialize;

use super::api;
use crate::auth::Who;
use crate::output::write_csv;
use crate::rows;

/// Rows written at a time: a client that reads slowly holds this much and not the fleet.
const CHUNK: usize = 1_000;
/// The most audit entries in one export.
const AUDIT_LIMIT: u32 = 1_000;

#[derive(Deserialize)]
pub(super) struct FleetParameters {
    #[serde(default)]
    q: String,
    #[serde(default)]
    sort: String,
}

#[derive(Deserialize)]
pub(super) struct AuditParameters {
    #[serde(default)]
    text: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    account: String,
    #[serde(default)]
    instance_id: String,
}

#[derive(Clone, Copy)]
enum Format {
    Csv,
    Json,
}

pub(super) async fn fleet_csv(
    State(services): State<Services>,
    Extension(Who(caller)): Extension<Who>,
    Query(parameters): Query<FleetParameters>,
) -> Response {
    fleet(&services.for_caller(caller), &parameters, Format::Csv).await
}

pub(super) async fn fleet_json(
    State(services): State<Services>,
    Extension(Who(caller)): Extension<Who>,
    Query(parameters): Query<FleetParameters>,
) -> Response {
    fleet(&services.for_caller(caller), &parameters, Format::Json).await
}

pub(super) async fn audit_csv(
    State(services): State<Services>,
    Extension(Who(caller)): Extension<Who>,
    Query(parameters): Query<AuditParameters>,
) -> Response {
    audit(&services.for_caller(caller), &parameters, Format::Csv).await
}

pub(super) async fn audit_json(
    State(services): State<Services>,
    Extension(Who(caller)): Extension<Who>,
    Query(parameters): Query<AuditParameters>,
) -> Response {
    audit(&services.for_caller(caller), &parameters, Format::Json).await
}

async fn fleet(services: &Services, parameters: &FleetParameters, format: Format) -> Response {
    let selected = async {
        services.permit(Permission::View)?;
        let seen = services.seen().await?;
        let matches = services.select(&seen, &parameters.q, &parameters.sort)?;
        Ok::<_, ApiError>((seen.view, matches))
    };
    match selected.await {
        Err(error) => api::error(error),
        Ok((view, matches)) => {
            let chunks = matches.len().div_ceil(CHUNK).max(1);
            let body = stream::iter(
                (0..chunks).map(move |number| fleet_chunk(&view, &matches, number, chunks, format)),
            );
            file("fleet", format, Body::from_stream(body))
        }
    }
}

/// One piece of the file: the first carries the header, the last what closes it.
fn fleet_chunk(
    view: &FleetView,
    matches: &Arc<Vec<u32>>,
    number: usize,
    chunks: usize,
    format: Format,
) -> std::io::Result<Bytes> {
    let all = view.index.rows();
    let window = matches.iter().skip(number * CHUNK).take(CHUNK);
    let listed = window.map(|position| list_row(&all[*position as usize]));
    let mut out = Vec::new();
    match format {
        Format::Csv => {
            let cells = listed.map(|row| rows::instance(&row));
            write_csv(&mut out, (number == 0).then_some(&rows::INSTANCE[..]), cells)?;
        }
        Format::Json => {
            for (position, row) in listed.enumerate() {
                out.push(if number == 0 && position == 0 { b'[' } else { b',' });
                serde_json::to_writer(&mut out, &row)?;
            }
            if number + 1 == chunks {
                if matches.is_empty() {
                    out.push(b'[');
                }
                out.extend_from_slice(b"]\n");
            }
        }
    }
    Ok(out.into())
}

async fn audit(services: &Services, parameters: &AuditParameters, format: Format) -> Response {
    if let Err(error) = services.permit(Permission::View) {
        return api::error(error);
    }
    let AuditParameters { text, action, account, instance_id } = parameters;
    let mut before_seq = 0;
    let mut entries: Vec<AuditEntry> = Vec::new();
    loop {
        let filter = match audit_filter(text, action, account, instance_id, before_seq, AUDIT_LIMIT) {
            Ok(filter) => filter,
            Err(error) => return api::error(error),
        };
        match services.audit_entries(filter).await {
            Err(error) => return api::error(error),
            Ok(page) => {
                let full = page.len() == AUDIT_LIMIT as usize;
                entries.extend(page);
                match entries.last() {
                    Some(last) if full => before_seq = last.seq,
                    _ => break,
                }
            }
        }
    }
    let written = match format {
        Format::Json => serde_json::to_vec(&entries).map_err(std::io::Error::from),
        Format::Csv => {
            let mut out = Vec::new();
            write_csv(&mut out, Some(&rows::AUDIT), entries.iter().map(rows::audit_entry)).map(|()| out)
        }
    };
    match written {
        Ok(out) => file("audit", format, Body::from(out)),
        Err(error) => {
            tracing::error!(%error, "the audit log cannot be written");
            api::error(ApiError::Internal)
        }
    }
}

fn file(name: &str, format: Format, body: Body) -> Response {
    let (content_type, extension) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Json => ("application/json", "json"),
    };
    let disposition = format!("attachment; filename=\"tollgate-{name}.{extension}\"");
    ([(header::CONTENT_TYPE, content_type.to_owned()), (header::CONTENT_DISPOSITION, disposition)], body)
        .into_response()
}
