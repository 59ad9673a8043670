//! `GET /openapi.json`: the description of this interface, kept as a file and held to the code by tests.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use serde_json::Value;

use super::body::{self, Body};

const DESCRIPTION: &str = include_str!("openapi.json");
/// `MAX_ENTRIES` unless set, which the file has.
const DEFAULT_ENTRIES: u32 = 200;

pub(super) fn answer(description: &Bytes) -> Response<Body> {
    let mut response = Response::new(body::full(description.clone()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The description of a server with this `MAX_ENTRIES`: of the settings, it alone bounds what a request may say.
pub(super) fn described(max_entries: u32) -> Bytes {
    // As it is written, where nothing is to be changed.
    if max_entries == DEFAULT_ENTRIES {
        return Bytes::from_static(DESCRIPTION.as_bytes());
    }
    #[expect(clippy::expect_used, reason = "a constant, and the tests read it")]
    let mut description: Value = serde_json::from_str(DESCRIPTION).expect("openapi.json");
    let schema = &mut description["components"]["schemas"]["MostEntries"];
    schema["maximum"] = max_entries.into();
    schema["default"] = max_entries.into();
    description.to_string().into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::super::ROUTES;
    use super::super::error::Code;
    use super::super::filename::MAX_TEMPLATE;
    use super::*;

    fn description() -> Value {
        serde_json::from_str(DESCRIPTION).unwrap()
    }

    #[test]
    fn describes_every_route_and_no_other() {
        let description = description();
        let described: BTreeSet<String> = description["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| {
                methods
                    .as_object()
                    .unwrap()
                    .keys()
                    .map(move |method| format!("{} {path}", method.to_uppercase()))
            })
            .collect();
        // Every path answers OPTIONS, and HEAD where it answers GET: that is said once, in the description's text.
        let routed: BTreeSet<String> = ROUTES
            .iter()
            .flat_map(|route| route.methods.split(", ").map(move |method| format!("{method} {}", route.path)))
            .filter(|route| {
                !route.starts_with("OPTIONS ") && (!route.starts_with("HEAD ") || route == "HEAD /stream")
            })
            .collect();
        assert_eq!(described, routed);
    }

    #[test]
    fn lists_every_error_code() {
        let description = description();
        let listed: BTreeSet<&str> =
            description["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
                .as_array()
                .unwrap()
                .iter()
                .map(|code| code.as_str().unwrap())
                .collect();
        assert_eq!(listed, Code::ALL.iter().map(|code| code.as_str()).collect());
    }

    #[test]
    fn names_are_taken_wherever_files_are_named() {
        let description = description();
        let paths = &description["paths"];
        for (path, method) in [("/extract", "get"), ("/stream", "get"), ("/stream", "head")] {
            let parameters = paths[path][method]["parameters"].as_array().unwrap();
            let filename = parameters.iter().find(|parameter| parameter["name"] == "filename").unwrap();
            assert_eq!(filename["schema"]["maxLength"], MAX_TEMPLATE, "{method} {path}");
        }
        for path in ["/extract", "/tiktok"] {
            let body = &paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"];
            assert_eq!(body["properties"]["filename"]["maxLength"], MAX_TEMPLATE, "{path}");
        }
    }

    #[test]
    fn the_bound_of_a_playlist_is_the_settings() {
        for entries in [DEFAULT_ENTRIES, 7] {
            let description: Value = serde_json::from_slice(&described(entries)).unwrap();
            let expected = json!({"type": "integer", "minimum": 1, "maximum": entries, "default": entries});
            assert_eq!(description["components"]["schemas"]["MostEntries"], expected);
            let path = &description["paths"]["/extract"];
            let asked = path["get"]["parameters"].as_array().unwrap();
            let asked = &asked.iter().find(|parameter| parameter["name"] == "limit").unwrap()["schema"];
            let body = &path["post"]["requestBody"]["content"]["application/json"]["schema"];
            for schema in [asked, &body["properties"]["limit"]] {
                assert_eq!(schema["$ref"], "#/components/schemas/MostEntries");
            }
        }
    }

    #[test]
    fn refers_only_to_what_it_holds() {
        fn walk(value: &Value, whole: &Value) {
            match value {
                Value::Object(map) => {
                    if let Some(Value::String(reference)) = map.get("$ref") {
                        assert!(whole.pointer(&reference[1..]).is_some(), "{reference}");
                    }
                    map.values().for_each(|value| walk(value, whole));
                }
                Value::Array(values) => values.iter().for_each(|value| walk(value, whole)),
                _ => {}
            }
        }
        let description = description();
        walk(&description, &description);
        assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}
