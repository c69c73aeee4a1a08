//! Uploads.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::http::blobs::{UPLOAD_KEY_HEADER, UploadKey, UploadRequest, UploadResponse};
use rossby_schemas::http::problem::Problem;

use super::{blob_id, invalid};
use crate::error::{ApiError, to_its_end};
use crate::hawk::{Signed, SignedJson, SignedOctets};
use crate::state::Api;

/// The key of an upload, from its header.
pub(crate) struct Key(UploadKey);

impl FromRequestParts<Api> for Key {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, ApiError> {
        let value = parts.headers.get(UPLOAD_KEY_HEADER).and_then(|value| value.to_str().ok());
        let key: Option<FixedOctets<32>> = value.and_then(|text| text.parse().ok());
        key.map(|key| Self(UploadKey(key)))
            .ok_or_else(|| invalid(UPLOAD_KEY_HEADER, "must be the upload's key, 32 octets in base64url"))
    }
}

/// Begin an upload
///
/// The uploader makes the key; the blob's id comes from it. The same request again is the same upload, and tells how far it is. It
/// counts for the quota of the uploader's box when it begins, in whole chunks; nothing else is kept of who uploads.
#[utoipa::path(
    post, path = "/v1/blobs", tag = "blobs", request_body = UploadRequest, security(("hawk" = [])),
    responses(
        (status = 200, description = "How far the upload is", body = UploadResponse),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`no-such-blob`: its time is over", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`too-large`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`id-reused`: the key was used for another upload", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited` or `uploads-exhausted`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "`storage-full`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn begin_upload(
    State(api): State<Api>,
    SignedJson(caller, request): SignedJson<UploadRequest>,
) -> Result<Json<UploadResponse>, ApiError> {
    to_its_end(async move { api.service.begin_upload(caller, &request).await }).await.map(Json)
}

/// How far an upload is
#[utoipa::path(
    get, path = "/v1/blobs/{blob_id}/upload", tag = "blobs", security(("hawk" = [])),
    params(
        ("blob_id" = String, Path, description = "The blob, 34 octets in base64url"),
        ("rossby-upload-key" = String, Header, description = "The upload's key, 32 octets in base64url"),
    ),
    responses(
        (status = 200, description = "How far the upload is", body = UploadResponse),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`no-such-blob`: also for another upload's key", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn upload(
    State(api): State<Api>,
    Path(id): Path<String>,
    Key(key): Key,
    Signed(_): Signed,
) -> Result<Json<UploadResponse>, ApiError> {
    Ok(Json(api.service.upload(blob_id(&id)?, key).await?))
}

/// Upload a chunk
///
/// In any order. The same chunk again is harmless; another one under its number is refused.
#[utoipa::path(
    put, path = "/v1/blobs/{blob_id}/chunks/{chunk}", tag = "blobs", security(("hawk" = [])),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The chunk: `chunk_octets`, or what is left for the last"),
    params(
        ("blob_id" = String, Path, description = "The blob, 34 octets in base64url"),
        ("chunk" = u32, Path, description = "The chunk, counted from 0"),
        ("rossby-upload-key" = String, Header, description = "The upload's key, 32 octets in base64url"),
    ),
    responses(
        (status = 204, description = "The chunk is stored"),
        (status = 400, description = "`invalid-request`: the number or the length is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`no-such-blob`: also for another upload's key", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`id-reused`: there is another chunk with this number", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "`storage-full`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn put_chunk(
    State(api): State<Api>,
    Path((id, chunk)): Path<(String, String)>,
    Key(key): Key,
    SignedOctets(octets, room): SignedOctets,
) -> Result<StatusCode, ApiError> {
    let id = blob_id(&id)?;
    let chunk = chunk.parse().map_err(|_| invalid("chunk", "is no number"))?;
    let storing = async move {
        let _room = room;
        api.service.put_chunk(id, key, chunk, octets).await
    };
    to_its_end(storing).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Complete an upload
///
/// From then on the blob can be downloaded. Again is harmless.
#[utoipa::path(
    post, path = "/v1/blobs/{blob_id}/complete", tag = "blobs", security(("hawk" = [])),
    params(
        ("blob_id" = String, Path, description = "The blob, 34 octets in base64url"),
        ("rossby-upload-key" = String, Header, description = "The upload's key, 32 octets in base64url"),
    ),
    responses(
        (status = 200, description = "The blob can be downloaded", body = UploadResponse),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`no-such-blob`: also for another upload's key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`blob-incomplete`: chunks are missing", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "`storage-full`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn complete_upload(
    State(api): State<Api>,
    Path(id): Path<String>,
    Key(key): Key,
    Signed(_): Signed,
) -> Result<Json<UploadResponse>, ApiError> {
    let id = blob_id(&id)?;
    to_its_end(async move { api.service.complete_upload(id, key).await }).await.map(Json)
}

/// Delete a blob
///
/// Complete or not; only its uploader has the key.
#[utoipa::path(
    delete, path = "/v1/blobs/{blob_id}", tag = "blobs", security(("hawk" = [])),
    params(
        ("blob_id" = String, Path, description = "The blob, 34 octets in base64url"),
        ("rossby-upload-key" = String, Header, description = "The upload's key, 32 octets in base64url"),
    ),
    responses(
        (status = 204, description = "The blob is gone"),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`no-such-blob`: also for another upload's key", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: a part of it may be gone", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn delete_blob(
    State(api): State<Api>,
    Path(id): Path<String>,
    Key(key): Key,
    Signed(_): Signed,
) -> Result<StatusCode, ApiError> {
    let id = blob_id(&id)?;
    to_its_end(async move { api.service.delete_blob(id, key).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}
