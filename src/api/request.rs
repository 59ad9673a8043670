//! Reading requests: their heads, queries, and JSON bodies within limits.

mod head;

use std::str::FromStr;
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::Request;
use http::header::EXPECT;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{ApiError, Code};
pub(super) use head::check_head;

/// Largest body that is taken, in bytes.
pub(super) const MAX_BODY: usize = 64 << 10;
/// Largest body that is read to its end although it is refused, so that its sender comes to read the answer.
const MAX_DISCARDED: usize = 4 << 20;
/// Longest wait for a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The first value of a query parameter; an empty one counts as absent.
pub(super) fn parameter<B>(request: &Request<B>, name: &str) -> Option<String> {
    // Pair by pair, so that only the one that is asked for is decoded.
    let mut pairs = request.uri().query()?.split('&').filter(|pair| is_named(pair, name));
    let (_, value) = url::form_urlencoded::parse(pairs.next()?.as_bytes()).next()?;
    (!value.is_empty()).then(|| value.into_owned())
}

/// The same, as a number.
pub(super) fn number<T: FromStr, B>(request: &Request<B>, name: &str) -> Result<Option<T>, ApiError> {
    let parse = |text: String| {
        text.parse().map_err(|_| ApiError::new(Code::BadRequest, format!("`{name}` is no number")))
    };
    parameter(request, name).map(parse).transpose()
}

/// Whether a pair of a query has that name, which is plain ASCII.
fn is_named(pair: &str, name: &str) -> bool {
    let written = pair.split('=').next().unwrap_or_default();
    written == name
        || written.contains('%')
            && url::form_urlencoded::parse(written.as_bytes()).next().is_some_and(|(found, _)| found == name)
}

/// Reads a body that is a JSON object.
pub(super) async fn json<T, B>(request: Request<B>) -> Result<T, ApiError>
where
    T: DeserializeOwned,
    B: hyper::body::Body<Data = Bytes> + Unpin,
{
    let length = request.body().size_hint().lower();
    if request.headers().contains_key(EXPECT) && length > MAX_BODY as u64 {
        // It waits for our word before it sends.
        return Err(too_large());
    }
    let bytes = tokio::time::timeout(BODY_TIMEOUT, read(request.into_body()))
        .await
        .map_err(|_| ApiError::new(Code::RequestTimeout, "the request's body did not come in time"))??;
    let malformed =
        |error| ApiError::new(Code::BadRequest, format!("the body is not the expected JSON: {error}"));
    // By way of a map: serde would also take an array for a struct.
    let object: serde_json::Map<String, Value> = serde_json::from_slice(&bytes).map_err(malformed)?;
    serde_json::from_value(Value::Object(object)).map_err(malformed)
}

async fn read<B>(mut body: B) -> Result<Vec<u8>, ApiError>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
{
    let mut bytes = Vec::new();
    let mut discarded = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ApiError::new(Code::BadRequest, "the body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        if discarded > 0 || bytes.len() + data.remaining() > MAX_BODY {
            discarded += data.remaining();
            if discarded > MAX_DISCARDED {
                break;
            }
            continue;
        }
        bytes.extend_from_slice(&data);
    }
    if discarded > 0 {
        return Err(too_large());
    }
    Ok(bytes)
}

fn too_large() -> ApiError {
    ApiError::new(Code::TooLarge, format!("the body is larger than {MAX_BODY} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    fn get(uri: &str) -> Request<()> {
        Request::get(uri).body(()).unwrap()
    }

    fn post(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
        Request::post("/extract").body(Full::new(body.into())).unwrap()
    }

    #[test]
    fn parameters_are_decoded() {
        let request = get("/stream?url=https%3A%2F%2Fa.example%2F%3Fx%3D1%26y&format=&url=second");
        assert_eq!(parameter(&request, "url").unwrap(), "https://a.example/?x=1&y");
        assert_eq!(parameter(&request, "format"), None);
        assert_eq!(parameter(&get("/stream?u%72l=x%26&url=y"), "url").unwrap(), "x&");
        assert_eq!(parameter(&get("/stream?urls=x&aurl=y&url"), "url"), None);
        assert_eq!(parameter(&get("/stream"), "url"), None);
    }

    #[tokio::test]
    async fn bodies_have_a_limit() {
        let object = |length| format!("{{\"url\":\"{}\"}}", "x".repeat(length - 10));
        let within = object(MAX_BODY);
        assert!(json::<Value, _>(post(within)).await.is_ok());
        let over = object(MAX_BODY + 1);
        let error = json::<Value, _>(post(over)).await.unwrap_err();
        assert_eq!(error.code, Code::TooLarge);
        for text in ["{", "[\"https://a.example/\"]", "null", ""] {
            let error = json::<Value, _>(post(text)).await.unwrap_err();
            assert_eq!(error.code, Code::BadRequest, "{text}");
        }
    }
}
