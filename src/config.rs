//! Typed settings from flags, environment and file, in this order. The only reader of the environment.
//!
//! Every bad value is reported at once; none is replaced by its default in silence.

mod admission;
mod command;
mod confined;
mod error;
mod exits;
mod file;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod javascript;
mod journal;
mod keys;
mod limits;
mod pages;
mod paths;
#[cfg(test)]
mod properties;
mod table;
mod values;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use clap::ArgMatches;

use crate::{api, check, egress, extract, relay, server, telemetry, ticket};
pub use command::{Task, Wanted, command, task};
pub use confined::confined;
use error::Origin;
pub use error::{ConfigError, Problem};
use table::{Setting, TABLE};

/// Where the bundled runtime's trust roots are, below the Python folder.
const CERTIFI: &str = "runtime/lib/python3.11/site-packages/certifi/cacert.pem";
/// Most bytes of a stream that are read at a time. More would not make it faster.
const MAX_READ: usize = 64 << 10;

/// The environment, as a parameter, so that tests never set variables.
pub trait Env {
    /// The value of a variable, if it is set.
    fn var_os(&self, name: &str) -> Option<OsString>;

    /// The same, if it is Unicode.
    fn var(&self, name: &str) -> Option<String> {
        self.var_os(name)?.into_string().ok()
    }
}

/// The environment of this process.
#[derive(Debug, Clone, Copy)]
pub struct ProcessEnv;

impl Env for ProcessEnv {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    fn var_os(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }
}

/// Settings of every room.
#[derive(Debug)]
pub struct Settings {
    /// The log.
    pub log: telemetry::Settings,
    /// The server.
    pub server: server::Settings,
    /// Who may come in.
    pub admission: crate::admission::Settings,
    /// The HTTP interface.
    pub api: api::Settings,
    /// Extraction.
    pub extract: extract::Settings,
    /// Streams.
    pub relay: relay::Settings,
    /// The way out.
    pub egress: egress::Settings,
    /// Tokens.
    pub tickets: ticket::Settings,
    /// The doctor.
    pub check: check::Settings,
    /// What the operator should hear once the log works.
    pub warnings: Vec<String>,
}

/// Reads and checks all settings.
pub fn load(flags: &ArgMatches, env: &dyn Env) -> Result<Settings, ConfigError> {
    let (file, mut warnings) = match flags.get_one::<String>("config") {
        Some(path) => read_file(Path::new(path))?,
        None => Default::default(),
    };
    let mut reader = Reader { flags, env, file, problems: Vec::new() };
    reader.refuse_unreadable();
    let settings = reader.settings(&mut warnings);
    match reader.problems.is_empty() {
        true => Ok(Settings { warnings, ..settings }),
        false => Err(ConfigError::Values(reader.problems)),
    }
}

type FileSettings = (BTreeMap<String, String>, Vec<String>);

fn read_file(path: &Path) -> Result<FileSettings, ConfigError> {
    let values = file::read(path).map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
    let known = |name: &str| TABLE.iter().any(|setting| setting.name == name);
    let unknown = values.keys().filter(|name| !known(name));
    let warnings = unknown.map(|name| format!("{}: unknown setting {name}", path.display())).collect();
    Ok((values, warnings))
}

