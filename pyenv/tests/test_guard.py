"""The way out: each job's own proxy, which all three handlers take, and no other; and what becomes of it that fails."""

import contextlib
import json
import socket
import threading
import time

import curl_cffi.requests
import pytest
from conftest import VIDEO, assert_clean, exceeded, found
from internet import asked, log_in, take
from yt_dlp.networking import Request
from yt_dlp.networking.impersonate import ImpersonateTarget
from yt_dlp.utils.networking import HTTPHeaderDict

from sluice import guard, handlers

BROWSER = {"impersonate": ImpersonateTarget("chrome")}
WAYS = {"requests": ("http", {}), "curl_cffi": ("http", BROWSER), "websockets": ("ws", {})}
ALL = pytest.mark.parametrize("way", WAYS)
HTTP = pytest.mark.parametrize("way", ["requests", "curl_cffi"])

HOST = "www.example.org"

PATIENCE = 30
"""Seconds to wait for what happens: far more than it takes on a busy machine."""


@pytest.fixture
def visit(start, stage, monkeypatch):
    """Run jobs that fetch one page each, by one of the handlers; gives the answer of the session."""
    fetched = []

    def fetch(ie, _url):
        response = ie._request_webpage(fetched.pop(), "1")
        text = response.recv() if response.status == 101 else response.read().decode()
        response.close()
        return found(title=text)

    monkeypatch.setattr("yt_dlp.extractor.tiktok.TikTokIE._real_extract", fetch)
    stage.page(f"https://{HOST}/", "hello", keep=True)
    sessions = []

    def visit(way, at=f"{HOST}/", tls=True, options=None, settings=None, **request):
        if settings or not sessions:
            sessions[:] = [start(**settings or {})]
        scheme, extensions = WAYS[way]
        if scheme == "ws":
            stage.talk(f"https://{at}", "hello")
        fetched.append(Request(f"{scheme}{'s' * tls}://{at}", extensions=dict(extensions), **request))
        answer = json.loads(sessions[0].extract(VIDEO, json.dumps(options or {})))
        assert not fetched
        return answer

    return visit


def title(answer):
    assert "ok" in answer, answer
    return answer["ok"]["title"]


@ALL
@pytest.mark.parametrize("tls", [True, False])
def test_connections_carry_the_jobs_user_and_the_name(visit, stage, way, tls):
    assert title(visit(way, tls=tls, options={"proxy": stage.way("one")})) == "hello"
    assert title(visit(way, tls=tls, options={"proxy": stage.way("two")})) == "hello"
    came = [(one.user, one.kind, one.host, one.port, one.paths) for one in stage.connections]
    assert came == [(user, 3, HOST, 443 if tls else 80, ["/"]) for user in ("one", "two")]
    for _, _, headers in stage.seen:
        assert "secret" not in str(headers)


@HTTP
def test_connections_are_kept_for_jobs_with_the_same_proxy_alone(visit, stage, way):
    for user in ("one", "one", "two", "one", "two"):
        assert title(visit(way, options={"proxy": stage.way(user)})) == "hello"
    assert [(one.user, len(one.paths)) for one in stage.connections] == [("one", 3), ("two", 2)]
    # Not only the name is compared.
    assert visit(way, options={"proxy": stage.way("one", "wrong")})["error"]["kind"] == "upstream_error"
    assert len(stage.connections) == 2


@ALL
def test_no_tls_session_tells_that_two_ways_are_one_clients(visit, stage, way):
    # The stage's tickets are good: others come back with them.
    session = curl_cffi.requests.Session(verify=stage.ca_file, proxy=stage.way("other"))
    stage.page(f"https://{HOST}/once", "hello")
    for _ in range(2):
        session.get(f"https://{HOST}/once")
    assert [one.resumed for one in stage.connections] == [False, True]
    for user in ("one", "two", "three"):
        assert title(visit(way, options={"proxy": stage.way(user)})) == "hello"
    assert [one.resumed for one in stage.connections[2:]] == [False] * 3


def test_only_the_connections_of_a_few_proxies_are_kept(visit, stage):
    users = [str(number) for number in range(handlers._MAX_PROXIES + 2)]
    for user in users:
        # Used each time, and so never the one used last the longest time ago.
        for each in (user, users[0]):
            assert title(visit("requests", options={"proxy": stage.way(each)})) == "hello"
    by_user = {one.user: one for one in stage.connections}
    assert len(stage.connections) == len(users)
    assert [by_user[user].ended.wait(PATIENCE) for user in users[1:3]] == [True, True]
    assert not any(by_user[user].ended.is_set() for user in (users[0], *users[3:]))


