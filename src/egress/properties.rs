//! The checks of [`fuzz`](super::fuzz) with bytes that are made up to come far, and what both sides of a protocol make
//! of each other.

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::io::duplex;
use url::Host;

use super::fuzz;
use super::socks::{self, Credentials, Destination};

/// A field of SOCKS, its length most often right.
fn field() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        "[a-z.]{1,20}".prop_map(String::into_bytes),
        "\\PC{0,20}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..256),
        Just(vec![b'x'; 255]),
    ];
    (text, prop_oneof![19 => Just(0_u8), 1 => any::<u8>()])
        .prop_map(|(text, off)| [&[(text.len() as u8).wrapping_add(off)][..], &text].concat())
}

/// What both sides of SOCKS say, in an order that often makes sense.
fn conversation() -> impl Strategy<Value = Vec<u8>> {
    let greeting = prop_oneof![
        5 => Just(vec![5, 1, 2]),
        1 => Just(vec![5, 2, 0, 2]),
        3 => Just(vec![5, 0]),
        3 => Just(vec![5, 2, 1, 0]),
        1 => field().prop_map(|methods| [&[5][..], &methods].concat()),
        1 => vec(any::<u8>(), 0..9),
    ];
    let login = prop_oneof![
        5 => (field(), field()).prop_map(|(user, password)| [&[1][..], &user, &password].concat()),
        3 => Just(vec![]),
    ];
    let address = prop_oneof![
        any::<[u8; 4]>().prop_map(|octets| [&[1][..], &octets].concat()),
        any::<[u8; 16]>().prop_map(|octets| [&[4][..], &octets].concat()),
        field().prop_map(|name| [&[3][..], &name].concat()),
        vec(any::<u8>(), 0..9),
    ];
    let code = prop_oneof![5 => 0..3_u8, 1 => any::<u8>()];
    let request = (code, prop_oneof![9 => Just(0_u8), 1 => any::<u8>()], address, any::<u16>()).prop_map(
        |(code, reserved, address, port)| [&[5, code, reserved][..], &address, &port.to_be_bytes()].concat(),
    );
    (greeting, login, request, vec(any::<u8>(), 0..99)).prop_map(|(a, b, c, d)| [a, b, c, d].concat())
}

/// Pieces of an HTTP proxy's answer, in an order that often makes sense.
fn answer() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => select(vec!["HTTP/1.1 200 OK", "HTTP/1.0 200", "HTTP/1.1 100 Go on", "HTTP/1.1 407 No", "HTTP/1.1 502 \u{ff}"])
            .prop_map(str::to_owned),
        4 => Just(String::new()),
        2 => "HTTP/1\\.[01] [0-9]{3} [a-z]{0,9}",
        2 => "[A-Za-z-]{1,9}: ?[a-z ]{0,9}",
        1 => "\\PC{0,9}",
    ];
    let end = prop_oneof![8 => Just("\r\n"), 2 => Just("\n"), 1 => Just("\r"), 1 => Just("")];
    let lines = vec((line, end), 0..9).prop_map(|lines| {
        lines.into_iter().flat_map(|(line, end)| line.into_bytes().into_iter().chain(end.bytes())).collect()
    });
    (select(vec![&b""[..], b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Go on\r\n\r\n"]), lines)
        .prop_map(|(first, lines): (&[u8], Vec<u8>)| [first, &lines].concat())
}

/// A host as in a URL, and as it comes out at the other side.
fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9-]{1,63}(\\.[a-z0-9-]{1,63}){0,2}",
        "[^\\p{Cc}\\[]{1,60}",
        any::<Ipv4Addr>().prop_map(|address| address.to_string()),
        any::<Ipv6Addr>().prop_map(|address| Host::<&str>::Ipv6(address).to_string()),
        Just("h".repeat(255)),
    ]
}

/// A text of 1 to 255 bytes.
fn secret() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{1,60}", "[ -~]{1,255}"]
}

