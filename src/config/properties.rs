//! The checks of [`fuzz`](super::fuzz) with files and values that are made up to come far.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::{exits, fuzz};

/// What a setting may be set to.
fn value() -> impl Strategy<Value = String> {
    let whole = select(vec![
        "on",
        "off",
        "*",
        "same",
        "direct",
        "remote",
        "local",
        "info",
        "warn, sluice=info",
        "\n2ykday\u{5a0}=",
        "sluice=debug,warn",
        "localhost",
        "::1",
        "[::1]",
        "127.0.0.1",
        "10.0.0.0/8",
        "2001:db8::/33",
        "http://a.example/b/",
        "https://a.example:443",
        "HTTPS://A/../b//",
        "socks5://u:p@a:1",
        "http://é.example/ü",
        "http://[::1]:80/",
        "90s",
        "6h",
        "1h 30m",
        "1.5s",
        "0",
        "3021",
    ]);
    let piece = prop_oneof![
        6 => whole.prop_map(str::to_owned),
        2 => any::<u64>().prop_map(|number| number.to_string()),
        1 => "[0-9]{1,3}(ns|us|ms|s|m|h|d|w|y)",
        1 => any::<std::net::IpAddr>().prop_map(|address| address.to_string()),
        1 => (any::<std::net::IpAddr>(), 0..130_u8).prop_map(|(address, length)| format!("{address}/{length}")),
        1 => "(https?|socks5)://[a-zA-Z0-9.:%@/?#\\\\ -]{0,20}",
        1 => "\\PC{0,20}",
    ];
    vec(piece, 0..4).prop_map(|pieces| pieces.join(","))
}

/// A line of a file, most often one that is taken.
fn line() -> impl Strategy<Value = String> {
    let quoted = prop_oneof![
        4 => value(),
        1 => value().prop_map(|value| format!("'{value}'")),
        1 => value().prop_map(|value| format!("\"{value}\" # x")),
        1 => "[\"'\\\\# a]{0,9}",
    ];
    prop_oneof![
        6 => ("(export )? ?[A-Z_]{1,9} ?", quoted).prop_map(|(name, value)| format!("{name}={value}")),
        1 => select(vec!["", "# x", "; x", "export", "=", "A", "A=\\", "\u{feff}A=1"]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn files_and_values_are_taken_or_refused(text in prop_oneof![
        4 => (vec(line(), 0..6), select(vec!["\n", "\r\n"])).prop_map(|(lines, end)| lines.join(end)),
        2 => value(),
        1 => any::<String>(),
    ]) {
        fuzz::config(text.as_bytes());
    }

    #[test]
    fn settings_come_back_as_they_were_written(
        settings in btree_map("[A-Za-z0-9_]{1,20}", "[^\r\n]{0,40}", 0..9),
    ) {
        fuzz::rewritten(&settings);
    }

    #[test]
    fn no_message_holds_a_password(
        scheme in select(vec!["http", "socks5", "https", "ftp", "", "http:"]),
        password in "[A-Z]{12}",
        rest in select(vec!["a:1", "a:99999", "a/b", "a?b", ":1", "", "[::1", "a b", "a:1,x"]),
    ) {
        let text = format!("{scheme}://user:{password}@{rest}");
        if let Err(what) = exits::exits(&text) {
            prop_assert!(!what.contains(&password), "{}", what);
        }
    }
}
