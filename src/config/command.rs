//! The command line: a flag for every setting, and what the process is there for.

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use super::pages;
use super::table::{self, TABLE};
use crate::api::ExtractRequest;
use crate::extract::quarantine;

const EXTRACT: &str = "extract";
const KEYGEN: &str = "keygen";
const CHECK: &str = "check";
const COMPLETIONS: &str = "completions";
const MAN: &str = "man";
/// Log level of a command whose output is for programs.
const QUIET: &str = "warn";
/// That of one whose output says all there is.
const SILENT: &str = "error";

/// What the process is there for.
#[derive(Debug)]
pub enum Task {
    /// To serve.
    Serve,
    /// To print what a page holds.
    Extract(ExtractRequest),
    /// To make a key for somebody of that name.
    Keygen(String),
    /// To say whether a server would work here.
    Check(Wanted),
    /// To print a text about itself.
    Print(Vec<u8>),
    /// To be a helper of a server.
    Quarantine,
}

/// What a check is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Everything, a line each.
    Lines,
    /// Everything, as JSON.
    Json,
    /// Whether the server takes requests.
    Health,
}

/// The command line. The flags of settings may stand before and after a command.
pub fn command() -> Command {
    shown()
        .subcommand(Command::new(quarantine::COMMAND).about("Is a server's helper").hide(true))
        .subcommand(super::confined::command())
}

/// What of it is for people.
fn shown() -> Command {
    Command::new("sluice")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Turns the URL of a page with a video into an HTTP stream of that video")
        .before_help(pages::WHAT)
        .after_help(pages::EXAMPLES)
        .args(settings())
        .disable_help_subcommand(true)
        .subcommand(serve())
        .subcommand(extract())
        .subcommand(check())
        .subcommand(keygen())
        .subcommand(completions())
        .subcommand(man())
}

fn settings() -> impl Iterator<Item = Arg> {
    let config = Arg::new("config").long("config").value_name("FILE");
    let config = config.help("Settings as KEY=value lines").help_heading("Settings from a file");
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
            .help_heading(setting.heading)
    });
    std::iter::once(config).chain(flags).map(|arg| arg.global(true))
}

/// The same for a command that takes them and has no use for them.
fn settings_aside() -> impl Iterator<Item = Arg> {
    settings().map(|arg| arg.hide(true))
}

fn serve() -> Command {
    Command::new("serve").about("Serves over HTTP, as without a command").after_help(pages::SERVE)
}

fn check() -> Command {
    let switch = |name| Arg::new(name).long(name).action(ArgAction::SetTrue);
    Command::new(CHECK)
        .about("Says whether a server would work here, and what to do if not")
        .after_help(pages::CHECK)
        .arg(
            switch("json")
                .help("As JSON: {\"ok\", \"checks\": [{\"name\", \"state\", \"detail\", \"advice\"?}]}"),
        )
        .arg(
            switch("health")
                .conflicts_with("json")
                .help("Only asks the server that runs whether it takes requests"),
        )
}

fn completions() -> Command {
    let shell = Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(Shell));
    Command::new(COMPLETIONS)
        .about("Prints what has a shell complete this command line")
        .after_help(pages::COMPLETIONS)
        .arg(shell.help("Which shell"))
        .args(settings_aside())
}

fn man() -> Command {
    let names = ["serve", EXTRACT, CHECK, KEYGEN, COMPLETIONS, MAN];
    let command = Arg::new("command").value_name("COMMAND").value_parser(names);
    Command::new(MAN)
        .about("Prints the manual page, for man(1)")
        .after_help(pages::MAN)
        .arg(command.help("That of a command"))
        .args(settings_aside())
}

fn extract() -> Command {
    let text = |name, value| Arg::new(name).long(name).value_name(value).allow_hyphen_values(true);
    let number = |name| Arg::new(name).long(name).value_name("COUNT").value_parser(value_parser!(u32));
    Command::new(EXTRACT)
        .about("Prints as JSON what a page holds, with links to stream it, and ends")
        .after_help(pages::EXTRACT)
        .arg(Arg::new("url").value_name("URL").required(true).help("The page's address; quote it"))
        .arg(text("format", "SELECTOR").short('f').help("Only the formats that yt-dlp's selector picks"))
        .arg(text("filename", "TEMPLATE").help("Names of the files, as yt-dlp's output templates"))
        .arg(number("offset").help("Of a playlist: how many entries to leave out at its beginning"))
        .arg(number("limit").help("Of a playlist: most entries; unset, MAX_ENTRIES"))
}

fn keygen() -> Command {
    Command::new(KEYGEN)
        .about("Makes an API key: prints it, and the line for API_KEYS_FILE that knows it")
        .after_help(pages::KEYGEN)
        .arg(
            Arg::new("name")
                .value_name("NAME")
                .required(true)
                .help("Whose it is, as logs and metrics will say"),
        )
        .args(settings_aside())
}

/// What the command line asks for.
pub fn task(flags: &ArgMatches) -> Task {
    let flags = match flags.subcommand() {
        Some((EXTRACT, flags)) => flags,
        Some((KEYGEN, flags)) => {
            return Task::Keygen(flags.get_one::<String>("name").cloned().unwrap_or_default());
        }
        Some((CHECK, flags)) => return Task::Check(wanted(flags)),
        Some((COMPLETIONS, flags)) => {
            let shell = flags.get_one::<Shell>("shell").copied().unwrap_or(Shell::Bash);
            return Task::Print(pages::completions(shown(), shell));
        }
        Some((MAN, flags)) => {
            return Task::Print(pages::manual(shown(), flags.get_one::<String>("command")));
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

fn wanted(flags: &ArgMatches) -> Wanted {
    match (flags.get_flag("health"), flags.get_flag("json")) {
        (true, _) => Wanted::Health,
        (false, true) => Wanted::Json,
        (false, false) => Wanted::Lines,
    }
}

/// Whether the command makes nothing, not even what a server would need.
pub(super) fn only_looks(flags: &ArgMatches) -> bool {
    flags.subcommand_name() == Some(CHECK)
}

/// What is logged where nobody says.
pub(super) fn default_log(flags: &ArgMatches) -> &'static str {
    match flags.subcommand_name() {
        Some(EXTRACT) => QUIET,
        Some(CHECK) => SILENT,
        _ => table::find("LOG").default,
    }
}
