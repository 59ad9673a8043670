//! The table of settings: names, defaults, help.

/// A setting, as `--help` shows it.
pub(super) struct Setting {
    /// Name in the environment and in files; the flag is the same in lower case with dashes.
    pub(super) name: &'static str,
    /// What stands for the value in `--help`.
    pub(super) value: &'static str,
    /// Empty: none.
    pub(super) default: &'static str,
    pub(super) example: &'static str,
    pub(super) help: &'static str,
    /// Under which it stands in `--help`.
    pub(super) heading: &'static str,
}

macro_rules! settings {
    ($([$heading:literal] $($name:literal $value:ident = $default:literal, $example:literal, $help:literal;)*)*) => {
        pub(super) const TABLE: &[Setting] = &[$($(Setting {
            name: $name,
            value: stringify!($value),
            default: $default,
            example: $example,
            help: $help,
            heading: $heading,
        },)*)*];
    };
}

settings! {
    ["Listening"]
    "HOST" ADDRESSES = "127.0.0.1,::1", "0.0.0.0", "Addresses to listen on, separated by commas";
    "PORT" PORT = "3021", "8080", "Port to listen on";
    "TLS_CERT" FILE = "", "/etc/sluice/cert.pem", "Certificate to speak https with, and those above it, PEM; read anew when it changes";
    "TLS_KEY" FILE = "", "/etc/sluice/key.pem", "Its private key, PEM";
    "DRAIN_TIMEOUT" SECONDS = "60", "10", "How long streams may finish after SIGTERM";
    "BASE_URL" URL = "", "https://video.example.org", "Prefix of links; unset, as the request's Host says";

    ["Stream links"]
    "ENCRYPTION_KEY" SECRET = "", "a-long-random-secret", "Secret that stream links are sealed with, 16 bytes at least";
    "ENCRYPTION_KEY_FILE" FILE = "", "/etc/sluice/key", "File that holds the secret";
    "ENCRYPTION_KEYS_OLD" SECRETS = "", "last-years-long-secret", "Earlier secrets whose links still open";
    "TOKEN_TTL" SECONDS = "21600", "3600", "How long a stream link opens";
    "STATE_DIR" FOLDER = "", "/var/lib/sluice", "Where the key of links is kept if none is given; unset, ~/.local/state/sluice";

    ["How much at a time"]
    "MAX_WORKERS" COUNT = "20", "8", "Extraction threads at most";
    "MAX_QUEUE" COUNT = "200", "50", "Extractions that may wait";
    "MAX_STREAMS" COUNT = "4096", "1000", "Streams at a time; no more than the limit on open files leaves room for";
    "MAX_CONNECTIONS" COUNT = "", "2000", "Connections of clients at a time; unset, as many as the limit on open files leaves room for";
    "MAX_CONNECTIONS_PER_ADDRESS" COUNT = "256", "32", "The same of one address, or IPv6 network of 64 bits; but for this machine and TRUSTED_PROXIES";
    "YTDLP_TIMEOUT" SECONDS = "30", "15", "One extraction, answered by then";

    ["Pages of sites that yt-dlp does not know"]
    "GENERIC" SWITCH = "on", "off", "Whether pages of sites that no extractor knows are searched for videos, by helper processes";
    "GENERIC_WORKERS" COUNT = "2", "4", "Helper processes at most, one page at a time each";
    "GENERIC_IDLE" SECONDS = "60", "600", "How long a helper process without a page is kept";
    "GENERIC_MEMORY" BYTES = "167772160", "268435456", "Memory that a helper may have for itself";

    ["What is remembered"]
    "CACHE_TTL" SECONDS = "300", "60", "How long a page's extraction is remembered at most; 0 for not at all";
    "CACHE_ENTRIES" COUNT = "10000", "1000", "Extractions remembered at most";
    "CACHE_BYTES" BYTES = "16777216", "268435456", "Memory for remembered extractions, roughly; one takes about 40 kB";

    ["What a page may cost"]
    "MAX_HOLD" SECONDS = "1", "3", "How long a page may keep others from being extracted before a helper goes on with it";
    "MAX_NAMED_BYTES" BYTES = "1048576", "4194304", "Largest page of a named site that is read without a helper";
    "MAX_PAGE_BYTES" BYTES = "16777216", "4194304", "Largest answer of a site that an extraction reads, decoded";
    "MAX_JOB_BYTES" BYTES = "67108864", "16777216", "All answers that an extraction reads, decoded, and what manifests unfold to";
    "MAX_FORMATS" COUNT = "1000", "200", "Formats of a page";
    "MAX_FRAGMENTS" COUNT = "50000", "10000", "Fragments of a format";
    "MAX_JOB_FRAGMENTS" COUNT = "200000", "50000", "Fragments of all formats of an extraction; a million take a gigabyte of memory";
    "MAX_IMAGES" COUNT = "1000", "100", "Thumbnails of a page, or photos of a post";
    "MAX_SUBTITLES" COUNT = "2000", "500", "Files of subtitles of a page";
    "MAX_ENTRIES" COUNT = "200", "50", "Entries of a playlist in one answer; longer ones are cut";
    "MAX_REQUESTS" COUNT = "40", "20", "Requests of an extraction, redirects included";
    "MAX_REDIRECTS" COUNT = "10", "5", "Redirects of one request of an extraction";
    "MAX_HANDOFFS" COUNT = "10", "5", "Times that an extractor may hand a page on to another one";
    "MAX_RESULT_BYTES" BYTES = "8388608", "1048576", "What a page may hold, as JSON";
    "MAX_DEPTH" COUNT = "1000", "2000", "Nesting of a page's data, in calls of Python";

    ["Streams"]
    "DOWNLOAD_TIMEOUT" SECONDS = "120", "60", "Longest silence of a stream, on either side";
    "STREAM_BUFFER" BYTES = "32768", "65536", "Bytes in flight per stream";
    "MAX_PLAYLIST_BYTES" BYTES = "8388608", "1048576", "Longest playlist that a stream follows";
    "MAX_SEGMENTS" COUNT = "100000", "20000", "Segments of a playlist, or fragments of a DASH format, that a stream is made of at most";
    "PLAYLIST_MEMORY" BYTES = "268435456", "67108864", "Memory for the playlists of all streams, twice MAX_PLAYLIST_BYTES at least; a segment of an ordinary one takes some 7 bytes";
    "MAX_SUBTITLE_BYTES" BYTES = "2097152", "8388608", "Longest subtitles that are put into another form, or joined from segments";

    ["The way out"]
    "PROXY" URL = "", "http://user:password@proxy.example.org:8080", "Proxy for extraction and streams, http:// or socks5://; short for EGRESS with one entry";
    "PROXY_DNS" WHERE = "remote", "local", "Who looks names up where there is a proxy: the proxy (remote), or this server, which can judge their addresses (local)";
    "EGRESS" LIST = "", "203.0.113.5,2001:db8:1::/64,socks5://proxy.example.org:1080", "Ways out: source addresses, v6 networks to draw one from, proxies, direct; each extraction and its streams leave by one";
    "EGRESS_STREAMS" WAY = "same", "direct", "By which way streams leave: the one that the page was fetched by, or directly where the site allows it";
    "ALLOW_PRIVATE_ADDRESSES" NETWORKS = "", "10.1.2.0/24", "Networks that pages and streams may be fetched from although they are not public";
    "CA_FILE" FILE = "", "/etc/ssl/company.pem", "PEM roots trusted in addition";
    "COOKIES_PATH" FILE = "", "/etc/sluice/cookies.txt", "Netscape cookie file for the sites, read only";

    ["Who may come in"]
    "API_KEYS_FILE" FILE = "", "/etc/sluice/keys", "Keys, one of which has to be shown by whoever has a page extracted, one on a line as `sluice keygen` prints them; read anew when it changes";
    "PUBLIC" SWITCH = "off", "on", "Whether clients beyond this machine and private networks are served without a key";
    "RATE_LIMIT" RATE = "", "30/m", "Extractions of each client: per s, m, h or d";
    "CLIENT_STREAMS" COUNT = "", "8", "Streams of each client at a time";
    "DAILY_BYTES" BYTES = "", "50G", "Bytes of streams of each client from midnight to midnight, UTC; a stream that has begun is not cut off";
    "ALLOWED_SITES" SITES = "", "tiktok,vimeo.com", "Sites whose pages are served, by extractor or host; unset, all";
    "ENDPOINTS" LIST = "extract,tiktok,stream-url", "tiktok", "What is open: /extract, /tiktok, /stream?url=; links work in any case";
    "TRUSTED_PROXIES" NETWORKS = "", "127.0.0.1,10.0.0.0/8", "Proxies whose X-Forwarded-* and Forwarded headers count";
    "CORS_ORIGINS" ORIGINS = "*", "https://video.example.org", "Origins whose pages may read answers";

    ["Log"]
    "LOG" FILTER = "info", "debug", "error, warn, info, debug or trace, or tracing's directives; unset, warn for `sluice extract` and error for `sluice check`";
    "LOG_FORMAT" FORMAT = "plain", "json", "plain or json";

    ["What runs beside it"]
    "JS_RUNTIME" RUNTIME = "", "deno:/usr/bin/deno", "Solves the sites' JavaScript challenges: deno, node or quickjs, with a path after a colon, or off; unset, the first of these on PATH";
    "JS_TIMEOUT" SECONDS = "20", "10", "One script, killed by then";
    "JS_PROCESSES" COUNT = "2", "4", "Scripts at a time; more wait";
    "JS_MEMORY" BYTES = "536870912", "1073741824", "Memory of each script at most; a player of YouTube takes 300 MB";
    "PYENV_DIR" FOLDER = "", "/opt/sluice/pyenv", "The Python runtime; unset, pyenv near the binary";
}

/// The row of a setting. The names are constants of this room; an unknown one is a row that is not there.
pub(super) fn find(name: &str) -> &'static Setting {
    #[expect(clippy::expect_used, reason = "every name that is asked for is read by a test")]
    TABLE.iter().find(|setting| setting.name == name).expect("a row of the table")
}
