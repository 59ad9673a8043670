"""A site's server on loopback that sends when it is told to, and tells what it has sent."""

import random
import socket
import socketserver
import struct
import threading
from dataclasses import dataclass, field

PATIENCE = 300.0
"""Longest wait for an event, in seconds. To reach it is a failure."""

FIRST = 1000
"""Bytes of a file that is held: less than any buffer of a proxy's."""

STALLED = 1.0
"""Seconds after which a connection that takes no byte counts as held back."""


@dataclass
class File:
    """What is served at a path. `held`: only the first bytes until `go`. `cut_at`: a reset there, and after it 500."""

    body: bytes
    held: bool = False
    cut_at: int | None = None
    is_chunked: bool = False
    go: threading.Event = field(default_factory=threading.Event)
    gone: threading.Event = field(default_factory=threading.Event)
    """Whoever asked has left before the end."""
    settled: threading.Event = field(default_factory=threading.Event)
    """All was sent, or the connection takes no more."""
    sent: int = 0
    """Of the last answer that was the whole."""


class Cdn:
    """Files by path, at `http://127.0.0.1:port`."""

    def __init__(self) -> None:
        self._files: dict[str, File] = {}
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.files = self._files
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def serve(self, size: int, **how: object) -> tuple[str, File]:
        """Serve a new file of made-up bytes; return its URL."""
        number = len(self._files)
        file = File(random.Random(number).randbytes(size), **how)  # type: ignore[arg-type]
        path = f"/{number}.mp4"
        self._files[path] = file
        return f"http://127.0.0.1:{self.port}{path}", file

    def close(self) -> None:
        """End it."""
        for file in self._files.values():
            file.go.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    files: dict[str, File]


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        line = self.rfile.readline().decode()
        headers: dict[str, str] = {}
        while (field := self.rfile.readline().strip()) != b"":
            name, _, value = field.decode().partition(":")
            headers[name.lower()] = value.strip()
        assert isinstance(self.server, _Server)
        file = self.server.files.get(line.split(" ")[1]) if line else None
        if file is None:
            self._say(b"404 Not Found", b"Content-Length: 0\r\n")
        elif file.cut_at is not None and file.settled.is_set():
            self._say(b"500 Internal Server Error", b"Content-Length: 0\r\n")
        else:
            self._send(file, headers.get("range"))

    def _say(self, status: bytes, headers: bytes) -> None:
        self.wfile.write(
            b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Type: video/mp4\r\n" + headers + b"\r\n"
        )

    def _send(self, file: File, asked: str | None) -> None:
        size = len(file.body)
        common = b'ETag: "1"\r\nAccept-Ranges: bytes\r\n'
        if asked and not file.is_chunked:
            first, last = asked.removeprefix("bytes=").split("-")
            begin, end = int(first), min(int(last or size - 1), size - 1) + 1
            if begin >= size:
                self._say(
                    b"416 Range Not Satisfiable", f"Content-Range: bytes */{size}\r\nContent-Length: 0\r\n".encode()
                )
                return
            what = f"Content-Range: bytes {begin}-{end - 1}/{size}\r\nContent-Length: {end - begin}\r\n".encode()
            self._say(b"206 Partial Content", common + what)
            self.wfile.write(file.body[begin:end])
            return
        length = b"Transfer-Encoding: chunked\r\n" if file.is_chunked else f"Content-Length: {size}\r\n".encode()
        self._say(b"200 OK", common + length)
        file.sent = 0
        try:
            self._send_body(file)
        except OSError:
            file.gone.set()

    def _send_body(self, file: File) -> None:
        if file.held:
            self._write(file, FIRST)
            threading.Thread(target=self._watch, args=(file,), daemon=True).start()
            file.go.wait(PATIENCE)
        self._write(file, len(file.body) if file.cut_at is None else file.cut_at)
        if file.cut_at is not None:
            # A reset, not an end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif file.is_chunked:
            self.wfile.write(b"0\r\n\r\n")
        file.settled.set()

    def _write(self, file: File, until: int) -> None:
        data = file.body[file.sent : until]
        if file.is_chunked:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            file.sent = until
            return
        self.connection.settimeout(STALLED)
        while file.sent < until:
            try:
                file.sent += self.connection.send(file.body[file.sent : min(until, file.sent + (1 << 16))])
            except TimeoutError:
                file.settled.set()

    def _watch(self, file: File) -> None:
        """Wait for the other side to leave: it has nothing to say."""
        try:
            self.connection.settimeout(None)
            said = self.connection.recv(1)
        except OSError:
            said = b""
        if not said:
            file.gone.set()
            file.go.set()
