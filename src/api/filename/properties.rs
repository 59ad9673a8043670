//! The checks of [`fuzz`](super::fuzz) with texts that are made up to come far.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::fuzz;

/// A text of pieces that mean something to a header, a path, a system or a reader.
fn text() -> impl Strategy<Value = String> {
    let special = select(vec![
        "\r\n",
        "\n",
        "\r",
        "\0",
        "\"",
        "\\",
        "%",
        "%41",
        "%0d%0a",
        ";",
        "'",
        "''",
        "=",
        "..",
        "../",
        "/",
        "C:",
        ".",
        "-",
        " ",
        " [",
        "]",
        "con",
        "NUL.",
        "com1",
        "lpt9 ",
        "\u{202e}",
        "\u{200b}",
        "\u{2028}",
        "\u{85}",
        "\u{ad}",
        "\u{301}",
        "é",
        "水",
        "🌞",
        "\u{3164}",
        "\u{feff}",
        ".mp4",
        ".exe",
        "UTF-8''",
        "filename*=",
    ]);
    let piece = prop_oneof![4 => special.prop_map(str::to_owned), 2 => "[a-z ]{1,9}", 1 => "\\PC{0,9}", 1 => any::<String>()];
    prop_oneof![
        9 => vec(piece, 0..9).prop_map(|pieces| pieces.concat()),
        1 => ("[a🌞é. ]", 1..400_usize).prop_map(|(piece, count)| piece.repeat(count)),
    ]
}

/// A template, most often one that is taken.
fn template() -> impl Strategy<Value = String> {
    let field = (
        select(vec!["title", "id", "ext", "language", "nope", "title,id", "nope|x", "nope|", "nope&{}"]),
        select(vec!["", ".5", ".10", "20", "-20", "05"]),
        select(vec!["s", "B", "d", "S", "x"]),
    )
        .prop_map(|(name, width, kind)| format!("%({name}){width}{kind}"));
    let piece = prop_oneof![3 => field, 2 => text().prop_map(|text| text.replace('%', "%%")), 1 => text()];
    vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn whatever_a_page_is_called_its_file_has_a_name(
        choice in any::<u8>(),
        title in text(),
        id in text(),
        language in text(),
        template in template(),
    ) {
        let texts = [title, id, language, template].map(String::into_bytes);
        fuzz::disposition(&[vec![choice], texts.join(&0xFF)].concat());
    }
}
