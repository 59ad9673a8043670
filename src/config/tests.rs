use std::sync::Arc;

use super::*;
use crate::egress::{Kind, Proxy, ProxyKind};

struct Vars(Vec<(&'static str, String)>);

impl Env for Vars {
    fn var_os(&self, name: &str) -> Option<OsString> {
        self.0.iter().find(|(found, _)| *found == name).map(|(_, value)| value.into())
    }
}

/// Settings as they are with nothing set but a folder for the state.
pub(super) fn load_with(args: &[&str], vars: &[(&'static str, &str)]) -> Result<Settings, ConfigError> {
    let state = tempfile::tempdir().unwrap();
    let mut vars: Vec<_> = vars.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    vars.push(("STATE_DIRECTORY", state.path().display().to_string()));
    vars.push(("PYENV_DIR", concat!(env!("CARGO_MANIFEST_DIR"), "/pyenv").to_owned()));
    let args = std::iter::once("sluice").chain(args.iter().copied());
    load(&command().get_matches_from(args), &Vars(vars))
}

fn problems(error: ConfigError) -> Vec<&'static str> {
    match error {
        ConfigError::Values(problems) => problems.iter().map(|problem| problem.name).collect(),
        ConfigError::File { .. } => panic!("{error}"),
    }
}

#[test]
fn defaults_are_the_contracts() {
    let settings = load_with(&[], &[]).unwrap();
    assert_eq!(settings.server.listen, ["127.0.0.1:3021".parse().unwrap(), "[::1]:3021".parse().unwrap()]);
    assert_eq!(settings.server.drain.as_secs(), 60);
    assert_eq!(settings.extract.max_workers, 20);
    assert_eq!(settings.extract.max_queue, 200);
    assert_eq!(settings.extract.timeout.as_secs(), 30);
    assert_eq!(settings.relay.idle.as_secs(), 120);
    let limits = &settings.extract.limits;
    assert_eq!((limits.page_bytes, limits.job_bytes, limits.result_bytes), (16 << 20, 64 << 20, 8 << 20));
    assert_eq!((limits.formats, limits.fragments, limits.job_fragments), (1000, 50_000, 200_000));
    assert_eq!((limits.images, limits.subtitles, limits.entries), (1000, 2000, 200));
    assert_eq!((limits.requests, limits.redirects, limits.handoffs, limits.depth), (40, 10, 10, 1000));
    let scripts = &settings.extract.scripts;
    assert_eq!((scripts.timeout.as_secs(), scripts.processes, scripts.memory), (20, 2, 512 << 20));
    assert_eq!(scripts.runtime, None, "PATH is not set");
    assert_eq!(settings.relay.buffer, 32768);
    assert_eq!(settings.tickets.ttl.as_secs(), 21600);
    assert_eq!(settings.tickets.keys.len(), 1);
    assert_eq!(settings.api.origins, api::Origins::Any);
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
    assert!(settings.extract.pyenv.join("runtime").is_dir());
}

#[test]
fn flags_come_before_the_environment_and_that_before_the_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "PORT=1\nMAX_QUEUE=1\nMAX_WORKERS=1\nTYPO=1\n").unwrap();
    let path = file.path().to_str().unwrap();
    let vars = [("PORT", "2"), ("MAX_QUEUE", "2"), ("LOG", "")];
    let settings = load_with(&["--config", path, "--port", "3"], &vars).unwrap();
    assert_eq!(settings.server.listen[0].port(), 3);
    assert_eq!(settings.extract.max_queue, 2);
    assert_eq!(settings.extract.max_workers, 1);
    assert_eq!(settings.log.filter, "info", "an empty value counts as unset");
    assert_eq!(settings.warnings.len(), 1, "{:?}", settings.warnings);
    assert!(settings.warnings[0].contains("TYPO"));
}

#[test]
fn every_bad_value_is_named_at_once_and_no_secret_is_shown() {
    let vars = [
        ("HOST", "example.org"),
        ("PORT", "70000"),
        ("BASE_URL", "ftp://x"),
        ("ENCRYPTION_KEY", "shortsecret"),
        ("ENCRYPTION_KEYS_OLD", "overflow"),
        ("TOKEN_TTL", "0"),
        ("DRAIN_TIMEOUT", "soon"),
        ("MAX_WORKERS", "0"),
        ("MAX_QUEUE", "-1"),
        ("YTDLP_TIMEOUT", "1.5"),
        ("DOWNLOAD_TIMEOUT", "0"),
        ("STREAM_BUFFER", "1"),
        ("MAX_PAGE_BYTES", "1"),
        ("MAX_REQUESTS", "0"),
        ("MAX_DEPTH", "100"),
        ("PROXY", "http://user:hushhush@proxy/path"),
        ("CA_FILE", "/nowhere/ca.pem"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("CORS_ORIGINS", "example.org"),
        ("LOG", "verbose"),
        ("LOG_FORMAT", "xml"),
        ("API_KEYS_FILE", "/nowhere/keys"),
        ("PUBLIC", "perhaps"),
        ("RATE_LIMIT", "30"),
        ("CLIENT_STREAMS", "0"),
        ("DAILY_BYTES", "lots"),
        ("ALLOWED_SITES", "https://tiktok.com"),
        ("ENDPOINTS", "everything"),
    ];
    let error = load_with(&["--pyenv-dir", "/nowhere"], &vars).unwrap_err();
    let text = error.to_string();
    for (name, _) in vars.iter().chain(&[("PYENV_DIR", "")]) {
        assert!(text.contains(name), "{name} in {text}");
    }
    assert!(!text.contains("shortsecret") && !text.contains("hushhush"), "{text}");
    assert_eq!(problems(error).len(), vars.len() + 1);
}

#[test]
fn a_start_that_fails_leaves_no_key() {
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().to_str().unwrap();
    load_with(&["--state-dir", folder, "--port", "1x"], &[]).unwrap_err();
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
    load_with(&["--state-dir", folder], &[]).unwrap();
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
}

#[test]
fn a_value_that_is_no_text_is_a_problem() {
    struct Garbage;
    impl Env for Garbage {
        fn var_os(&self, name: &str) -> Option<OsString> {
            use std::os::unix::ffi::OsStringExt;
            (name == "ENCRYPTION_KEY").then(|| OsString::from_vec(vec![0xff; 32]))
        }
    }
    let error = load(&command().get_matches_from(["sluice"]), &Garbage).unwrap_err();
    assert!(error.to_string().contains("ENCRYPTION_KEY (environment)"), "{error}");
}

#[test]
fn addresses_are_listened_on_once() {
    let listen = |text| load_with(&[], &[("HOST", text)]).unwrap().server.listen;
    let is = |text, addresses: &[&str]| {
        let found: Vec<_> = listen(text).iter().map(|address| address.ip().to_string()).collect();
        assert_eq!(found, addresses, "{text}");
    };
    is("localhost, 127.0.0.1,[::1]", &["127.0.0.1", "::1"]);
    is("127.0.0.1,0.0.0.0,::1,0.0.0.0", &["0.0.0.0", "::1"]);
    is("::,127.0.0.1,::1", &["::", "127.0.0.1"]);
}

#[test]
fn takes_values_in_the_forms_that_people_write() {
    let vars = [
        ("HOST", "0.0.0.0, [::]"),
        ("BASE_URL", "https://video.example.org/s/"),
        ("TOKEN_TTL", "6h"),
        ("PROXY", "http://us%40er:p%2Bw@proxy.example.org"),
        ("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8,2001:db8::/32"),
        ("CORS_ORIGINS", "https://a.example/, http://b.example:8080"),
        ("ENCRYPTION_KEY", "a secret of some length"),
        ("ENCRYPTION_KEYS_OLD", "another secret of length, and one more of them"),
        ("COOKIES_PATH", "/nowhere/cookies.txt"),
    ];
    let settings = load_with(&["--log-format", "json"], &vars).unwrap();
    assert_eq!(settings.server.listen.len(), 2);
    assert_eq!(settings.api.links.base_url.as_deref(), Some("https://video.example.org/s"));
    assert_eq!(settings.api.links.trusted_proxies.len(), 3);
    assert_eq!(settings.tickets.ttl.as_secs(), 21600);
    assert_eq!(settings.tickets.keys.len(), 3);
    let login = Some(("us@er".to_owned(), "p+w".to_owned()));
    let proxy = Proxy::new(ProxyKind::Http, "proxy.example.org".to_owned(), 80, login).unwrap();
    assert_eq!(settings.egress.exits, [Kind::Proxy(Arc::new(proxy))]);
    assert_eq!(
        settings.api.origins,
        api::Origins::Listed(vec!["https://a.example".into(), "http://b.example:8080".into()])
    );
    assert!(settings.warnings[0].contains("COOKIES_PATH"), "{:?}", settings.warnings);
}

#[test]
fn takes_a_list_of_ways_out() {
    let list = "11.0.0.2, 2a11::2,2a11:0:1::7/64, direct,socks5://proxy.example";
    let settings =
        load_with(&[], &[("EGRESS", list), ("EGRESS_STREAMS", "direct"), ("PROXY_DNS", "local")]).unwrap();
    let names: Vec<_> = settings.egress.exits.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["11.0.0.2", "2a11::2", "2a11:0:1::/64", "direct", "socks5://proxy.example:1080"]);
    assert!(settings.egress.streams_direct && settings.egress.local_dns);
    let unset = load_with(&[], &[]).unwrap().egress;
    assert!(unset.exits.is_empty() && !unset.streams_direct && !unset.local_dns);
    for bad in [
        "11.0.0.0/24",
        "eth0",
        "https://proxy.example",
        "http://proxy.example/path",
        "http://proxy.example:0",
        ",",
        "0.0.0.0",
        "ff02::1",
        "::/0",
        "11.0.0.1,direct,::ffff:11.0.0.1",
        "user:hushhush@proxy.example:1080",
        "socks5://user:12,hushhush@proxy.example:1080",
    ] {
        let error = load_with(&[], &[("EGRESS", bad)]).unwrap_err();
        assert!(!error.to_string().contains("hushhush"), "{error}");
        assert_eq!(problems(error), ["EGRESS"], "{bad}");
    }
    let long = format!("socks5://{}:p@proxy.example", "u".repeat(256));
    let error = load_with(&[], &[("PROXY", &long)]).unwrap_err();
    assert!(!error.to_string().contains("uuu"), "{error}");
    assert_eq!(problems(error), ["PROXY"]);
    let both = [("PROXY", "http://proxy.example"), ("EGRESS", "direct")];
    assert_eq!(problems(load_with(&[], &both).unwrap_err()), ["PROXY"]);
}

#[test]
fn the_key_may_be_a_systemd_credential() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("encryption_key"), "a secret of some length\n").unwrap();
    let credentials = folder.path().to_str().unwrap();
    let settings = load_with(&[], &[("CREDENTIALS_DIRECTORY", credentials)]).unwrap();
    assert_eq!(settings.tickets.keys.len(), 1);
    std::fs::write(folder.path().join("encryption_key"), "short").unwrap();
    let error = load_with(&[], &[("CREDENTIALS_DIRECTORY", credentials)]).unwrap_err();
    assert_eq!(problems(error), ["ENCRYPTION_KEY_FILE"]);
}