@ALL
def test_neither_a_request_nor_the_environment_chooses_another_way(visit, stage, monkeypatch, way):
    for name in ("http", "https", "all", "ws", "wss", "socks"):
        monkeypatch.setenv(f"{name}_proxy", stage.way("environment"))
        monkeypatch.setenv(f"{name.upper()}_PROXY", stage.way("environment"))
    # It would be taken.
    curl_cffi.requests.get(f"https://{HOST}/", verify=stage.ca_file)
    assert [one.user for one in stage.connections] == ["environment"]
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "*")
    for proxies in ({"all": None}, {"all": stage.way("request")}, {"no": "*"}, {"https": "gopher://x"}, {"wss": "/"}):
        assert title(visit(way, proxies=proxies)) == "hello"
    for value in ("__noproxy__", stage.way("header"), "nonsense"):
        headers = HTTPHeaderDict({"Ytdl-request-proxy": value, "X-Other": "sent"})
        assert title(visit(way, headers=headers)) == "hello"
    assert {one.user for one in stage.connections[1:]} == {"user"}
    assert [headers.get("x-other") for _, _, headers in stage.seen[-3:]] == ["sent"] * 3
    assert not any("ytdl" in name for _, _, headers in stage.seen for name in headers)


@HTTP
def test_redirects_go_the_same_way(visit, stage, monkeypatch, way):
    monkeypatch.setenv("http_proxy", stage.way("environment"))
    stage.page("http://other.example.net/", "", "302 Found", f"Location: http://{HOST}/")
    stage.page("http://third.example.net/", "", "302 Found", "Location: https://other.example.net/")
    assert title(visit(way, "third.example.net/", tls=False, options={"proxy": stage.way("one")})) == "hello"
    hosts = ["third.example.net", "other.example.net", HOST]
    assert [(one.user, one.host) for one in stage.connections] == [("one", host) for host in hosts]
    assert not any("proxy-authorization" in headers for _, _, headers in stage.seen)


@ALL
def test_without_a_proxy_there_is_no_network(visit, stage, way):
    answer = visit(way, options={"proxy": None})
    assert answer["error"] == {"kind": "upstream_error", "message": "The way out to the site failed"}
    # Nor by what an earlier job has left open.
    assert title(visit(way)) == "hello"
    assert visit(way, options={"proxy": None})["error"]["kind"] == "upstream_error"
    assert len(stage.connections) == len(stage.seen) == 1


@ALL
def test_addresses(visit, stage, way):
    for host in ("192.0.2.1", "[2001:db8::1]"):
        stage.page(f"http://{host.strip('[]')}/", "hello")
        visit(way, f"{host}/", tls=False)
    assert [one.host for one in stage.connections] == ["192.0.2.1", "2001:db8::1"]
    assert stage.connections[1].kind == 4


@ALL
def test_names_that_socks_can_not_carry(visit, stage, way):
    name = ".".join(["a" * 49] * 5)
    stage.page(f"http://{name}.aaaaa/", "hello")
    assert title(visit(way, f"{name}.aaaaa/", tls=False)) == "hello"
    assert len(stage.connections[0].host) == 255
    refused(visit(way, f"{name}.aaaaaa/", tls=False))
    assert len(stage.connections) == 1


def refused(answer, kind="upstream_error"):
    """Look at an error of the network, and at all that is said of it."""
    assert "error" in answer, answer
    assert answer["error"].keys() == {"kind", "message"}
    assert answer["error"]["kind"] == kind, answer
    for text in (answer["error"]["message"], *(text for _, text in answer["log"])):
        assert "nexpected" not in text
        assert_clean(text)


