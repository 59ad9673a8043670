//! Several ways out: each extraction has one, its streams leave by the same, and who is blocked is left alone.

use crate::support::client::{self, Answer, encode};
use crate::support::dns::{Entry, Zone};
use crate::support::fronts::{Front, Manner};
use crate::support::net::{Net, OWN, OWN_V6, OWN_V6_NETWORK, STAGE, inside};
use crate::support::server::TestServer;
use crate::support::stage::tiktok::{BEST, CDN, PAGES, TikTok, Video};
use crate::support::stage::{Fault, Media, Reply, Stage, sha256};
use crate::support::world::{assert_problem, post, token};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Requests at a time.
const AT_ONCE: usize = 6;

fn zone(pages: Entry) -> Zone {
    let all = || Entry::to(&STAGE);
    Zone::from(
        [(PAGES, pages), (".tiktok.com", all()), (".tiktokcdn.com", all()), (".example.net", all())]
            .map(|(name, entry)| (name.to_owned(), entry)),
    )
}

fn net() -> Net {
    Net::new(zone(Entry::to(&STAGE)))
}

/// With all four addresses.
fn everywhere() -> String {
    OWN.map(|own| own.to_string()).join(",")
}

fn extract(server: &TestServer, video: &Video) -> Answer {
    client::post_json(&server.url("/extract"), &json!({"url": video.page_url()}))
}

/// A page and the best of its files, whole.
#[track_caller]
fn assert_fetched(server: &TestServer, video: &Video) {
    let answer = extract(server, video);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_streamed(server, video);
}

#[track_caller]
fn assert_streamed(server: &TestServer, video: &Video) {
    let answer = client::get(&server.url(&format!("/stream?url={}", encode(video.page_url()))));
    assert_eq!((answer.status, sha256(&answer.body)), (200, video.media(BEST).sha256()), "{}", answer.text());
    assert!(answer.complete());
}

/// Whence a post's page was asked for, and its best file.
fn sources(stage: &Stage, video: &Video) -> (Vec<IpAddr>, Vec<IpAddr>) {
    let pages = stage.seen_where(|seen| seen.host == PAGES && seen.path() == video.path());
    let from = |seen: &crate::support::stage::Seen| seen.from.ip();
    (pages.iter().map(from).collect(), video.seen_of(stage, BEST).iter().map(from).collect())
}

/// A small post whose links are for the reader of its page alone.
fn bound() -> TikTok {
    post().size(60_000).bound()
}

#[test]
fn a_hundred_posts_leave_evenly_and_their_streams_with_them() {
    inside("exits::a_hundred");
}

#[test]
#[ignore = "run by a_hundred_posts_leave_evenly_and_their_streams_with_them"]
fn a_hundred() {
    let net = net();
    let server = net.server(&[("EGRESS", &everywhere()), ("LOG", "info")]);
    let videos: Vec<Video> = (0..100).map(|_| bound().install(&net.stage)).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(video) = videos.get(next.fetch_add(1, Ordering::Relaxed)) {
                    assert_fetched(&server, video);
                }
            });
        }
    });
    let mut pages: BTreeMap<IpAddr, usize> = BTreeMap::new();
    for video in &videos {
        let (read_from, streamed_from) = sources(&net.stage, video);
        assert_eq!(read_from.len(), 1, "{read_from:?}");
        *pages.entry(read_from[0]).or_default() += 1;
        assert!(!streamed_from.is_empty() && streamed_from.iter().all(|from| *from == read_from[0]));
    }
    assert!(OWN.iter().all(|own| pages.get(&IpAddr::from(*own)).is_some_and(|it| *it >= 15)), "{pages:?}");
    assert_eq!(pages.len(), OWN.len());
}

#[test]
fn extractions_draw_addresses_of_a_network() {
    inside("exits::a_network");
}

