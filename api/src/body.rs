//! Bodies: read whole, up to a limit and within a time, and parsed so that an error names its field.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use rossby_schemas::http::messages::{MAX_SEND_OCTETS, SEND_OCTETS_A_SECOND};
use rossby_schemas::http::problem::{Problem, ProblemType};
use serde::de::{DeserializeOwned, Deserializer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;
use crate::state::Api;

/// How many octets the body of most requests has at most. A thousand handles have less.
pub(crate) const MAX_SMALL_BODY: usize = 256 * 1024;
/// How many a chunk of a blob, signals, and messages have at most, but for messages to a large group.
pub(crate) const MAX_BODY: usize = 2 * 1024 * 1024;
/// How many longer bodies a process holds at once: of 8 MiB at most, and as much again once they are parsed, so 256 MiB.
const LARGE_BODIES: usize = 16;
/// How many octets a body has at most where nobody is authenticated.
pub(crate) const MAX_OPEN_BODY: usize = 16 * 1024;

/// How many octets of bodies a process holds at once, besides the first few of each.
const HELD_OCTETS: usize = 256 * 1024 * 1024;
/// So many octets of each body are not counted: there are no more of them than connections, and short requests go on whatever
/// others send.
const FREE_OCTETS: usize = MAX_OPEN_BODY;

/// Counts the octets of bodies that are in memory, so that many that come slowly can't fill it.
#[derive(Debug)]
pub(crate) struct HeldOctets(Arc<Semaphore>);

/// What a body takes of them, until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Held(Option<OwnedSemaphorePermit>);

impl HeldOctets {
    pub(crate) fn new() -> Self {
        Self::of(HELD_OCTETS)
    }

    fn of(octets: usize) -> Self {
        Self(Arc::new(Semaphore::new(octets)))
    }

    /// Takes so many more. Nobody waits for them: bodies that have some and wait for others would do so for ever.
    fn take(&self, held: &mut Held, octets: usize) -> Result<(), ApiError> {
        let octets = u32::try_from(octets).unwrap_or(u32::MAX);
        let full = |_| ApiError::later(ProblemType::Unavailable, "Too much is being sent to the server now.", 1);
        let more = Arc::clone(&self.0).try_acquire_many_owned(octets).map_err(full)?;
        match &mut held.0 {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

/// Places for bodies that are longer than others: there are but few, so that they can't fill the memory.
#[derive(Debug)]
pub(crate) struct LargeBodies(Arc<Semaphore>);

/// A place for one long body, until it is dropped.
#[derive(Debug)]
pub(crate) struct LargePlace {
    /// How many octets it says to have.
    length: usize,
    _permit: OwnedSemaphorePermit,
}

impl LargePlace {
    /// How much longer than others the body may take: on a slow line it must get through all the same, and not hold its place
    /// for ever.
    pub(crate) const fn more_time(&self) -> Duration {
        Duration::from_secs((self.length / SEND_OCTETS_A_SECOND) as u64)
    }
}

impl LargeBodies {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(LARGE_BODIES)))
    }

    /// A place, once one is free, for a body that says to be longer than others. One that doesn't say how long it is gets none,
    /// and is cut off where others are.
    pub(crate) async fn place_for(
        &self,
        headers: &HeaderMap,
        patience: Duration,
    ) -> Result<Option<LargePlace>, ApiError> {
        let stated = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        let Some(length) = stated.filter(|length| *length > MAX_BODY) else { return Ok(None) };
        if length > MAX_SEND_OCTETS {
            return Err(too_long(MAX_SEND_OCTETS));
        }
        let place = tokio::time::timeout(patience, Arc::clone(&self.0).acquire_owned()).await;
        match place {
            Ok(Ok(permit)) => Ok(Some(LargePlace { length, _permit: permit })),
            _ => Err(ApiError::new(ProblemType::Unavailable)),
        }
    }
}

fn too_long(limit: usize) -> ApiError {
    let problem = ApiError::field(ProblemType::TooLarge, "", format!("has more than {limit} octets")).into_problem();
    Problem { limit: u64::try_from(limit).ok(), ..problem }.into()
}

/// Reads a body whole, within a time. What it takes of `all` is free once the second of the two is dropped.
pub(crate) async fn read(
    body: Body,
    limit: usize,
    patience: Duration,
    all: &HeldOctets,
) -> Result<(Bytes, Held), ApiError> {
    let (mut body, mut octets, mut held) = (Limited::new(body, limit), BytesMut::new(), Held::default());
    let reading = async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    return too_long(limit);
                }
                ApiError::field(ProblemType::InvalidRequest, "", "the body did not arrive whole")
            })?;
            let Ok(data) = frame.into_data() else { continue };
            let counted = (octets.len() + data.len()).saturating_sub(octets.len().max(FREE_OCTETS));
            if counted > 0 {
                all.take(&mut held, counted)?;
            }
            octets.extend_from_slice(&data);
        }
        Ok::<_, ApiError>(())
    };
    let read = tokio::time::timeout(patience, reading).await;
    read.unwrap_or_else(|_| Err(ApiError::new(ProblemType::RequestTimeout)))?;
    Ok((octets.freeze(), held))
}

/// The media type that the headers state, in lower case and without parameters; empty if there is none. Hawk hashes it so.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let stated = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    stated.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Parses JSON of the media type that the headers state.
pub(crate) fn parse<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, ApiError> {
    if media_type(headers) != "application/json" {
        return Err(ApiError::field(ProblemType::UnsupportedMediaType, "content-type", "must be application/json"));
    }
    parse_json(body)
}