@pytest.fixture
def proxied(visit):
    """Fetch by a proxy that does something; gives the answer and how long it took."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def proxied(way, deed, options=None, **settings):
            def serve():
                with contextlib.suppress(OSError):
                    while True:
                        client, _ = listener.accept()
                        with contextlib.suppress(OSError), client:
                            deed(client)

            threading.Thread(target=serve, daemon=True).start()
            address = f"127.0.0.1:{listener.getsockname()[1]}"
            options = {"proxy": f"socks5h://user:secret@{address}", **(options or {})}
            began = time.monotonic()
            answer = visit(way, options=options, settings={"guard": address, **settings}, tls=False)
            return answer, time.monotonic() - began

        yield proxied


def replying(code):
    def deed(client):
        user, _ = log_in(client)
        client.sendall(b"\x01\x00")
        asked(client, user)
        client.sendall(bytes([5, code, 0, 1, 0, 0, 0, 0, 0, 0]))

    return deed


def hanging_up(_client):
    pass


def hanging_up_after_the_greeting(client):
    client.recv(3)
    client.sendall(b"\x05")


def hanging_up_after_the_login(client):
    log_in(client)
    client.sendall(b"\x01\x00")


def without_a_method(client):
    client.recv(4096)
    client.sendall(b"\x05\xff")


def without_a_login(client):
    client.recv(4096)
    client.sendall(b"\x05\x00\x05\x00\x00\x01" + bytes(6))


def of_another_version(client):
    client.recv(4096)
    client.sendall(b"\x04\x5a" + bytes(30))


def garbage(client):
    client.recv(4096)
    client.sendall(b"\x05\x02\x01\x00HTTP/1.1 200 OK\r\n\r\n")


def of_no_address(client):
    user, _ = log_in(client)
    client.sendall(b"\x01\x00")
    asked(client, user)
    client.sendall(b"\x05\x00\x00\x07\x01\x02")


DEEDS = [hanging_up, hanging_up_after_the_greeting, hanging_up_after_the_login, without_a_method, of_another_version]


@ALL
@pytest.mark.parametrize(
    "deed",
    [*DEEDS, without_a_login, garbage, of_no_address, *map(replying, range(1, 10)), replying(255)],
    ids=lambda deed: deed.__name__,
)
def test_a_proxy_that_refuses(proxied, way, deed):
    answer, _ = proxied(way, deed)
    refused(answer)


@ALL
def test_a_proxy_that_is_not_there(visit, way):
    refused(visit(way, options={"proxy": "socks5h://user:secret@127.0.0.1:1"}, settings={"guard": "127.0.0.1:1"}))


@ALL
@pytest.mark.parametrize("stage_of_it", ["greeting", "login", "request", "site"])
def test_a_proxy_that_takes_for_ever(proxied, way, stage_of_it):
    def deed(client):
        if stage_of_it == "site":
            take(client)
        elif stage_of_it != "greeting":
            user, _ = log_in(client)
            if stage_of_it == "request":
                client.sendall(b"\x01\x00")
                asked(client, user)
        while client.recv(4096):
            pass

    answer, took = proxied(way, deed, socket_timeout=0.3)
    refused(answer, "upstream_timeout")
    assert took < 4
    # The deadline comes first.
    answer, took = proxied(way, deed, options={"timeout": 0.3}, socket_timeout=60)
    kind = answer["error"]["kind"]
    # libcurl's own clock may be as fast as ours.
    refused(answer, kind if (way, kind) == ("curl_cffi", "extraction_timeout") else "upstream_timeout")
    assert took < 4


@pytest.mark.parametrize("way", ["requests", "websockets"])
def test_all_is_sent_at_once_and_nothing_is_read_too_much(proxied, way):
    sent = b"\x05\x01\x02\x01\x04user\x06secret\x05\x01\x00\x03\x0fwww.example.org\x00\x50"
    seen = []

    def deed(client):
        # No reply until all is there.
        while len(b"".join(seen)) < len(sent):
            seen.append(client.recv(len(sent)))
        replies = b"\x05\x02\x01\x00\x05\x00\x00\x03\x04name\x00\x00"
        answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        # A site may speak first; but websockets must have asked before they can make anything of it.
        client.sendall(replies + answer if way == "requests" else replies)
        client.recv(4096)
        if way == "websockets":
            client.sendall(answer)
        while client.recv(4096):
            pass

    answer, _ = proxied(way, deed)
    assert answer["error"]["kind"] == "not_found", answer
    assert b"".join(seen) == sent


def test_all_replies_share_one_deadline(monkeypatch):
    replies = b"\x05\x02\x01\x00\x05\x00\x00\x01" + bytes(6)
    for end in (2, 100):
        # A second passes with each piece.
        now = iter(range(100))
        monkeypatch.setattr(guard.time, "monotonic", lambda now=now: next(now))
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.sendall(replies)
            with pytest.raises(TimeoutError) if end == 2 else contextlib.nullcontext():
                guard._check(ours, end)


def test_a_websocket_ends_with_its_job_and_counts(visit, stage, monkeypatch):
    assert title(visit("websockets", settings={"limits": {"page_bytes": 5}})) == "hello"
    exceeded(visit("websockets", settings={"limits": {"page_bytes": 4}}), "page_bytes", 4)
    talk = stage.talk
    monkeypatch.setattr(stage, "talk", lambda url, *_: talk(url))
    began = time.monotonic()
    assert visit("websockets", options={"timeout": 0.5})["error"]["kind"] == "extraction_timeout"
    assert 0.4 < time.monotonic() - began < 4
    # None has been left behind.
    assert all(one.ended.wait(PATIENCE) for one in stage.connections[:2])
