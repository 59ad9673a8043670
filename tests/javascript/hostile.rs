//! Scripts that have broken out of their runtime, played by one that lets them do anything: only the kernel is left.
//! Beside each refusal the same script is run by the test, to which nothing is refused.

use super::DENO;
use crate::support::client::Answer;
use crate::support::rogue::{HOST, Rogue};
use crate::support::stage::Reply;
use nix::sys::signal::Signal;
use serde_json::json;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

const ANYTHING: &str = concat!("quickjs:", env!("CARGO_MANIFEST_DIR"), "/tests/support/anything.py");
/// Where the other's environment is to be found, that of whoever started the script.
const PARENT: &str = "f'/proc/{__import__(\"os\").getppid()}/environ'";
const SECRET: &str = "a-secret-of-sixteen-bytes-and-more";

static SHARED: LazyLock<Rogue> =
    LazyLock::new(|| Rogue::with(&[("JS_RUNTIME", ANYTHING), ("ENCRYPTION_KEY", SECRET)]));

/// Has the server run a script; `name` is that of a file and of no other test's.
fn run(world: &Rogue, name: &str, script: &str) -> Answer {
    world.stage.play(HOST, &format!("/scripts/{name}.js"), Reply::text("text/javascript", script));
    world.post("/extract", &json!({"url": Rogue::page("script", name)}))
}

/// What it printed, where it ended well.
#[track_caller]
fn printed(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let title = answer.json()["title"].as_str().unwrap().to_owned();
    title.strip_prefix("0 ").unwrap_or_else(|| panic!("{title}")).trim().to_owned()
}

