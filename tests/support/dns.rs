//! A small name server: what each name leads to is a table, and it records what it was asked.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
const INTERNET: u16 = 1;
/// Bytes of an answer over UDP (RFC 1035 §2.3.4). A longer one says that it is to be asked for over TCP.
const MAX_UDP: usize = 512;
const HEADER: usize = 12;
const TRUNCATED: u8 = 0x02;
const NO_SUCH_NAME: u8 = 3;

/// What a name leads to.
#[derive(Clone, Debug)]
pub enum Entry {
    /// Each of these, v4 and v6 ones to whom asks for them.
    To(Vec<IpAddr>),
    /// By turns, a turn for each question of a kind: what a rebinding name does.
    ByTurns(Vec<Vec<IpAddr>>),
    /// Another name (CNAME).
    Alias(String),
}

impl Entry {
    /// To one or more addresses.
    pub fn to(addresses: &[&str]) -> Entry {
        Entry::To(parse(addresses))
    }

    /// By turns to each of these.
    pub fn by_turns(turns: &[&[&str]]) -> Entry {
        Entry::ByTurns(turns.iter().map(|addresses| parse(addresses)).collect())
    }
}

fn parse(addresses: &[&str]) -> Vec<IpAddr> {
    addresses.iter().map(|text| text.parse().unwrap()).collect()
}

/// Names in lower case, without a dot at the end. One that begins with a dot stands for all that end in it and are not
/// told themselves. Any other name does not exist.
pub type Zone = HashMap<String, Entry>;

/// A question that was asked: the name, as it was asked for, and the record's type.
pub type Question = (String, u16);

/// A running name server; ends with the process.
#[derive(Clone)]
pub struct Dns {
    zone: Arc<Zone>,
    asked: Arc<Mutex<Vec<Question>>>,
}

impl Dns {
    /// Answers at this address over UDP and TCP.
    pub fn start(at: SocketAddr, zone: Zone) -> Dns {
        let dns = Dns { zone: Arc::new(zone), asked: Arc::default() };
        let (udp, tcp) = (UdpSocket::bind(at).unwrap(), TcpListener::bind(at).unwrap());
        let (over_udp, over_tcp) = (dns.clone(), dns.clone());
        std::thread::spawn(move || over_udp.serve_udp(&udp));
        std::thread::spawn(move || over_tcp.serve_tcp(&tcp));
        dns
    }

    /// Every question so far.
    pub fn asked(&self) -> Vec<Question> {
        self.asked.lock().unwrap().clone()
    }

    fn serve_udp(&self, socket: &UdpSocket) {
        let mut query = [0; MAX_UDP];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            let Some((mut answer, question_end)) = self.answer(&query[..length]) else { continue };
            if answer.len() > MAX_UDP {
                answer.truncate(question_end);
                answer[2] |= TRUNCATED;
                answer[6..8].fill(0);
            }
            let _ = socket.send_to(&answer, from);
        }
    }

    fn serve_tcp(&self, listener: &TcpListener) {
        for mut visitor in listener.incoming().flatten() {
            let mut length = [0; 2];
            while visitor.read_exact(&mut length).is_ok() {
                let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
                if visitor.read_exact(&mut query).is_err() {
                    break;
                }
                let Some((answer, _)) = self.answer(&query) else { break };
                let said = u16::try_from(answer.len()).unwrap().to_be_bytes();
                let _ = visitor.write_all(&[&said, answer.as_slice()].concat());
            }
        }
    }

    /// The answer to a query, and where in it the question ends.
    fn answer(&self, query: &[u8]) -> Option<(Vec<u8>, usize)> {
        let (name, name_end) = read_name(query)?;
        let question_end = name_end + 4;
        let kind = u16::from_be_bytes([*query.get(name_end)?, *query.get(name_end + 1)?]);
        let question = query.get(HEADER..question_end)?;
        let turn = {
            let mut asked = self.asked.lock().unwrap();
            let turn = asked.iter().filter(|(earlier, its)| *earlier == name && *its == kind).count();
            asked.push((name.clone(), kind));
            turn
        };
        let found = self.records(&name, kind, turn);
        let count = u16::try_from(found.as_ref().map_or(0, Vec::len)).unwrap().to_be_bytes();
        let code = if found.is_none() { NO_SUCH_NAME } else { 0 };
        // A recursive server's answer with one question.
        let mut answer = vec![query[0], query[1], 0x81, 0x80 | code, 0, 1, count[0], count[1], 0, 0, 0, 0];
        answer.extend_from_slice(question);
        for (owner, kind, data) in found.into_iter().flatten() {
            write_name(&owner, &mut answer);
            for number in [kind, INTERNET, 0, 0, u16::try_from(data.len()).unwrap()] {
                answer.extend(number.to_be_bytes());
            }
            answer.extend(data);
        }
        Some((answer, question_end))
    }

    /// What there is at a name, aliases followed; `None`: no such name.
    fn records(&self, name: &str, kind: u16, turn: usize) -> Option<Vec<(String, u16, Vec<u8>)>> {
        let name = name.to_ascii_lowercase();
        let parents = name.match_indices('.').map(|(at, _)| &name[at..]);
        let entry = std::iter::once(name.as_str()).chain(parents).find_map(|it| self.zone.get(it))?;
        let addresses = match entry {
            Entry::To(addresses) => addresses,
            Entry::ByTurns(turns) => &turns[turn % turns.len()],
            Entry::Alias(target) => {
                let mut data = Vec::new();
                write_name(target, &mut data);
                let mut all = vec![(name.clone(), CNAME, data)];
                all.extend(self.records(target, kind, turn).unwrap_or_default());
                return Some(all);
            }
        };
        let data = addresses.iter().filter_map(|address| match (address, kind) {
            (IpAddr::V4(address), A) => Some(address.octets().to_vec()),
            (IpAddr::V6(address), AAAA) => Some(address.octets().to_vec()),
            _ => None,
        });
        Some(data.map(|data| (name.clone(), kind, data)).collect())
    }
}

/// The name in the question, and where it ends.
fn read_name(query: &[u8]) -> Option<(String, usize)> {
    let (mut labels, mut at) = (Vec::new(), HEADER);
    loop {
        let length = usize::from(*query.get(at)?);
        let label = query.get(at + 1..at + 1 + length)?;
        at += 1 + length;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(label).into_owned());
    }
}

fn write_name(name: &str, into: &mut Vec<u8>) {
    for label in name.split('.') {
        into.push(u8::try_from(label.len()).unwrap());
        into.extend_from_slice(label.as_bytes());
    }
    into.push(0);
}
