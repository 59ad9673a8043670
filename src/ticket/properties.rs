//! The checks of [`fuzz`](super::fuzz) with tokens and tickets that are made up to come far.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::fuzz;

/// What a token may hold, or nearly.
fn held() -> impl Strategy<Value = Vec<u8>> {
    let item = select(vec![
        json!({"format": "f"}),
        json!("thumbnail"),
        json!({"image": 3}),
        json!({"image": -1}),
        json!({"avatar": "larger"}),
        json!({"subtitle": {"language": "en", "ext": "vtt"}}),
        json!({"subtitle": "en"}),
        json!({"format": "f", "image": 3}),
        json!(null),
    ]);
    let expires =
        select(vec![json!(4_102_444_800_u64), json!(u64::MAX), json!(0), json!(-1), json!(1e30), json!("x")]);
    let chunk = select(vec![Value::Null, json!(0), json!(1 << 20), json!(-5)]);
    let link = prop_oneof![
        Just(Value::Null),
        ("\\PC{0,20}", chunk).prop_map(|(url, chunk)| json!({"url": url, "chunk_size": chunk})),
        "\\PC{0,9}".prop_map(
            |text| json!({"url": "https://a/", "http_headers": {&text: text}, "r": {"egress": text}})
        ),
        Just(json!({"url": "https://a/", "cookies": [{"name": "a", "value": "b", "domain": "c"}]})),
    ];
    (expires, "\\PC{0,30}", item, "\\PC{0,30}", link, 0..6_usize).prop_map(|(x, p, i, n, l, left_out)| {
        let mut fields = json!({"x": x, "p": p, "i": i, "n": n, "l": l});
        if let (Some(name), Some(fields)) = (["l", "i", "n"].get(left_out), fields.as_object_mut()) {
            fields.remove(*name);
        }
        fields.to_string().into_bytes()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn tokens_open_to_what_was_sealed_or_not_at_all(data in prop_oneof![
        3 => held(),
        2 => (any::<[u8; 4]>(), any::<String>()).prop_map(|(damage, text)| [&damage[..], text.as_bytes()].concat()),
        1 => "[A-Za-z0-9_=+/-]{0,600}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..300),
    ]) {
        fuzz::token(&data);
    }
}