/// What it prints where nobody confines it.
#[track_caller]
fn printed_here(script: &str) -> String {
    let mut child = Command::new("/usr/bin/python3");
    let mut child = child.arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Python that tells what came of a deed.
fn telling(deed: &str) -> String {
    format!("try:\n    {deed}\n    print('done')\nexcept PermissionError:\n    print('refused')\n")
}

/// Scripts that a server runs, by their process ids.
fn scripts_of(pid: u32) -> Vec<u32> {
    let processes =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let pids = processes.filter_map(|name| name.parse::<u32>().ok());
    pids.filter(|child| {
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        // The name, in parentheses, may hold anything; after it come the state and the parent.
        let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        fields.split(' ').nth(1) == Some(&pid.to_string())
    })
    .collect()
}

#[test]
fn deeds_are_refused_that_are_none_of_a_scripts_business() {
    let world = &*SHARED;
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let file = folder.path().join("made").display().to_string();
    std::fs::write(folder.path().join("kept"), "").unwrap();
    let kept = folder.path().join("kept").display().to_string();
    let deeds = [
        ("tcp", format!("__import__('socket').create_connection(('127.0.0.1', {port}))")),
        ("udp", "__import__('socket').socket(2, 2).sendto(b'x', ('127.0.0.1', 9))".to_owned()),
        ("unix", "__import__('socket').socket(1)".to_owned()),
        ("write", format!("open({file:?}, 'w').write('x')")),
        ("mkdir", format!("__import__('os').mkdir({file:?} + '.folder')")),
        ("change", format!("__import__('os').chmod({kept:?}, 0o600)")),
        ("fork", "__import__('os').fork() or __import__('os')._exit(0)".to_owned()),
        ("child", "__import__('subprocess').run(['/bin/true'])".to_owned()),
        ("signal", "__import__('os').kill(__import__('os').getppid(), 0)".to_owned()),
        ("snoop", format!("open({PARENT}).read()")),
        ("remove", format!("__import__('os').unlink({kept:?})")),
    ];
    for (name, deed) in deeds {
        let script = telling(&deed);
        assert_eq!(printed(&run(world, name, &script)), "refused", "{name}");
        assert_eq!(printed_here(&script), "done", "{name}");
    }
    // And what is its business is not.
    assert_eq!(printed(&run(world, "reads", &telling("open('/dev/null').read()"))), "done");
}

#[test]
fn a_script_knows_nothing_of_the_servers_environment() {
    let names = "import os\nprint(*sorted(set(os.environ) - {'LC_CTYPE'}))\n";
    let found = printed(&run(&SHARED, "environment", names));
    assert_eq!(found, "DENO_DIR DENO_NO_UPDATE_CHECK HOME LANG NO_COLOR PATH");
    let values = printed(&run(&SHARED, "values", "import os\nprint(*os.environ.values(), os.getcwd())\n"));
    assert!(values.ends_with(" /") && !values.contains(SECRET), "{values}");
    let files = printed(&run(&SHARED, "files", "import os\nprint(*sorted(os.listdir('/proc/self/fd')))\n"));
    // The last is the listing's. The server has more, and such that it leaves open for whatever it starts.
    assert_eq!(files, "0 1 2 3");
}

#[test]
fn memory_and_output_have_an_end() {
    let memory = |bytes: u64| {
        format!("try:\n    x = bytearray({bytes})\n    print(len(x))\nexcept MemoryError:\n    print('no')\n")
    };
    assert_eq!(printed(&run(&SHARED, "some", &memory(100 << 20))), (100 << 20).to_string());
    assert_eq!(printed(&run(&SHARED, "much", &memory(600 << 20))), "no");
    let bomb = run(&SHARED, "bomb", "while True:\n    print('x' * 65536)\n");
    assert_eq!(bomb.status, 502, "{}", bomb.text());
    assert!(bomb.text().contains("printed more than"), "{}", bomb.text());
    let complaints = "import sys\nprint('x', flush=True)\ntry:\n    sys.stderr.write('x' * (1 << 20))\nexcept OSError:\n    sys.stderr = None\n";
    let complained = run(&SHARED, "complaints", complaints);
    assert_eq!(complained.status, 200, "{}", complained.text());
}

#[test]
fn a_script_that_goes_on_for_ever_is_killed_and_gone() {
    let world = Rogue::with(&[("JS_RUNTIME", DENO), ("JS_TIMEOUT", "2")]);
    assert_eq!(printed(&run(&world, "ends", "console.log('works')")), "works");
    let answer = run(&world, "loop", "console.log('works'); for (;;) {}");
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(answer.text().contains("took longer than 2"), "{}", answer.text());
    assert_eq!(scripts_of(world.server.pid()), [0; 0]);
    // A turn is free again.
    assert_eq!(printed(&run(&world, "again", "console.log('works')")), "works");
}

/// A script that waits until somebody opens its pipe to write, and what it prints then.
fn waiting(fifo: &Path) -> String {
    assert!(Command::new("mkfifo").arg(fifo).status().unwrap().success());
    format!("print(open({:?}).read())\n", fifo.display().to_string())
}

/// Blocks until the script has opened it.
fn opened(fifo: &Path) -> OwnedFd {
    std::fs::OpenOptions::new().write(true).open(fifo).unwrap().into()
}

#[test]
fn more_scripts_than_may_wait_for_their_turn() {
    let world = Rogue::with(&[("JS_RUNTIME", ANYTHING), ("JS_PROCESSES", "1")]);
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    let first = waiting(&fifo);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| printed(&run(&world, "first", &first)));
        let held = opened(&fifo);
        let second = scope.spawn(|| printed(&run(&world, "second", "print('second')")));
        world
            .stage
            .wait_for(|seen| seen.iter().any(|seen| seen.path() == "/scripts/second.js" && seen.written > 0));
        assert_eq!(scripts_of(world.server.pid()).len(), 1);
        assert!(!second.is_finished());
        let mut held = std::fs::File::from(held);
        held.write_all(b"first").unwrap();
        drop(held);
        assert_eq!(first.join().unwrap(), "first");
        assert_eq!(second.join().unwrap(), "second");
    });
}

#[test]
fn a_server_that_is_killed_takes_its_scripts_along() {
    let world = Rogue::with(&[("JS_RUNTIME", ANYTHING)]);
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    let script = waiting(&fifo);
    world.stage.play(HOST, "/scripts/left.js", Reply::text("text/javascript", script));
    std::thread::scope(|scope| {
        // Its connection breaks, which panics in this client.
        let left = scope.spawn(|| world.post("/extract", &json!({"url": Rogue::page("script", "left")})));
        let held = opened(&fifo);
        let scripts = scripts_of(world.server.pid());
        assert_eq!(scripts.len(), 1);
        world.server.signal(Signal::SIGKILL);
        let _ = left.join();
        world.wait_until(|| match Path::new(&format!("/proc/{}/cmdline", scripts[0])).exists() {
            // Nobody may have buried it yet.
            true => match std::fs::read(format!("/proc/{}/cmdline", scripts[0])) {
                Ok(line) if !line.is_empty() => Err("it runs on"),
                _ => Ok(()),
            },
            false => Ok(()),
        });
        drop(held);
    });
}

#[test]
fn python_starts_no_process_itself() {
    let ways = SHARED.extract(&Rogue::page("fork", "all"))["title"].clone();
    assert_eq!(ways, "subprocess popen system spawn fork");
}