/// Parses JSON.
pub(crate) fn parse_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = parse_value(&mut json)?;
    json.end().map_err(|error| ApiError::field(ProblemType::InvalidRequest, "", reason(&error)))?;
    Ok(value)
}

/// Reads a value, of JSON or of what was read of it.
pub(crate) fn parse_value<'de, T: DeserializeOwned>(
    json: impl Deserializer<'de, Error = serde_json::Error>,
) -> Result<T, ApiError> {
    serde_path_to_error::deserialize(json).map_err(|error| {
        let field = pointer(error.path());
        ApiError::field(ProblemType::InvalidRequest, field, reason(error.inner()))
    })
}

/// A JSON Pointer (RFC 6901) to where the error is.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer += &format!("/{index}"),
            Segment::Map { key } => pointer += &format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => pointer += &format!("/{variant}"),
            Segment::Unknown => {}
        }
    }
    pointer
}

/// Why, without the values that came: they may be personal.
fn reason(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        Category::Eof => "ends too early".to_owned(),
        Category::Syntax => format!("is no JSON, at line {} column {}", error.line(), error.column()),
        Category::Io => "can't be read".to_owned(),
        Category::Data => {
            let text = error.to_string();
            if text.starts_with("unknown field") || text.starts_with("missing field") {
                text.split(" at line ").next().unwrap_or_default().to_owned()
            } else if text.starts_with("invalid type") {
                "is of the wrong type".to_owned()
            } else {
                "is not of the form that the field takes".to_owned()
            }
        }
    }
}

/// A JSON body that nobody has signed.
pub(crate) struct OpenJson<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Api> for OpenJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        api.limiters.check_address(request.extensions())?;
        let (parts, body) = request.into_parts();
        let (body, _held) = read(body, MAX_OPEN_BODY, api.request_timeout, &api.held_octets).await?;
        parse(&parts.headers, &body).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body that comes bit by bit, and what sends the bits.
    fn trickling() -> (Body, futures::channel::mpsc::UnboundedSender<Result<Bytes, std::io::Error>>) {
        let (sender, bits) = futures::channel::mpsc::unbounded();
        (Body::from_stream(bits), sender)
    }

    #[tokio::test]
    async fn bodies_that_come_slowly_take_no_more_than_there_is() {
        const MORE: usize = 10_000;
        let (all, patience) = (Arc::new(HeldOctets::of(3 * MORE)), Duration::from_secs(60));
        let read = |body| {
            let all = Arc::clone(&all);
            tokio::spawn(async move { read(body, MAX_BODY, patience, &all).await })
        };
        let bit = |octets: usize| Ok(Bytes::from(vec![b'a'; octets]));
        let mut bodies = Vec::new();
        for _ in 0..5 {
            let (body, sender) = trickling();
            sender.unbounded_send(bit(FREE_OCTETS - 1)).unwrap();
            bodies.push((read(body), sender));
        }
        // Each one's beginning is free. Of what follows three have all that there is.
        for (count, (_, sender)) in bodies.iter().enumerate() {
            sender.unbounded_send(bit(1 + MORE)).unwrap();
            let taken = (count + 1).min(3) * MORE;
            while all.0.available_permits() != 3 * MORE - taken {
                tokio::task::yield_now().await;
            }
        }
        for (refused, _) in bodies.drain(3..) {
            let problem = refused.await.unwrap().unwrap_err().into_problem();
            assert_eq!((problem.problem_type(), problem.retry_after), (Some(ProblemType::Unavailable), Some(1)));
        }
        // Short ones go on all the same.
        let (short, _) = super::read(Body::from(vec![b'a'; FREE_OCTETS]), MAX_BODY, patience, &all).await.unwrap();
        assert_eq!(short.len(), FREE_OCTETS);
        // One that is given up leaves all that it had, and one that is read whole does once it is done with.
        let (given_up, sender) = bodies.remove(0);
        given_up.abort();
        assert!(given_up.await.unwrap_err().is_cancelled());
        drop(sender);
        assert_eq!(all.0.available_permits(), MORE);
        let (whole, sender) = bodies.remove(0);
        drop(sender);
        let (octets, held) = whole.await.unwrap().unwrap();
        assert_eq!((octets.len(), all.0.available_permits()), (FREE_OCTETS + MORE, MORE));
        drop(held);
        assert_eq!(all.0.available_permits(), 2 * MORE);
    }

    #[tokio::test]
    async fn there_are_few_places_for_long_bodies_and_short_ones_need_none() {
        let bodies = LargeBodies::new();
        let headers = |length: Option<usize>| {
            let mut headers = HeaderMap::new();
            headers.extend(length.map(|length| (CONTENT_LENGTH, length.into())));
            headers
        };
        let (long, patience) = (headers(Some(MAX_BODY + 1)), Duration::from_millis(1));
        let mut places = Vec::new();
        for _ in 0..LARGE_BODIES {
            places.push(bodies.place_for(&long, patience).await.unwrap().unwrap());
        }
        assert!(bodies.place_for(&long, patience).await.is_err());
        for short in [None, Some(0), Some(MAX_BODY)] {
            assert!(bodies.place_for(&headers(short), patience).await.unwrap().is_none());
        }
        places.pop();
        assert!(bodies.place_for(&long, patience).await.unwrap().is_some());
        // It gets more time, and what is too long gets none.
        assert_eq!(places[0].more_time(), Duration::from_secs(16));
        places.clear();
        assert!(bodies.place_for(&headers(Some(MAX_SEND_OCTETS)), patience).await.is_ok());
        assert!(bodies.place_for(&headers(Some(MAX_SEND_OCTETS + 1)), patience).await.is_err());
    }
}