#[test]
fn a_state_folder_that_cannot_be_written_costs_a_warning() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let below_a_file = file.path().join("state");
    let settings = load_with(&["--state-dir", below_a_file.to_str().unwrap()], &[]).unwrap();
    assert_eq!(settings.tickets.keys.len(), 1);
    assert!(settings.warnings[0].contains("memory only"), "{:?}", settings.warnings);
}

#[test]
fn a_command_reads_its_flags_and_logs_less() {
    command().debug_assert();
    let read = |args: &[&str]| task(&command().get_matches_from(["sluice"].iter().chain(args)));
    assert!(matches!(read(&[]), Task::Serve));
    assert!(matches!(read(&["serve"]), Task::Serve));
    let Task::Extract(asked) = read(&["extract", "--port", "1", "u", "-f", "b", "--offset", "3"]) else {
        panic!("not the command");
    };
    assert_eq!((asked.url.as_deref(), asked.format.as_deref()), (Some("u"), Some("b")));
    assert_eq!((asked.offset, asked.limit), (Some(3), None));

    assert_eq!(load_with(&["serve"], &[]).unwrap().log.filter, "info");
    assert_eq!(load_with(&["extract", "u"], &[]).unwrap().log.filter, "warn");
    assert_eq!(load_with(&["extract", "u"], &[("LOG", "debug")]).unwrap().log.filter, "debug");
    let later = load_with(&["--port", "1", "extract", "u", "--port", "2"], &[]).unwrap();
    assert_eq!(later.server.listen[0].port(), 2, "the later flag counts");
}

