//! Every kind of package streams whole, under the right name and type, and is what ffmpeg cut.

use crate::support::client::{self, Answer, encode};
use crate::support::packaged::{Package, content, decode_whole, package, packages};
use crate::support::random::spread;
use crate::support::shown::Shown;
use crate::support::world::{World, format, world};

/// Checks the head of a stream of a package.
#[track_caller]
fn assert_head(answer: &Answer, package: &Package, what: &str) {
    let what = format!("{}, {what}", package.name);
    assert_eq!(answer.status, 200, "{what}: {}", answer.text());
    assert_eq!(answer.header("content-type"), Some(package.content_type), "{what}");
    for absent in ["content-length", "content-range", "etag", "last-modified", "set-cookie"] {
        assert_eq!(answer.header(absent), None, "{what}: {absent}");
    }
    assert_ne!(answer.header("accept-ranges"), Some("bytes"), "{what}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
    let disposition = answer.header("content-disposition").unwrap();
    let (plain, extended) = disposition
        .strip_prefix("attachment; filename=\"")
        .unwrap()
        .split_once("\"; filename*=UTF-8''")
        .unwrap();
    let ending = format!(".{}", package.ext);
    assert!(plain.ends_with(&ending) && extended.ends_with(&ending), "{what}: {disposition}");
    assert_eq!(answer.header("x-filename"), Some(extended), "{what}");
}

fn ask(world: &World, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    client::request(method, &world.server.url(path), headers, b"")
}

#[test]
fn every_kind_streams_whole() {
    let world = world();
    spread(4, packages().len(), |index| {
        let package = &packages()[index];
        let shown = world.show(package);
        let answer = world.get(&shown.stream_path());
        assert_head(&answer, package, "by url");
        assert_eq!(answer.header("transfer-encoding"), Some("chunked"), "{}", package.name);
        shown.assert_whole(&answer, "by url");
        decode_whole(&answer.body);
        content(&answer.body).assert_is(&package.source, package.name);
        // Each piece was asked for once.
        for part in package.parts.iter().filter(|_| !package.in_ranges()) {
            assert_eq!(shown.seen(world, part).len(), 1, "{}, {part}", package.name);
        }
        let size: u64 = package.parts.iter().map(|part| package.files[part].len() as u64).sum();
        assert_eq!(shown.written(world), size, "{}", package.name);

        let token = shown.token_path(world);
        let answer = world.get(&token);
        assert_head(&answer, package, "by token");
        shown.assert_whole(&answer, "by token");
    });
}

#[test]
fn every_kind_streams_from_a_page_with_a_player() {
    let world = world();
    spread(4, packages().len(), |index| {
        let shown = world.show_on_page(&packages()[index]);
        shown.assert_whole(&world.get(&shown.stream_path()), "on a page");
        shown.assert_whole(&world.get(&shown.token_path(world)), "on a page, by token");
    });
}

#[test]
fn head_says_what_get_would() {
    let world = world();
    spread(4, packages().len(), |index| {
        let package = &packages()[index];
        let shown = world.show(package);
        for path in [shown.stream_path(), shown.token_path(world)] {
            let head = ask(world, "HEAD", &path, &[]);
            assert_head(&head, package, "HEAD");
            assert_eq!(head.body.len(), 0);
            let get = world.get(&path);
            for name in ["content-type", "content-disposition", "x-filename", "accept-ranges"] {
                assert_eq!(head.header(name), get.header(name), "{}: {name}", package.name);
            }
        }
        shown.wait_until_quiet(world);
    });
}

#[test]
fn ranges_are_not_served() {
    let world = world();
    spread(4, packages().len(), |index| {
        let shown = world.show(&packages()[index]);
        let path = shown.token_path(world);
        for range in ["bytes=0-99", "bytes=100-", "bytes=-100", "bytes=99999999-"] {
            let answer = ask(world, "GET", &path, &[("Range", range), ("If-Range", "\"v1\"")]);
            assert_head(&answer, &shown.package, range);
            shown.assert_whole(&answer, range);
            let answer = ask(world, "GET", &path, &[("Range", range)]);
            shown.assert_whole(&answer, range);
        }
    });
}

#[test]
fn an_extraction_says_that_neither_lengths_nor_ranges_are_known() {
    let world = world();
    for name in ["ts", "fmp4 in ranges", "dash by list"] {
        let shown = world.show(package(name));
        let extraction = world.extract(&shown.url);
        for format in extraction["formats"].as_array().unwrap() {
            assert_eq!(
                (&format["length_known"], &format["ranges"]),
                (&false.into(), &false.into()),
                "{format}"
            );
            assert!(format.get("by").is_none() && format.get("fragments").is_none(), "{format}");
            assert!(format["token"].as_str().is_some_and(|token| token.len() < 4096), "{format}");
        }
    }
    // A plain file at the same place.
    let ts = package("ts");
    let shown = world.show(ts);
    let extraction = world.extract(&format!("https://{}{}", shown.host, shown.path(&ts.parts[0])));
    let file = &extraction["formats"][0];
    assert_eq!((&file["length_known"], &file["ranges"]), (&true.into(), &true.into()), "{file}");
}

#[test]
fn tickets_of_long_films_stay_small() {
    const FRAGMENTS: usize = 20_000;
    let world = world();
    let list = package("dash by list");
    let [first, rest @ ..] = &list.parts[..] else { panic!("no parts") };
    let urls: String =
        rest.iter().cycle().take(FRAGMENTS).map(|part| format!("<SegmentURL media=\"{part}\"/>")).collect();
    let manifest = list.playlist();
    let (before, after) = manifest.split_once("<SegmentList").unwrap();
    let after = after.split_once("</SegmentList>").unwrap().1;
    let initialization = format!("<SegmentList><Initialization sourceURL=\"{first}\"/>");
    let long = list.with_playlist("long", format!("{before}{initialization}{urls}</SegmentList>{after}"));
    let shown = world.show(&long);
    let extraction = world.extract(&shown.url);
    let token = format(&extraction, "0")["token"].as_str().unwrap();
    assert!(token.len() < 1000, "{} bytes", token.len());
    let mut stream = client::open("GET", &world.server.url(&format!("/stream?data={token}")), &[], b"");
    let wanted = list.whole.repeat(2);
    let beginning = list.whole.len() + 1000;
    // After the last part comes the first again, without the initialization.
    let again = list.files[first].len();
    let expected = [&list.whole[..], &wanted[list.whole.len() + again..][..1000]].concat();
    assert!(stream.read_exactly(beginning) == expected, "wrong bytes");
    drop(stream);
    shown.wait_until_quiet(world);
}

#[test]
fn many_streams_at_once_don_t_mix() {
    let world = world();
    let shown: Vec<Shown> = packages().iter().map(|package| world.show(package)).collect();
    let paths: Vec<String> = shown.iter().map(|shown| shown.token_path(world)).collect();
    spread(16, 4 * shown.len(), |index| {
        let index = index % shown.len();
        shown[index].assert_whole(&world.get(&paths[index]), "at once");
    });
}

#[test]
fn names_are_the_clients_to_choose() {
    let world = world();
    let shown = world.show(package("ts"));
    let answer = world.get(&format!("{}&filename={}&inline=1", shown.stream_path(), encode("a film")));
    assert_eq!(answer.header("x-filename"), Some("a%20film.ts"));
    assert!(answer.header("content-disposition").unwrap().starts_with("inline; filename=\"a film.ts\""));
    shown.assert_whole(&answer, "named");
}
