//! The command line: a flag for every setting, and what the process is there for.

use clap::{Arg, ArgMatches, Command, value_parser};

use super::table::{self, TABLE};
use crate::api::ExtractRequest;
use crate::extract::quarantine;

const EXTRACT: &str = "extract";
const KEYGEN: &str = "keygen";
/// Log level of a command whose output is for programs.
const QUIET: &str = "warn";

/// What the process is there for.
#[derive(Debug)]
pub enum Task {
    /// To serve.
    Serve,
    /// To print what a page holds.
    Extract(ExtractRequest),
    /// To make a key for somebody of that name.
    Keygen(String),
    /// To be a helper of a server.
    Quarantine,
}

/// The command line. The flags of settings may stand before and after a command.
pub fn command() -> Command {
    let config = Arg::new("config").long("config").value_name("FILE").help("Settings as KEY=value lines");
    let flags = TABLE.iter().map(|setting| {
        let default = match setting.default {
            "" => String::new(),
            default => format!(" [default: {default}]"),
        };
        Arg::new(setting.name)
            .long(setting.name.to_ascii_lowercase().replace('_', "-"))
            .value_name(setting.value)
            .allow_hyphen_values(true)
            .help(format!("{}{default} [env: {}]", setting.help, setting.name))
    });
    let settings = std::iter::once(config).chain(flags).map(|arg| arg.global(true).help_heading("Settings"));
    Command::new("sluice")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Turns the URL of a page with a video into an HTTP stream of that video")
        .after_help("Flags come before the environment, and the environment before the file.")
        .args(settings)
        .disable_help_subcommand(true)
        .subcommand(Command::new("serve").about("Serves over HTTP, as without a command"))
        .subcommand(extract())
        .subcommand(keygen())
        .subcommand(Command::new(quarantine::COMMAND).about("Is a server's helper").hide(true))
        .subcommand(super::confined::command())
}

fn extract() -> Command {
    let text = |name, value| Arg::new(name).long(name).value_name(value).allow_hyphen_values(true);
    let number = |name| Arg::new(name).long(name).value_name("COUNT").value_parser(value_parser!(u32));
    Command::new(EXTRACT)
        .about("Prints as JSON what a page holds, with links to stream it, and ends")
        .after_help(
            "The output is what GET /extract answers. No server needs to be running for it; its links work on one \
             that has the same settings: the key, and BASE_URL or HOST and PORT.\n\
             What fails is told by the last line of standard error, `sluice: CODE: DETAIL`, and the exit code 1; of a \
             bad flag or setting it is 2.",
        )
        .arg(Arg::new("url").value_name("URL").required(true).help("The page's address; quote it"))
        .arg(text("format", "SELECTOR").short('f').help("Only the formats that yt-dlp's selector picks"))
        .arg(text("filename", "TEMPLATE").help("Names of the files, as yt-dlp's output templates"))
        .arg(number("offset").help("Of a playlist: how many entries to leave out at its beginning"))
        .arg(number("limit").help("Of a playlist: most entries; unset, MAX_ENTRIES"))
}

fn keygen() -> Command {
    Command::new(KEYGEN)
        .about("Makes an API key: prints it, and the line for API_KEYS_FILE that knows it")
        .after_help(
            "After the two words of the line may follow rate=30/m, streams=4, bytes=50G (each also `off`), and \
             sites=tiktok,vimeo.com, for this key alone. The file holds no key: one that is lost can't be had again.",
        )
        .arg(Arg::new("name").value_name("NAME").required(true).help("Whose it is, as logs and metrics will say"))
}

/// What the command line asks for.
pub fn task(flags: &ArgMatches) -> Task {
    let flags = match flags.subcommand() {
        Some((EXTRACT, flags)) => flags,
        Some((KEYGEN, flags)) => {
            return Task::Keygen(flags.get_one::<String>("name").cloned().unwrap_or_default());
        }
        Some((quarantine::COMMAND, _)) => return Task::Quarantine,
        _ => return Task::Serve,
    };
    let text = |name| flags.get_one::<String>(name).cloned();
    let number = |name| flags.get_one::<u32>(name).copied();
    Task::Extract(ExtractRequest {
        url: text("url"),
        format: text("format"),
        filename: text("filename"),
        offset: number("offset"),
        limit: number("limit"),
        ..ExtractRequest::default()
    })
}

/// What is logged where nobody says.
pub(super) fn default_log(flags: &ArgMatches) -> &'static str {
    match flags.subcommand_name() {
        Some(EXTRACT) => QUIET,
        _ => table::find("LOG").default,
    }
}