#[test]
#[ignore = "run by extractions_draw_addresses_of_a_network"]
fn a_network() {
    let net = net();
    let server = net.server(&[("EGRESS", OWN_V6_NETWORK)]);
    let network: ipnet::Ipv6Net = OWN_V6_NETWORK.parse().unwrap();
    let mut drawn = BTreeSet::new();
    for _ in 0..6 {
        let video = bound().install(&net.stage);
        assert_fetched(&server, &video);
        let (read_from, streamed_from) = sources(&net.stage, &video);
        let all: BTreeSet<IpAddr> = read_from.iter().chain(&streamed_from).copied().collect();
        assert!(all.len() == 1 && !streamed_from.is_empty(), "{read_from:?}, {streamed_from:?}");
        let IpAddr::V6(address) = read_from[0] else { panic!("{read_from:?}") };
        assert!(network.contains(&address), "{address}");
        drawn.insert(address);
    }
    assert_eq!(drawn.len(), 6, "{drawn:?}");
    nobodys_address(&net);
}

/// One that the machine does not have is passed over; alone it is an error.
fn nobodys_address(net: &Net) {
    for nobodys in ["11.0.0.99", "2a11:0:2::7", "2a11:0:2::/64"] {
        let both = net.server(&[("EGRESS", &format!("{nobodys},{}", OWN[2]))]);
        let video = bound().install(&net.stage);
        assert_fetched(&both, &video);
        let there = IpAddr::from(OWN[2]);
        assert_eq!(sources(&net.stage, &video), (vec![there], vec![there]));
        assert!(both.log().iter().any(|line| line.contains("tried again by another egress")));
        let alone = net.server(&[("EGRESS", nobodys)]);
        assert_problem(&extract(&alone, &video), 502, "upstream_error");
    }
}

#[test]
fn a_blocked_address_is_left_alone() {
    inside("exits::blocked");
}

