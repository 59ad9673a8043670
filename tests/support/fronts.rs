//! Proxies that are no good, and a SOCKS5 one that is.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What a front does with a connection.
#[derive(Clone, Debug)]
pub enum Manner {
    /// Nobody listens.
    Dead,
    /// Takes it, and never says anything.
    Silent,
    /// Closes it at once.
    Closes,
    /// Says this to the first that it reads, and closes.
    Says(&'static [u8]),
    /// Says this, and after the next that it reads that, and closes.
    SaysTwice(&'static [u8], &'static [u8]),
    /// SOCKS5 that passes everything on to this place, for whoever has these credentials.
    Socks { to: SocketAddr, login: Option<(&'static str, &'static str)> },
}

/// A proxy on a port of its own; ends with the process, or before.
pub struct Front {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
    visits: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Front {
    /// Listens, unless it is to be dead.
    pub fn start(manner: Manner) -> Front {
        Self::start_on(Ipv4Addr::LOCALHOST, manner)
    }

    /// The same on another address than loopback's.
    pub fn start_on(address: Ipv4Addr, manner: Manner) -> Front {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let (address, visits) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let stopped: Arc<AtomicBool> = Arc::default();
        let mut front = Front {
            address,
            stopped: Arc::clone(&stopped),
            listening: None,
            visits: Arc::clone(&visits),
            heads: Arc::clone(&heads),
        };
        if matches!(manner, Manner::Dead) {
            return front;
        }
        front.listening = Some(std::thread::spawn(move || {
            for visitor in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                visits.fetch_add(1, Ordering::SeqCst);
                let (manner, heads) = (manner.clone(), Arc::clone(&heads));
                std::thread::spawn(move || attend(visitor, &manner, &heads));
            }
        }));
        front
    }

    /// Nobody listens from now on; what is connected stays so.
    pub fn stop(&mut self) {
        let listening = self.listening.take().expect("nobody listens");
        self.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        listening.join().unwrap();
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has read where it [says](Manner::Says) something.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// Connections so far.
    pub fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }
}

fn attend(mut visitor: TcpStream, manner: &Manner, heads: &Mutex<Vec<String>>) -> Option<()> {
    match manner {
        Manner::Dead | Manner::Closes => {}
        // To its end.
        Manner::Silent => drop(std::io::copy(&mut visitor, &mut std::io::sink())),
        Manner::Says(text) => {
            heard(&mut visitor, heads)?;
            visitor.write_all(text).ok()?;
        }
        Manner::SaysTwice(first, second) => {
            for text in [first, second] {
                heard(&mut visitor, heads)?;
                visitor.write_all(text).ok()?;
            }
        }
        Manner::Socks { to, login } => socks(visitor, *to, *login)?,
    }
    Some(())
}

/// Reads what there is.
fn heard(visitor: &mut TcpStream, heads: &Mutex<Vec<String>>) -> Option<()> {
    let mut block = [0; 4096];
    let read = visitor.read(&mut block).ok()?;
    heads.lock().unwrap().push(String::from_utf8_lossy(&block[..read]).into_owned());
    Some(())
}

/// RFC 1928 and RFC 1929.
fn socks(mut visitor: TcpStream, to: SocketAddr, login: Option<(&str, &str)>) -> Option<()> {
    let method = if login.is_some() { 2 } else { 0 };
    let mut hello = [0; 2];
    visitor.read_exact(&mut hello).ok()?;
    let methods = sized(&mut visitor, hello[1])?;
    if hello[0] != 5 || !methods.contains(&method) {
        return visitor.write_all(&[5, 0xFF]).ok();
    }
    visitor.write_all(&[5, method]).ok()?;
    if let Some((user, password)) = login {
        let mut head = [0; 2];
        visitor.read_exact(&mut head).ok()?;
        let said_user = sized(&mut visitor, head[1])?;
        let length = sized(&mut visitor, 1)?[0];
        let said_password = sized(&mut visitor, length)?;
        let right = said_user == user.as_bytes() && said_password == password.as_bytes();
        visitor.write_all(&[1, u8::from(!right)]).ok()?;
        if !right {
            return None;
        }
    }
    let mut head = [0; 4];
    visitor.read_exact(&mut head).ok()?;
    let length = match head[3] {
        1 => 4,
        4 => 16,
        _ => sized(&mut visitor, 1)?[0],
    };
    sized(&mut visitor, length)?;
    sized(&mut visitor, 2)?;
    // Whom the stage takes it for is in what follows.
    let site = TcpStream::connect(to).ok()?;
    visitor.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    let (visitor_too, site_too) = (visitor.try_clone().ok()?, site.try_clone().ok()?);
    std::thread::spawn(move || pump(visitor_too, site_too));
    pump(site, visitor);
    Some(())
}

fn sized(from: &mut TcpStream, length: u8) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::from(length)];
    from.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