fn v4() -> impl Strategy<Value = Ipv4Addr> {
    prop_oneof![
        any::<Ipv4Addr>(),
        select(vec![Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST]),
        any::<[u8; 2]>().prop_map(|[a, b]| Ipv4Addr::new(a, 0, 0, b)),
        select(vec![[10, 1, 2, 3], [8, 8, 8, 8], [169, 254, 169, 254], [192, 168, 0, 1]])
            .prop_map(Ipv4Addr::from),
    ]
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![Just(443), select(vec![0, 22, 79, 80, 81, 442, 444, 1023, 1024, 65_535]), any::<u16>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn socks_takes_whatever_comes(sizes in any::<[u8; 4]>(), data in prop_oneof![
        4 => conversation(),
        1 => vec(any::<u8>(), 0..700),
    ]) {
        fuzz::socks(&[&sizes[..], &data].concat());
    }

    #[test]
    fn a_tunnel_takes_whatever_comes(sizes in any::<[u8; 4]>(), data in prop_oneof![
        4 => answer(),
        1 => vec(any::<u8>(), 0..300),
        1 => "\\PC{0,60}".prop_map(String::into_bytes),
        1 => host().prop_map(String::into_bytes),
    ]) {
        fuzz::connect(&[&sizes[..], &data].concat());
    }

    #[test]
    fn socks_brings_a_destination_to_the_other_side(
        host in host(),
        port in any::<u16>(),
        user in "[^\\p{Cc}]{1,60}",
        password in secret(),
        size in 1..600_usize,
    ) {
        let destination = Destination { host, port };
        let credentials = Credentials::new(user.clone(), password.clone()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (asked, served) = runtime.block_on(async {
            let (mut client, mut server) = duplex(size);
            let serving = async {
                let accepted = socks::accept(&mut server, |login| Some(login.clone())).await?;
                socks::reply(&mut server, socks::Reply::Succeeded).await?;
                Ok::<_, socks::SocksError>(accepted)
            };
            tokio::join!(socks::connect(&mut client, &destination, Some(&credentials)), serving)
        });
        asked.unwrap();
        let served = served.unwrap();
        prop_assert_eq!((served.user.user, served.user.password), (user, password.into_bytes()));
        prop_assert_eq!(served.destination, destination);
        prop_assert!(served.leftover.is_empty());
    }

    #[test]
    fn addresses_are_judged_as_the_table_says(
        form in any::<u8>(),
        distance in prop_oneof![-2..2_i8, any::<i8>()],
        random in any::<u128>(),
        port in port(),
    ) {
        fuzz::judge::agrees(fuzz::judge::address(form, distance, random), port);
    }

    #[test]
    fn an_address_is_judged_the_same_in_every_spelling(
        address in v4(),
        choices in vec(any::<u8>(), 0..60),
        port in port(),
    ) {
        fuzz::judge::agrees_spelled(address, &choices, port);
    }

    #[test]
    fn any_text_is_judged(random in any::<[u8; 20]>(), text in prop_oneof![
        "\\PC{0,30}",
        "[0-9a-fxX.:%\\[\\]]{0,20}",
        "(localhost|local|internal|a|\\.){0,4}",
    ]) {
        fuzz::judge(&[&random[..], text.as_bytes()].concat());
    }
}

#[test]
fn spellings_are_many_and_read_as_the_address() {
    let address = Ipv4Addr::new(127, 0, 0, 1);
    let mut random = fastrand::Rng::with_seed(1);
    let spelled: HashSet<_> = (0..1000)
        .map(|_| fuzz::judge::spell(address, &std::array::from_fn::<_, 60, _>(|_| random.u8(..))))
        .collect();
    assert!(spelled.len() > 500, "{}", spelled.len());
    for text in spelled {
        let read = match Host::parse(&text).unwrap() {
            Host::Ipv4(address) => address,
            Host::Ipv6(held) => Ipv4Addr::from(u128::from(held) as u32),
            Host::Domain(name) => panic!("{text} is the name {name}"),
        };
        assert_eq!(read, address, "{text}");
    }
}
