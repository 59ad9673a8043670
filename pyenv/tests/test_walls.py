"""What Python may not do whatever code asks for it: by processes of their own, where all threads are walled in."""

import json
import os
import pty
import socket
import subprocess
import sys
import threading

import pytest
from conftest import VIDEO, found, tiktok_item, tiktok_page
from yt_dlp.extractor.tiktok import TikTokIE
from yt_dlp.utils import Popen

import sluice
from sluice import walls

PROCESSES = {
    "run": lambda: subprocess.run(["/bin/true"], check=True),
    "Popen": lambda: Popen.run(["/bin/true"]),
    "system": lambda: os.system("/bin/true"),
    "popen": lambda: os.popen("/bin/true").close(),
    "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "spawnp": lambda: os.posix_spawnp("true", ["true"], {}),
    "spawnv": lambda: os.spawnv(os.P_WAIT, "/bin/true", ["true"]),
    "pty": lambda: pty.spawn(["/bin/true"]),
    "fork": lambda: child(os.fork()),
    "forkpty": lambda: child(os.forkpty()[0]),
    # Where the one in front would be left alone, this shows what stands behind.
    "posix": lambda: child(sys.modules["posix"].fork()),
}


def child(pid):
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)


def network(guard, other):
    """Ways to the network, as {name: deed}; the ports are those of listening sockets."""

    def connected(address, way="connect"):
        with socket.socket() as sock:
            return getattr(sock, way)(address)

    def sent(way, port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            if way == "sendto":
                return sock.sendto(b"x", ("127.0.0.1", port))
            return sock.sendmsg([b"x"], [], 0, ("127.0.0.1", port))

    class Liar(tuple):
        def __eq__(self, _):
            return True

        __hash__ = tuple.__hash__

    return {
        "guard": lambda: connected(("127.0.0.1", guard)),
        "guard's name": lambda: socket.create_connection(("127.0.0.1", guard)).close(),
        "pair": lambda: [sock.close() for sock in socket.socketpair()],
        "connect": lambda: connected(("127.0.0.1", other)),
        "connect_ex": lambda: connected(("127.0.0.1", other), "connect_ex"),
        "named": lambda: connected(("localhost", guard)),
        "lied": lambda: connected(Liar(("127.0.0.1", other))),
        "bind": lambda: connected(("127.0.0.1", 0), "bind"),
        "sendto": lambda: sent("sendto", other),
        "sendmsg": lambda: sent("sendmsg", other),
        "unix": lambda: abstract(connect=True),
        "getaddrinfo": lambda: socket.getaddrinfo("localhost", 80),
        "gethostbyname": lambda: socket.gethostbyname("localhost"),
        "gethostbyname_ex": lambda: socket.gethostbyname_ex("localhost"),
        "gethostbyaddr": lambda: socket.gethostbyaddr("127.0.0.1"),
        "getnameinfo": lambda: socket.getnameinfo(("127.0.0.1", 80), socket.NI_NUMERICHOST),
    }


ALLOWED = {"guard", "guard's name", "pair"}
_ADDRESS = f"\0sluice-test-{os.getpid()}"


def abstract(connect=False):
    """A socket that has no file, listening; or one connected to it."""
    sock = socket.socket(socket.AF_UNIX)
    if connect:
        with sock:
            sock.connect(_ADDRESS)
        return None
    sock.bind(_ADDRESS)
    sock.listen()
    return sock


def tried(deeds):
    """Names of deeds that were refused by the hook; any other error ends the test."""
    names = set()
    for name, deed in deeds.items():
        try:
            deed()
        except walls.WallError:
            names.add(name)
    return names


@pytest.fixture
def ports():
    with socket.create_server(("127.0.0.1", 0)) as guard, socket.create_server(("127.0.0.1", 0)) as other, abstract():
        yield guard.getsockname()[1], other.getsockname()[1]


def test_a_job_connects_to_the_guard_alone(start, ports, monkeypatch):
    session = start(guard=f"127.0.0.1:{ports[0]}")
    deeds = network(*ports)
    told = []
    monkeypatch.setattr(
        "yt_dlp.extractor.tiktok.TikTokIE._real_extract", lambda *_: told.append(tried(deeds)) or found()
    )
    assert tried(deeds) == set(), "outside of jobs, all goes"
    assert "ok" in json.loads(session.extract(VIDEO, "{}"))
    assert told == [deeds.keys() - ALLOWED]
    # Another guard, or none.
    for guard, refused in ((f"127.0.0.1:{ports[1]}", {"guard", "guard's name"}), (None, {"connect"})):
        session = start(guard=guard)
        assert "ok" in json.loads(session.extract(VIDEO, "{}"))
        assert refused <= told.pop()
    assert tried(deeds) == set()


@pytest.mark.parametrize("any_host", [False, True])
def test_a_job_starts_no_process(start, monkeypatch, any_host):
    # No control for these two: they would end this process.
    execs = {"v": lambda: os.execv("/bin/true", ["true"]), "lp": lambda: os.execlp("true", "true")}
    deeds = PROCESSES | execs
    told = []
    session = start(any_host=any_host)
    monkeypatch.setattr(
        "yt_dlp.extractor.tiktok.TikTokIE._real_extract", lambda *_: told.append(tried(deeds)) or found()
    )
    assert "ok" in json.loads(session.extract(VIDEO, "{}"))
    assert told == [set(deeds)]


def alone(call):
    """Call a function of this file in a process of its own; gives the JSON that it prints."""
    code = f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r}); import test_walls; test_walls.{call}"
    run = subprocess.run([sys.executable, "-s", "-S", "-P", "-c", code], stdout=subprocess.PIPE, check=True)
    return json.loads(run.stdout)


