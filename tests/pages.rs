//! What the program says of itself: help, completions, manual pages.

use crate::support::server;
use std::io::Write as _;
use std::process::{Command, Stdio};

const COMMANDS: [&str; 6] = ["serve", "extract", "check", "keygen", "completions", "man"];

#[track_caller]
fn said(arguments: &[&str]) -> String {
    let ended = server::run(&[("LOG", "")], arguments);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{arguments:?}: {ended:?}");
    ended.stdout
}

/// Runs a tool on a text: whether it was content, and all that it said.
fn tool(command: &[&str], text: &str) -> (bool, String) {
    let mut tool = Command::new(command[0]);
    tool.args(&command[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = tool.spawn().unwrap_or_else(|error| panic!("{}: {error}", command[0]));
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn help_tells_a_stranger_what_it_is_how_to_begin_and_where_settings_come_from() {
    let help = said(&["--help"]);
    for part in
        ["web server with yt-dlp inside", "Examples:", "curl -OJ", "environment", "--config", "Exit codes"]
    {
        assert!(help.contains(part), "{part} in {help}");
    }
    for heading in ["Listening:", "Stream links:", "The way out:", "Who may come in:", "Log:"] {
        assert!(help.lines().any(|line| line == heading), "{heading} in {help}");
    }
    for (flag, default) in
        [("--port <PORT>", "[default: 3021] [env: PORT]"), ("--log <FILTER>", "[default: info]")]
    {
        assert!(help.contains(flag) && help.contains(default), "{flag} in {help}");
    }
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command} ")), "{command} in {help}");
        let own = said(&[command, "--help"]);
        assert!(own.contains("Example") && own.contains(&format!("sluice {command}")), "{own}");
        let has_settings = own.contains("--token-ttl");
        assert_eq!(has_settings, ["serve", "extract", "check"].contains(&command), "{own}");
    }
    assert!(!help.contains("quarantine") && !help.contains("confined"), "{help}");
}

#[test]
fn a_shell_completes_commands_and_settings() {
    let script = said(&["completions", "bash"]);
    assert_eq!(tool(&["bash", "-n"], &script), (true, String::new()));
    let completed = |words: &str, current: &str| {
        let ask = format!(
            "{script}\nCOMP_WORDS=({words} '{current}'); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             _sluice sluice '{current}' \"${{COMP_WORDS[COMP_CWORD - 1]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
        );
        let (well, text) = tool(&["bash", "--norc"], &ask);
        assert!(well, "{text}");
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(completed("sluice", "ext"), ["extract"]);
    assert_eq!(
        completed("sluice check", "--js"),
        ["--json", "--js-runtime", "--js-timeout", "--js-processes", "--js-memory"]
    );
    assert_eq!(completed("sluice completions", "z"), ["zsh"]);
    for shell in ["bash", "zsh", "fish"] {
        let script = said(&["completions", shell]);
        assert!(script.contains("token-ttl") && !script.contains("quarantine"), "{script}");
    }
    assert_eq!(server::run(&[], &["completions", "tea"]).code, Some(2));
}

#[test]
fn manual_pages_are_well_formed_and_say_what_help_says() {
    for page in COMMANDS.map(Some).into_iter().chain([None]) {
        let arguments: Vec<_> = ["man"].into_iter().chain(page).collect();
        let roff = said(&arguments);
        // All of groff's warnings, and no output.
        assert_eq!(tool(&["groff", "-man", "-Tutf8", "-ww", "-z"], &roff), (true, String::new()), "{page:?}");
        let (well, text) = tool(&["groff", "-man", "-Tascii", "-P-cbou"], &roff);
        assert!(well && text.contains("NAME"), "{text}");
        let name = page.map_or("sluice".to_owned(), |page| format!("sluice-{page}"));
        assert!(text.contains(&name) && !text.contains("quarantine"), "{text}");
        let has_settings = text.contains("--token-ttl");
        assert_eq!(has_settings, matches!(page, None | Some("serve" | "extract" | "check")), "{text}");
    }
    assert_eq!(server::run(&[], &["man", "quarantine"]).code, Some(2));
}