#[test]
fn a_javascript_runtime_that_is_not_there_is_a_problem_and_off_is_none() {
    let found = |value| load_with(&[], &[("JS_RUNTIME", value), ("PATH", "/nonexistent")]);
    assert_eq!(found("off").unwrap().extract.scripts.runtime, None);
    assert_eq!(found("").unwrap().extract.scripts.runtime, None);
    for value in ["deno", "deno:/nonexistent/deno", "bun", "bun:/bin/sh", "/bin/sh"] {
        assert_eq!(problems(found(value).unwrap_err()), ["JS_RUNTIME"], "{value}");
    }
    assert!(found("quickjs:/bin/sh").unwrap().extract.scripts.runtime.is_some());
}

#[test]
fn blanks_between_directives_of_the_log_are_no_part_of_them() {
    let filter = |text| load_with(&[], &[("LOG", text)]).map(|settings| settings.log.filter);
    assert_eq!(filter("warn, sluice=debug , hyper=off").unwrap(), "warn,sluice=debug,hyper=off");
    for text in ["warn, \u{5a0}\u{5a0}=", "warn, kday\u{5a0}=", "\n2ykday\u{5a0}="] {
        let _ = filter(text);
    }
}

#[test]
fn connections_have_bounds_of_their_own() {
    let server = load_with(&[], &[]).unwrap().server;
    assert_eq!((server.max_connections, server.max_connections_per_address), (None, 256));
    assert!(server.tls.is_none() && server.trusted_proxies.is_empty());
    let vars =
        [("MAX_CONNECTIONS", "50"), ("MAX_CONNECTIONS_PER_ADDRESS", "5"), ("TRUSTED_PROXIES", "10.0.0.0/8")];
    let settings = load_with(&[], &vars).unwrap();
    assert_eq!((settings.server.max_connections, settings.server.max_connections_per_address), (Some(50), 5));
    assert_eq!(settings.server.trusted_proxies, settings.api.links.trusted_proxies);
    for name in ["MAX_CONNECTIONS", "MAX_CONNECTIONS_PER_ADDRESS"] {
        assert_eq!(problems(load_with(&[], &[(name, "0")]).unwrap_err()), [name]);
    }
}

