//! What must hold of settings, whatever is written in them. A check that fails panics.
//!
//! `scripts/fuzz` calls this with what it comes upon, and the property tests with what they make up.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use super::{exits, file, values};
use crate::api::Origins;
use crate::egress::Kind;

/// A file of settings; and each line of it, and each value, as the value of every kind of setting.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(found) = file::parse(text) {
        assert!(found.keys().all(|name| is_name(name)), "{found:?}");
        rewritten(&found);
        found.values().for_each(|text| value(text));
    }
    text.lines().for_each(value);
    value(text);
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_'))
}

/// Settings that are written down again are the same ones. They hold no line breaks.
pub(super) fn rewritten(settings: &BTreeMap<String, String>) {
    let lines = settings.iter().map(|(name, value)| {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
        format!("export {name} = \"{escaped}\" # \"\n")
    });
    let text: String = lines.collect();
    let again = file::parse(&text);
    assert!(again.as_ref().is_ok_and(|again| again == settings), "{text:?} became {again:?}");
}

/// A value that is taken is within its limits, and the same one when it is written as it was understood.
fn value(text: &str) {
    again(text, values::number(3_u64, 5000), u64::to_string);
    again(text, values::number(1_u16, u16::MAX), u16::to_string);
    again(text, values::switch, |on| if *on { "on".to_owned() } else { "off".to_owned() });
    let limits = Duration::from_secs(1)..=Duration::from_secs(1 << 30);
    if let Ok(found) = values::seconds(1, 1 << 30)(text) {
        assert!(limits.contains(&found), "{text:?} is {found:?}");
    }
    again(text, values::seconds(0, u64::MAX), |found| humantime::format_duration(*found).to_string());
    again(text, |text| values::hosts(text, 3021), |found| joined(found.iter().map(|address| address.ip())));
    again(text, values::networks, |found| joined(found));
    again(text, values::base_url, String::clone);
    if let Ok(base) = values::base_url(text) {
        let authority = base.split('/').nth(2).unwrap_or_default();
        assert!(!authority.is_empty() && !authority.contains('@'), "{base:?}");
        assert!(
            base.starts_with("http") && !base.ends_with('/') && !base.contains(['?', '#', ' ', '"']),
            "{base:?}"
        );
    }
    again(text, values::origins, |found| match found {
        Origins::Any => "*".to_owned(),
        Origins::Listed(listed) => joined(listed),
    });
    again(text, values::log_filter, String::clone);
    again(text, exits::streams, |direct| if *direct { "direct".to_owned() } else { "same".to_owned() });
    again(text, exits::dns, |local| if *local { "local".to_owned() } else { "remote".to_owned() });
    again(text, ways, |found| joined(found.iter().map(|(text, _)| text)));
}

/// Exits with their text, but for proxies, whose passwords are nowhere to be read.
fn ways(text: &str) -> Result<Vec<(String, Kind)>, String> {
    let found = exits::exits(text)?;
    let written = |kind: Kind| match &kind {
        Kind::Direct => Ok(("direct".to_owned(), kind)),
        Kind::Address(address) => Ok((address.to_string(), kind)),
        Kind::Prefix(network) => Ok((network.to_string(), kind)),
        Kind::Proxy(_) => Err("a proxy".to_owned()),
    };
    found.into_iter().map(written).collect()
}

fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

fn again<T: Debug + PartialEq>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, String>,
    write: impl Fn(&T) -> String,
) {
    match parse(text) {
        Ok(found) => {
            let written = write(&found);
            let again = parse(&written);
            assert_eq!(again.as_ref(), Ok(&found), "{text:?} was written as {written:?}");
        }
        Err(what) => assert!(!what.is_empty(), "{text:?}"),
    }
}