struct Reader<'a> {
    flags: &'a ArgMatches,
    env: &'a dyn Env,
    file: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    /// A setting's text, if it is set. An empty value counts as unset, as in a template that nobody filled in.
    fn raw(&self, name: &str) -> Option<(String, Origin)> {
        let flag = || Some((self.flags.try_get_one::<String>(name).ok()??.clone(), Origin::Flag));
        let env = || Some((self.env.var(name)?, Origin::Environment));
        let file = || Some((self.file.get(name)?.clone(), Origin::File));
        let set = |found: &(String, Origin)| !found.0.trim().is_empty();
        flag().filter(set).or_else(|| env().filter(set)).or_else(|| file().filter(set))
    }

    fn problem(&mut self, setting: &Setting, origin: Origin, what: impl Into<String>) {
        self.problems.push(Problem {
            name: setting.name,
            origin,
            what: what.into(),
            example: setting.example,
        });
    }

    fn text(&self, name: &str) -> Option<String> {
        self.raw(name).map(|(text, _)| text.trim().to_owned())
    }

    /// A setting without a default.
    fn optional<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let (text, origin) = self.raw(name)?;
        match parse(text.trim()) {
            Ok(value) => Some(value),
            Err(what) => {
                self.problem(table::find(name), origin, what);
                None
            }
        }
    }

    /// A setting with a default. After a problem the value is the default's, and is not used.
    fn value<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> T {
        let setting = table::find(name);
        #[expect(clippy::expect_used, reason = "the defaults are constants, and a test parses each")]
        self.optional(name, &parse).unwrap_or_else(|| parse(setting.default).expect(setting.name))
    }

    fn settings(&mut self, warnings: &mut Vec<String>) -> Settings {
        let exits = self.exits();
        let entry = self.admission();
        let ca_file = self.optional("CA_FILE", values::pem_file);
        let pyenv = self.pyenv(warnings);
        let port: u16 = self.value("PORT", values::number(0, u16::MAX));
        let mut roots = vec![pyenv.join(CERTIFI)];
        roots.extend(ca_file.clone());
        let idle = self.value("DOWNLOAD_TIMEOUT", values::seconds(1, 86_400));
        let stream_buffer = self.value("STREAM_BUFFER", values::number(16 << 10, 64 << 20));
        let token_ttl = self.value("TOKEN_TTL", values::seconds(1, 365 * 86_400));
        let playlists = self.playlists();
        let cache = extract::CacheSettings {
            // A link that is handed out works for half of its time at least.
            ttl: self.value("CACHE_TTL", values::seconds(0, 86_400)).min(token_ttl / 2),
            entries: self.value("CACHE_ENTRIES", values::number(1, 10_000_000)),
            bytes: self.value("CACHE_BYTES", values::number(1 << 20, 1 << 40)),
        };
        let trusted_proxies = self.optional("TRUSTED_PROXIES", values::networks).unwrap_or_default();
        let read_buffer = stream_buffer.clamp(egress::MIN_READ, MAX_READ);
        Settings {
            log: telemetry::Settings {
                filter: self
                    .optional("LOG", values::log_filter)
                    .unwrap_or_else(|| command::default_log(self.flags).to_owned()),
                format: self.value("LOG_FORMAT", values::log_format),
                journal: journal::is_journal(self.env),
            },
            server: server::Settings {
                listen: self.value("HOST", |text| values::hosts(text, port)),
                tls: self.tls(),
                drain: self.value("DRAIN_TIMEOUT", values::seconds(0, 86_400)),
                idle,
                buffer: stream_buffer / 2,
                max_connections: self.optional("MAX_CONNECTIONS", values::number(1, 10_000_000)),
                max_connections_per_address: self
                    .value("MAX_CONNECTIONS_PER_ADDRESS", values::number(1, 1_000_000)),
                trusted_proxies: trusted_proxies.clone(),
            },
            api: api::Settings {
                links: api::LinkSettings {
                    base_url: self.optional("BASE_URL", values::base_url),
                    trusted_proxies,
                },
                origins: self.value("CORS_ORIGINS", values::origins),
                closed: self.value("ENDPOINTS", admission::closed),
                rendered_bytes: cache.bytes / 4,
                subtitle_bytes: self.value("MAX_SUBTITLE_BYTES", values::number(64 << 10, 64 << 20)),
            },
            extract: extract::Settings {
                sites: entry.sites.as_ref().map(|sites| extract::AllowedSites {
                    extractors: sites.extractors().map(str::to_owned).collect(),
                    hosts: sites.hosts().map(str::to_owned).collect(),
                }),
                max_workers: self.value("MAX_WORKERS", values::number(1, 1000)),
                max_queue: self.value("MAX_QUEUE", values::number(0, 100_000)),
                timeout: self.value("YTDLP_TIMEOUT", values::seconds(1, 3600)),
                max_hold: self.value("MAX_HOLD", values::seconds(1, 3600)),
                limits: self.limits(),
                cache,
                cookies: self.cookies(warnings),
                generic: self.generic(),
                ca_file,
                pyenv,
                scripts: self.scripts(),
            },
            relay: relay::Settings {
                idle,
                buffer: stream_buffer,
                read: read_buffer,
                max_streams: self.value("MAX_STREAMS", values::number(1, 1_000_000)),
                playlists,
                lists: self.value("PLAYLIST_MEMORY", values::number(1 << 20, 1 << 40)),
            },
            egress: egress::Settings {
                exits,
                streams_direct: self.value("EGRESS_STREAMS", exits::streams),
                local_dns: self.value("PROXY_DNS", exits::dns),
                policy: egress::Policy::new(
                    self.optional("ALLOW_PRIVATE_ADDRESSES", values::networks).unwrap_or_default(),
                ),
                roots,
                read_buffer,
            },
            tickets: ticket::Settings {
                ttl: token_ttl,
                // Last: what is still missing is made only if there will be a start.
                keys: self.keys(warnings),
            },
            admission: entry,
            check: check::Settings {
                key: self.key_place(),
                ffmpeg: javascript::program("ffmpeg", &self.env.var_os("PATH").unwrap_or_default()),
            },
            warnings: Vec::new(),
        }
    }

    fn generic(&mut self) -> Option<extract::GenericSettings> {
        let on = self.value("GENERIC", values::switch);
        let settings = extract::GenericSettings {
            workers: self.value("GENERIC_WORKERS", values::number(1, 64)),
            memory: self.value("GENERIC_MEMORY", values::number(128 << 20, 1 << 40)),
            idle: self.value("GENERIC_IDLE", values::seconds(1, 86_400)),
            named_bytes: self.value("MAX_NAMED_BYTES", values::number(64 << 10, 1 << 30)),
        };
        on.then_some(settings)
    }

    /// Values of the environment that are no text.
    fn refuse_unreadable(&mut self) {
        for setting in TABLE {
            if self.env.var_os(setting.name).is_some_and(|value| value.into_string().is_err()) {
                self.problem(setting, Origin::Environment, "it is not valid UTF-8");
            }
        }
    }
}

#[cfg(test)]
mod tests;
