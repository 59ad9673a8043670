//! What the integration tests stand on: the stage (a stand-in internet), the built server, and a client that tells
//! exactly how an answer ended.

pub mod client;
pub mod damage;
pub mod dns;
pub mod film;
pub mod fronts;
pub mod h2;
pub mod held;
pub mod hostile;
pub mod log;
pub mod net;
pub mod packaged;
pub mod plugin;
pub mod processes;
pub mod random;
pub mod rogue;
pub mod sealed;
pub mod server;
pub mod shown;
pub mod stage;
pub mod tls;
pub mod watch;
pub mod world;