def whole(any_host):
    """In a process as the server has it: what goes before and after the start, in this thread and another."""
    with socket.create_server(("127.0.0.1", 0)) as guard, socket.create_server(("127.0.0.1", 0)) as other, abstract():
        port = guard.getsockname()[1]
        deeds = {**network(port, other.getsockname()[1]), **PROCESSES}
        # It would read the input of whoever runs the tests.
        del deeds["pty"]
        told = [tried(deeds)]
        config = {"guard": f"127.0.0.1:{port}", "ca_file": None, "cookies_path": None, "socket_timeout": 1}
        sluice.start(json.dumps(config | {"any_host": any_host}))
        told.append(tried(deeds))
        thread = threading.Thread(target=lambda: told.append(tried(deeds)))
        thread.start()
        thread.join()
    sys.__stdout__.write(json.dumps([sorted(names) for names in told]))
    sys.__stdout__.flush()


@pytest.mark.parametrize("any_host", [False, True])
def test_in_the_server_all_threads_are_walled_in(any_host):
    before, after, thread = map(set, alone(f"whole({any_host})"))
    assert before == set()
    # The zygote is forked by Rust, by that name.
    forks = {"fork", "posix", "spawnv"} if any_host else set()
    assert after == thread == (set(network(1, 2)) | set(PROCESSES)) - ALLOWED - {"pty"} - forks


def extracted(proxy, ca_file):
    """In such a process: what jobs get, by each handler."""
    guard = proxy.partition("@")[2]
    config = {"guard": guard, "ca_file": ca_file, "cookies_path": None, "socket_timeout": 5}
    sluice.start(json.dumps(config))
    session = sluice.Session()
    session.warm()
    told = []
    for url in ("https://www.example.org/", "wss://www.example.org/talk"):

        def fetch(ie, _, url=url):
            response = ie._request_webpage(url, "1")
            return found(title=response.read().decode() if response.status == 200 else response.recv())

        TikTokIE._real_extract = fetch
        told.append(json.loads(session.extract(VIDEO, json.dumps({"proxy": proxy, "timeout": 10})))["ok"]["title"])
    TikTokIE._real_extract = _REAL
    told.append(json.loads(session.extract(VIDEO, json.dumps({"proxy": proxy})))["ok"]["title"])
    sys.__stdout__.write(json.dumps(told))
    sys.__stdout__.flush()


_REAL = TikTokIE._real_extract


def test_jobs_get_along_within_the_walls(stage):
    stage.page("https://www.example.org/", "page")
    stage.talk("wss://www.example.org/talk", "message")
    stage.page(VIDEO, tiktok_page(tiktok_item() | {"desc": "post"}))
    assert alone(f"extracted({stage.proxy!r}, {stage.ca_file!r})") == ["page", "message", "post"]
    assert {one.user for one in stage.connections} == {"user"}


@pytest.mark.parametrize("guard", ["", "127.0.0.1", ":80", "127.0.0.1:x"])
def test_a_guard_without_an_address(guard):
    with pytest.raises(ValueError, match="no address and port"):
        walls.install(guard, everywhere=False)
