//! What the program says of itself: the texts around the lists of `--help`, completions for shells, manual pages.

use clap::Command;
use clap_complete::{Generator as _, Shell};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

pub(super) const WHAT: &str = "\
Sluice is a web server with yt-dlp inside. Asked for a page (a post, a clip, of any site that yt-dlp knows), it finds
the video's file and passes its bytes on to whoever asked. Nothing is kept on the disk.";

pub(super) const EXAMPLES: &str = "\
Examples:
  sluice                    serves on http://localhost:3021, to this machine; then, in another terminal:
  curl -OJ 'http://localhost:3021/stream?url=https://www.tiktok.com/@sluice/video/7300000000000000001'
  sluice extract 'https://www.tiktok.com/@sluice/video/7300000000000000001'
  sluice check              what of this machine does not fit, and what to do about it

Each setting is a flag, an environment variable, or a line of a file; the first of these that has it counts:
  sluice --port 8080
  PORT=8080 sluice
  echo PORT=8080 > sluice.env && sluice --config sluice.env

Exit codes: 0; 1, it failed; 2, the command line or a setting can't be used.";

pub(super) const SERVE: &str = "\
Examples:
  sluice serve
  HOST=0.0.0.0,:: API_KEYS_FILE=keys sluice serve    to others, who need a key (`sluice keygen`)

SIGTERM and SIGINT end it once streams have finished, after DRAIN_TIMEOUT at the latest; a second one ends it at once.
Flags count before the environment, and the environment before the file of --config.";

pub(super) const EXTRACT: &str = "\
Example:
  sluice extract -f 'b[height<=720]' 'https://www.tiktok.com/@sluice/video/7300000000000000001' | jq -r '.formats[0].stream'

The output is what GET /extract answers. No server needs to be running for it; its links work on one that has the same
settings: the key, and BASE_URL or HOST and PORT.
What fails is told by the last line of standard error, `sluice: CODE: DETAIL`, and the exit code 1; of a bad flag or
setting it is 2.";

pub(super) const CHECK: &str = "\
Examples:
  sluice check --config /etc/sluice/sluice.env
  sluice check --json | jq -r '.checks[] | select(.state == \"fail\") | .detail'
  sluice check --health     for a container's probe: starts no Python, and waits 4 s at most

Give it the settings that the server has. A line for each thing: ok, info, warn (a server serves, but not as well as it
could) or fail (it would not start, or serve nothing), and what to do. Nothing is changed; nothing is connected to but listed
proxies and the port of HOST. Exit code 0: nothing fails (--health: the server is ready); 1: something does; 2: bad settings.";

pub(super) const KEYGEN: &str = "\
Example:
  sluice keygen alice       prints the key, for alice, and its line, for the file

After the two words of the line may follow rate=30/m, streams=4, bytes=50G (each also `off`), and sites=tiktok,vimeo.com,
for this key alone. The file holds no key: one that is lost can't be had again.";

pub(super) const COMPLETIONS: &str = "\
Examples:
  sluice completions bash > ~/.local/share/bash-completion/completions/sluice
  sluice completions zsh > ~/.zfunc/_sluice    (a folder in fpath)
  sluice completions fish > ~/.config/fish/completions/sluice.fish";

pub(super) const MAN: &str = "\
Examples:
  sluice man > /usr/local/share/man/man1/sluice.1
  sluice man extract > /usr/local/share/man/man1/sluice-extract.1";

/// What makes a shell complete the command line.
pub(super) fn completions(mut command: Command, shell: Shell) -> Vec<u8> {
    command.set_bin_name("sluice");
    command.build();
    let mut text = Vec::new();
    // A vector takes all that is written.
    let _ = shell.try_generate(&command, &mut text);
    text
}

/// The manual page of the program, or of one of its commands, as roff (man(7)).
pub(super) fn manual(mut command: Command, of: Option<&String>) -> Vec<u8> {
    command.build();
    let named = of.and_then(|name| command.find_subcommand(name)).cloned();
    let mut command = named.unwrap_or_else(|| command.long_about(WHAT));
    // By itself it would list every flag.
    let usage = command.render_usage().to_string();
    let command = command.override_usage(usage.trim_start_matches("Usage: ").to_owned());
    let notes = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let has_commands = command.get_subcommands().next().is_some();
    let man = Man::new(command);
    let mut text = Vec::new();
    // As above.
    let _ = man.render_title(&mut text);
    let _ = man.render_name_section(&mut text);
    let _ = man.render_synopsis_section(&mut text);
    let _ = man.render_description_section(&mut text);
    let _ = man.render_options_section(&mut text);
    if has_commands {
        let _ = man.render_subcommands_section(&mut text);
    }
    let _ = noted(&notes).to_writer(&mut text);
    text
}

/// What stands below the lists: lines that begin with a blank as they are, others as paragraphs.
fn noted(notes: &str) -> Roff {
    let mut roff = Roff::default();
    roff.control("SH", ["NOTES"]);
    let mut as_they_are = false;
    for line in notes.lines() {
        if line.starts_with(' ') != as_they_are {
            as_they_are = !as_they_are;
            roff.control(if as_they_are { "nf" } else { "fi" }, []);
        }
        match line {
            "" => roff.control("PP", []),
            line => roff.text([roman(line)]),
        };
    }
    roff
}
