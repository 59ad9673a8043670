//! The checks of [`fuzz`](super::fuzz) with headers that are made up to come far.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::fuzz;

/// Digits, most often few, sometimes around what 64 bits hold.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (0..2000_u64).prop_map(|number| number.to_string()),
        2 => any::<u64>().prop_map(|number| number.to_string()),
        2 => select(vec!["", "00", "007", "18446744073709551614", "18446744073709551615", "18446744073709551616"])
            .prop_map(str::to_owned),
        1 => "[0-9]{1,30}",
        1 => "[-+0-9a-fx ]{0,5}",
    ]
}

fn blanks() -> impl Strategy<Value = String> {
    prop_oneof![6 => Just(String::new()), 1 => "[ \t,]{1,3}"]
}

/// `Range`, or nearly.
fn asked() -> impl Strategy<Value = String> {
    let unit = select(vec!["bytes", "bytes", "bytes", "Bytes", "BYTES", "items", "byte", ""]);
    let range = (
        blanks(),
        number(),
        prop_oneof![9 => Just("-"), 1 => select(vec!["", "--", "/", " -"])],
        number(),
        blanks(),
    )
        .prop_map(|(before, first, dash, last, after)| format!("{before}{first}{dash}{last}{after}"));
    let equals = prop_oneof![9 => Just("="), 1 => select(vec![" = ", "", ":", "=="])];
    (unit, equals, vec(range, 0..3))
        .prop_map(|(unit, equals, ranges)| format!("{unit}{equals}{}", ranges.join(",")))
}

/// `Content-Range`, or nearly.
fn answered() -> impl Strategy<Value = String> {
    let range = prop_oneof![
        3 => (number(), number()).prop_map(|(first, last)| format!("{first}-{last}")),
        1 => Just("*".to_owned()),
    ];
    let total = prop_oneof![3 => number(), 1 => Just("*".to_owned())];
    (select(vec!["bytes ", "Bytes ", "bytes=", "items "]), range, total)
        .prop_map(|(unit, range, total)| format!("{unit}{range}/{total}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn ranges_are_read_as_they_are_meant(
        total in prop_oneof![0..3000_u64, any::<u64>()],
        value in prop_oneof![
            6 => asked().prop_map(String::into_bytes),
            3 => answered().prop_map(String::into_bytes),
            1 => vec(any::<u8>(), 0..40),
        ],
    ) {
        fuzz::range(&[&total.to_le_bytes()[..], &value].concat());
    }
}
