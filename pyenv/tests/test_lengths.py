"""Answers that say how long they are, and say nothing of the kind."""

import tracemalloc

import pytest
from conftest import CLIP, CLIP_API, VIDEO, failed
from yt_dlp.networking import Request

from sluice import engine
from sluice.log import Log


def answered(*lines):
    return "\r\n".join(lines).encode("latin-1")


def chunked(*lines, status="200 OK"):
    return answered(f"HTTP/1.1 {status}", "Location: /", "Transfer-Encoding: chunked", "", *lines)


def sized(*values):
    return answered("HTTP/1.1 200 OK", *(f"Content-Length: {value}" for value in values), "", "{}")


NO_LENGTH = {
    "chunk -1": chunked("-1", "{}"),
    "chunk -5": chunked("-5", "{}"),
    "chunk -5 later": chunked("2", "{}", "-5", ""),
    "chunk x": chunked("x", "{}"),
    "-1": sized("-1"),
    "x": sized("x"),
    "nothing": sized(""),
    "two": sized("2", "3"),
    "2, 3": sized("2, 3"),
    "2.5": sized("2.5"),
    "+2": sized("+2"),
    "superscript": sized("\xb2"),
    "digits": sized("9" * 5000),
}


@pytest.mark.parametrize(("url", "page"), [(VIDEO, VIDEO), (CLIP, CLIP_API)], ids=["curl_cffi", "requests"])
@pytest.mark.parametrize("answer", NO_LENGTH.values(), ids=NO_LENGTH)
def test_an_answer_of_no_length(start, stage, url, page, answer):
    stage.page(page, "")
    stage.pages[next(iter(stage.pages))] = answer
    assert failed(start(), url) == {"kind": "upstream_error", "message": "The connection to the site failed"}


@pytest.mark.parametrize("size", ["-1", "x", "-5"])
def test_a_redirect_of_no_length_leads_on(start, stage, size):
    stage.page(CLIP_API, "")
    stage.pages[next(iter(stage.pages))] = chunked(size, "{}", status="302 Found")
    assert failed(start(), CLIP)["kind"] == "not_found"


@pytest.mark.parametrize("status", ["200 OK", "302 Found"])
def test_a_chunk_of_no_length_is_not_read(start, stage, status):
    def endless(connection):
        connection.sendall(chunked("-1", "", status=status))
        for _ in range(64):
            connection.sendall(bytes(1 << 20))

    stage.page(CLIP_API, "")
    stage.pages[next(iter(stage.pages))] = endless
    session = start()
    tracemalloc.start()
    try:
        failed(session, CLIP)
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "head",
    [
        ["Content-Length: 2, 2"],
        ["Content-Length: 2", "Content-Length:  2 "],
        ["Transfer-Encoding: chunked", "Content-Length: x"],
        ["Transfer-Encoding: Chunked"],
        [],
    ],
)
def test_lengths_that_are_right(start, stage, head):
    body = "2\r\n{}\r\n0\r\n\r\n" if "Transfer" in str(head) else "{}"
    stage.page(CLIP_API, "")
    stage.pages[next(iter(stage.pages))] = "\r\n".join(["HTTP/1.1 200 OK", *head, "", body]).encode()
    start()
    with engine.Ydl(engine.Settings(5)) as ydl:
        ydl.begin(engine.Job((), Log(), proxy=stage.proxy))
        assert ydl.urlopen(Request(CLIP_API)).read() == b"{}"
