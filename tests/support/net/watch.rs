//! The canary: whatever a network namespace tries to reach, on any port of any address, its own ones included.

use crate::support::log::PATIENCE;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

const TCP: u8 = 6;
const UDP: u8 = 17;
/// Bytes of a packet that are kept: IPv4's largest head, and the ports.
const KEPT: u32 = 128;

/// The beginning of a TCP connection, or a UDP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt {
    pub udp: bool,
    pub from: IpAddr,
    pub to: SocketAddr,
}

#[derive(Default)]
struct Record {
    attempts: Mutex<Vec<Attempt>>,
    changed: Condvar,
}

/// Records the attempts of the namespace that it was started in; ends with the process.
pub struct Watch(Arc<Record>);

impl Watch {
    /// Watches all interfaces of the calling thread's network namespace.
    pub fn start() -> Watch {
        let everything = Protocol::from(i32::from((libc::ETH_P_ALL as u16).to_be()));
        let mut socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(everything)).unwrap();
        socket.attach_filter(&beginnings()).unwrap();
        let record = Arc::new(Record::default());
        let writer = Arc::clone(&record);
        std::thread::spawn(move || {
            let mut packet = [0; KEPT as usize];
            while let Ok(length) = socket.read(&mut packet) {
                // What came before the filter was there.
                if let Some(attempt) = read(&packet[..length]) {
                    writer.attempts.lock().unwrap().push(attempt);
                    writer.changed.notify_all();
                }
            }
        });
        Watch(record)
    }

    /// Every attempt so far; one over loopback is seen as it goes and as it comes.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.0.attempts.lock().unwrap().clone()
    }

    /// Blocks until an attempt is seen; all that were made before it are then seen, too. Panics after [`PATIENCE`].
    pub fn wait_for(&self, wanted: impl Fn(&Attempt) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut attempts = self.0.attempts.lock().unwrap();
        while !attempts.iter().any(&wanted) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "not seen in {PATIENCE:?}");
            attempts = self.0.changed.wait_timeout(attempts, left).unwrap().0;
        }
    }
}

/// What of a packet matters.
fn read(packet: &[u8]) -> Option<Attempt> {
    let v4 = packet.first()? >> 4 == 4;
    let (protocol, head) =
        if v4 { (*packet.get(9)?, usize::from(packet[0] & 0xf) * 4) } else { (*packet.get(6)?, 40) };
    let address = |at: usize| -> Option<IpAddr> {
        Some(if v4 {
            Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?).into()
        } else {
            Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?).into()
        })
    };
    let (from, to) = if v4 { (address(12)?, address(16)?) } else { (address(8)?, address(24)?) };
    let port = u16::from_be_bytes([*packet.get(head + 2)?, *packet.get(head + 3)?]);
    let begins = protocol == UDP || (protocol == TCP && packet.get(head + 13)? & 0x12 == 0x02);
    begins.then_some(Attempt { udp: protocol == UDP, from, to: SocketAddr::new(to, port) })
}

/// A filter in the kernel (classic BPF), so that no film crowds out what is looked for: UDP, and TCP with SYN alone.
fn beginnings() -> Vec<SockFilter> {
    const LOAD: u16 = 0x30;
    const LOAD_INDEXED: u16 = 0x50;
    const LOAD_HEAD_LENGTH: u16 = 0xb1;
    const SHIFT_RIGHT: u16 = 0x74;
    const AND: u16 = 0x54;
    const EQUALS: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let step = |code, k, jt, jf| SockFilter::new(code, jt, jf, k);
    vec![
        step(LOAD, 0, 0, 0),
        step(SHIFT_RIGHT, 4, 0, 0),
        step(EQUALS, 4, 0, 7),
        step(LOAD, 9, 0, 0),
        step(EQUALS, UDP.into(), 12, 0),
        step(EQUALS, TCP.into(), 0, 12),
        step(LOAD_HEAD_LENGTH, 0, 0, 0),
        step(LOAD_INDEXED, 13, 0, 0),
        step(AND, 0x12, 0, 0),
        step(EQUALS, 0x02, 7, 8),
        step(EQUALS, 6, 0, 7),
        step(LOAD, 6, 0, 0),
        step(EQUALS, UDP.into(), 4, 0),
        step(EQUALS, TCP.into(), 0, 4),
        step(LOAD, 40 + 13, 0, 0),
        step(AND, 0x12, 0, 0),
        step(EQUALS, 0x02, 0, 1),
        step(RETURN, KEPT, 0, 0),
        step(RETURN, 0, 0, 0),
    ]
}