#[test]
fn a_certificate_and_its_key_come_together() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let pair = || {
        let key = rcgen::KeyPair::generate().unwrap();
        let cert =
            rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap().self_signed(&key).unwrap();
        (cert.pem(), key.serialize_pem())
    };
    let (ours, other) = (pair(), pair());
    let (cert, key) = (file("cert.pem", &ours.0), file("key.pem", &ours.1));
    let tls = load_with(&[], &[("TLS_CERT", &cert), ("TLS_KEY", &key)]).unwrap().server.tls.unwrap();
    assert_eq!((tls.cert.to_str(), tls.key.to_str()), (Some(cert.as_str()), Some(key.as_str())));
    let wrong = file("other.pem", &other.1);
    for (vars, named) in [
        (&[("TLS_CERT", cert.as_str())][..], "TLS_CERT"),
        (&[("TLS_KEY", &key)], "TLS_KEY"),
        (&[("TLS_CERT", &cert), ("TLS_KEY", "/nowhere")], "TLS_KEY"),
        (&[("TLS_CERT", &key), ("TLS_KEY", &key)], "TLS_CERT"),
        (&[("TLS_CERT", &cert), ("TLS_KEY", &wrong)], "TLS_CERT"),
    ] {
        assert_eq!(problems(load_with(&[], vars).unwrap_err()), [named], "{vars:?}");
    }
}
