//! What it costs to know who may come in, for `scripts/bench admission`: JSON with the nanoseconds of a check by key and
//! one by address, and the bytes of memory that 10,000 keys and 100,000 addresses take.

#![allow(clippy::unwrap_used, reason = "what goes wrong here is to be seen at once")]

use sluice::admission::{Admission, Limits, Settings, new_key};
use sluice::telemetry::resident_bytes;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

/// What the server has.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const KEYS: usize = 10_000;
const ADDRESSES: u32 = 100_000;

fn main() {
    let (keys, lines): (Vec<_>, Vec<_>) =
        (0..KEYS).map(|number| new_key(&format!("client{number}")).unwrap()).unzip();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines.join("\n")).unwrap();
    drop(lines);
    let limits = Limits {
        rate: Some("1000000/s".parse().unwrap()),
        streams: 1_000_000.try_into().ok(),
        bytes: Some(1 << 50),
    };
    let before = resident_bytes().unwrap();
    let settings = Settings { keys_file: Some(file.path().to_owned()), limits, ..Settings::default() };
    let by_key = Admission::new(&settings).unwrap();
    let by_address = Admission::new(&Settings { keys_file: None, public: true, ..settings }).unwrap();
    let address = |number: u32| IpAddr::V4(Ipv4Addr::from(0x0B00_0000 + number));
    // Once, so that all are known.
    checks(&by_address, (0..ADDRESSES).map(|number| (None, address(number))));
    checks(&by_key, keys.iter().map(|key| (Some(key.as_bytes()), address(0))));
    let bytes = resident_bytes().unwrap().saturating_sub(before);
    let key_ns =
        checks(&by_key, keys.iter().cycle().take(10 * KEYS).map(|key| (Some(key.as_bytes()), address(0))));
    let address_ns =
        checks(&by_address, (0..10 * ADDRESSES).map(|number| (None, address(number % ADDRESSES))));
    println!("{{\"key_ns\": {key_ns}, \"address_ns\": {address_ns}, \"bytes\": {bytes}}}");
}

/// All that a request passes that has a page extracted and streamed; gives the nanoseconds of one.
fn checks<'a>(admission: &Admission, callers: impl Iterator<Item = (Option<&'a [u8]>, IpAddr)>) -> u128 {
    let (begun, mut count) = (Instant::now(), 0);
    for (key, address) in callers {
        let caller = admission.caller(key.into_iter(), address, true).unwrap();
        admission.admit(&caller).unwrap();
        assert!(admission.may_be_allowed(&caller, "www.tiktok.com"));
        admission.extraction(&caller).unwrap();
        std::hint::black_box(admission.number(&caller));
        let mut pass = admission.stream(&caller).unwrap();
        pass.spend(1);
        count += 1;
    }
    begun.elapsed().as_nanos() / count
}
