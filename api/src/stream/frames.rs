//! Reading the client's frames, so that an error names its field.

use rossby_schemas::http::problem::{Problem, ProblemType};
use rossby_schemas::http::stream::{ClientFrame, ConfirmFrame, MAX_CLIENT_FRAME_OCTETS, SignalFrame, close};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::body::{parse_json, parse_value};
use crate::error::ApiError;

/// A frame that is not taken.
#[derive(Debug, PartialEq)]
pub(super) struct Refused {
    /// The number that the client gave it, if it could be read.
    pub(super) reference: Option<u64>,
    pub(super) problem: Box<Problem>,
    /// The code with which the stream is closed, if it is.
    pub(super) close: Option<u16>,
}

/// Reads a frame. One of a type that is not known is refused alone: a later client may send it. What can't be read ends the
/// stream: nobody knows what its sender takes for said.
pub(super) fn read(text: &str) -> Result<ClientFrame, Refused> {
    if text.len() > MAX_CLIENT_FRAME_OCTETS {
        return Err(too_large());
    }
    let malformed = |reference, error: ApiError| Refused {
        reference,
        problem: Box::new(error.into_problem()),
        close: Some(close::MALFORMED),
    };
    let mut frame: Map<String, Value> = parse_json(text.as_bytes()).map_err(|error| malformed(None, error))?;
    let reference = frame.get("ref").and_then(Value::as_u64);
    let kind = match frame.remove("type") {
        Some(Value::String(kind)) => kind,
        other => {
            let reason = if other.is_none() { "missing field `type`" } else { "is of the wrong type" };
            let error = ApiError::field(ProblemType::InvalidRequest, "/type", reason);
            return Err(malformed(reference, error));
        }
    };
    match kind.as_str() {
        "confirm" => typed::<ConfirmFrame>(frame).map(ClientFrame::Confirm),
        "signal" => typed::<SignalFrame>(frame).map(ClientFrame::Signal),
        _ => {
            let error = ApiError::field(ProblemType::InvalidRequest, "/type", "is none that this server takes");
            return Err(Refused { reference, problem: Box::new(error.into_problem()), close: None });
        }
    }
    .map_err(|error| malformed(reference, error))
}

fn typed<T: DeserializeOwned>(frame: Map<String, Value>) -> Result<T, ApiError> {
    parse_value(Value::Object(frame))
}

/// A frame that is longer than any may be.
pub(super) fn too_large() -> Refused {
    let reason = format!("has more than {MAX_CLIENT_FRAME_OCTETS} octets");
    let problem = ApiError::field(ProblemType::TooLarge, "", reason).into_problem();
    Refused { reference: None, problem: Box::new(problem), close: Some(close::TOO_LARGE) }
}

/// A frame of octets.
pub(super) fn no_text() -> Refused {
    let problem = ApiError::field(ProblemType::InvalidRequest, "", "is no text").into_problem();
    Refused { reference: None, problem: Box::new(problem), close: Some(close::NO_TEXT) }
}

#[cfg(test)]
mod tests {
    use rossby_schemas::encoding::Octets;

    use super::*;

    #[test]
    fn frames_are_read_back() {
        let confirm = ConfirmFrame { reference: Some(7), handles: vec![Octets::from(vec![1, 2, 3])] };
        for frame in
            [ClientFrame::Confirm(confirm), ClientFrame::Signal(SignalFrame { reference: None, signals: Vec::new() })]
        {
            assert_eq!(read(&serde_json::to_string(&frame).unwrap()), Ok(frame));
        }
    }

    #[test]
    fn what_cannot_be_read_names_its_field_and_ends_the_stream() {
        for (text, field, reason) in [
            ("", "", "ends too early"),
            ("{", "", "ends too early"),
            ("[]", "", "is of the wrong type"),
            ("nonsense", "", "is no JSON, at line 1 column 2"),
            (r#"{"type":"confirm","handles":[]} {}"#, "", "is no JSON, at line 1 column 33"),
            ("{}", "/type", "missing field `type`"),
            (r#"{"type":3}"#, "/type", "is of the wrong type"),
            (r#"{"type":"confirm"}"#, "", "missing field `handles`"),
            (r#"{"type":"confirm","handles":3}"#, "/handles", "is of the wrong type"),
            (r#"{"type":"confirm","handles":["AQ","!"]}"#, "/handles/1", "is not of the form that the field takes"),
            (
                r#"{"type":"confirm","handles":[],"other":1}"#,
                "/other",
                "unknown field `other`, expected `ref` or `handles`",
            ),
            (r#"{"type":"confirm","handles":[],"ref":-1}"#, "/ref", "is not of the form that the field takes"),
            (r#"{"type":"signal","signals":[{}]}"#, "/signals/0", "missing field `recipient`"),
        ] {
            let refused = read(text).unwrap_err();
            assert_eq!(refused.close, Some(close::MALFORMED), "{text}");
            assert_eq!(refused.problem.problem_type(), Some(ProblemType::InvalidRequest), "{text}");
            let errors: Vec<_> = refused.problem.errors.iter().map(|e| (e.field.as_str(), e.reason.as_str())).collect();
            assert_eq!(errors, [(field, reason)], "{text}");
        }
    }

    #[test]
    fn an_unknown_type_ends_nothing_and_a_long_frame_does() {
        let refused = read(r#"{"type":"dance","ref":4,"with":"me"}"#).unwrap_err();
        assert_eq!((refused.reference, refused.close), (Some(4), None));
        assert_eq!(refused.problem.errors[0].field, "/type");
        let long = format!(r#"{{"type":"confirm","handles":["{}"]}}"#, "A".repeat(MAX_CLIENT_FRAME_OCTETS));
        assert_eq!(read(&long).unwrap_err().close, Some(close::TOO_LARGE));
    }
}