#[test]
#[ignore = "run by a_blocked_address_is_left_alone"]
fn blocked() {
    let net = net();
    let unwanted = IpAddr::from(OWN[1]);
    let server = net.server(&[("EGRESS", &everywhere())]);
    let from =
        |host: &str| -> Vec<IpAddr> { net.stage.seen_at(host).iter().map(|seen| seen.from.ip()).collect() };
    for _ in 0..12 {
        let video = bound().install(&net.stage);
        video.show_page(&net.stage, |page| page.not_from(unwanted));
        assert_fetched(&server, &video);
    }
    let times = |from: &[IpAddr], it| from.iter().filter(|from| **from == it).count();
    let seen = from(PAGES);
    assert_eq!(times(&seen, unwanted), 1, "{seen:?}");
    assert_eq!(seen.len(), 13);
    assert!([0, 2, 3].into_iter().all(|index| times(&seen, OWN[index].into()) >= 3), "{seen:?}");
    // Another site.
    for number in 0..8 {
        let path = format!("/film{number}.mp4");
        let film = Media::new(number, 1000);
        net.stage.play("media.example.net", &path, Reply::media(&film).content_type("video/mp4"));
        let page = format!("https://media.example.net{path}");
        let answer = client::post_json(&server.url("/extract"), &json!({"url": page}));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let seen = from("media.example.net");
    assert!(times(&seen, unwanted) >= 1, "{seen:?}");
    nobody_is_wanted(&net);
}

/// All are blocked.
fn nobody_is_wanted(net: &Net) {
    for status in [403, 429] {
        let server = net.server(&[("EGRESS", &everywhere())]);
        let video = bound().install(&net.stage);
        video.show_page(&net.stage, |page| page.fault(Fault::Status(status)));
        assert_problem(&extract(&server, &video), 503, "upstream_blocked");
        let (tried, _) = sources(&net.stage, &video);
        let each: BTreeSet<_> = tried.iter().collect();
        assert_eq!((tried.len(), each.len()), (2, 2), "{tried:?}");
    }
    a_page_for_nobody_blocks_nobody(net);
}

/// It refuses every address, as a private page does. Both that it has refused are tried for another page, which one of
/// them is not wanted for.
fn a_page_for_nobody_blocks_nobody(net: &Net) {
    let two = format!("{},{}", OWN[0], OWN[1]);
    let server = net.server(&[("EGRESS", &two)]);
    let private = bound().install(&net.stage);
    private.show_page(&net.stage, |page| page.fault(Fault::Status(403)));
    assert_problem(&extract(&server, &private), 503, "upstream_blocked");
    let (tried, _) = sources(&net.stage, &private);
    let video = bound().install(&net.stage);
    video.show_page(&net.stage, |page| page.not_from(tried[0]));
    assert_fetched(&server, &video);
    assert_eq!(sources(&net.stage, &video).0, tried);
}

#[test]
fn streams_leave_directly_where_the_site_lets_them() {
    inside("exits::directly");
}

#[test]
#[ignore = "run by streams_leave_directly_where_the_site_lets_them"]
fn directly() {
    let v4_alone = zone(Entry::to(&STAGE[..1])).into_iter().map(v4_only).collect();
    served_directly(&Net::new(v4_alone), &OWN[1].to_string(), OWN[0].into(), OWN[1].into());
}

#[test]
fn streams_leave_directly_by_another_family_than_the_page() {
    inside("exits::by_another_family");
}

#[test]
#[ignore = "run by streams_leave_directly_by_another_family_than_the_page"]
fn by_another_family() {
    served_directly(&net(), &OWN[1].to_string(), OWN_V6.into(), OWN[1].into());
}

#[test]
fn streams_leave_directly_where_pages_leave_by_a_proxy() {
    inside("exits::past_a_proxy");
}

#[test]
#[ignore = "run by streams_leave_directly_where_pages_leave_by_a_proxy"]
fn past_a_proxy() {
    let net = net();
    let there: Ipv4Addr = STAGE[0].parse().unwrap();
    let front = Front::start_on(there, Manner::Socks { to: (there, 443).into(), login: None });
    served_directly(&net, &format!("socks5://{}", front.address()), OWN_V6.into(), there.into());
}

/// `first`: the machine's own choice; `second`: that of pages, which leave by `egress`.
fn served_directly(net: &Net, egress: &str, first: IpAddr, second: IpAddr) {
    let server = net.server(&[("EGRESS", egress), ("EGRESS_STREAMS", "direct")]);
    let free = post().size(60_000).install(&net.stage);
    assert_fetched(&server, &free);
    assert_eq!(sources(&net.stage, &free), (vec![second], vec![first]));
    let tied = bound().install(&net.stage);
    assert_fetched(&server, &tied);
    assert_eq!(sources(&net.stage, &tied), (vec![second], vec![first, second]));
    // That is known of the host now.
    assert_streamed(&server, &tied);
    let next = bound().install(&net.stage);
    assert_fetched(&server, &next);
    assert_eq!(sources(&net.stage, &tied).1, [first, second, second]);
    assert_eq!(sources(&net.stage, &next), (vec![second], vec![second]));
}

fn v4_only((name, _): (String, Entry)) -> (String, Entry) {
    (name, Entry::to(&STAGE[..1]))
}

#[test]
fn links_are_had_again_where_their_way_is_no_more() {
    inside("exits::no_more");
}

#[test]
#[ignore = "run by links_are_had_again_where_their_way_is_no_more"]
fn no_more() {
    let net = net();
    let key = ("ENCRYPTION_KEY", "a secret of some length that two servers have");
    let video = bound().install(&net.stage);
    let before = net.server(&[key, ("EGRESS", OWN_V6_NETWORK)]);
    let link = token(&extract(&before, &video).json(), BEST);
    drop(before);
    let after = net.server(&[key, ("EGRESS", &OWN[1].to_string())]);
    let answer = client::get(&after.url(&format!("/stream?data={link}")));
    assert_eq!((answer.status, sha256(&answer.body)), (200, video.media(BEST).sha256()), "{}", answer.text());
    let (pages, streams) = sources(&net.stage, &video);
    assert!(pages.len() == 2 && pages[0].is_ipv6() && pages[1] == IpAddr::from(OWN[1]), "{pages:?}");
    assert_eq!(streams, [IpAddr::from(OWN[1])]);
}

#[test]
fn streams_are_of_the_family_of_their_page() {
    inside("exits::families");
}

#[test]
#[ignore = "run by streams_are_of_the_family_of_their_page"]
fn families() {
    // At first only by v4, then by both.
    let net = Net::new(zone(Entry::by_turns(&[&STAGE[..1], &STAGE])));
    for own in [IpAddr::from(OWN[0]), OWN_V6.into()] {
        let server = net.server(&[]);
        let video = bound().install(&net.stage);
        assert_fetched(&server, &video);
        assert_eq!(sources(&net.stage, &video), (vec![own], vec![own]));
    }
    let asked = net.dns.asked();
    assert!(asked.iter().any(|(name, kind)| name == CDN && *kind == 28), "{asked:?}");
}
