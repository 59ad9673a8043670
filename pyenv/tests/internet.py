"""A stand-in internet of the smallest kind: one server, with TLS and without, behind one SOCKS proxy, on loopback."""

import base64
import contextlib
import hashlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import trustme

Fault = Callable[[socket.socket], None]

NOTHING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Connection:
    """What came by SOCKS: who asked for what, and the paths that were fetched then. `kind`: RFC 1928's ATYP."""

    user: str
    kind: int
    host: str
    port: int
    paths: list[str] = field(default_factory=list)
    resumed: bool = False
    ended: threading.Event = field(default_factory=threading.Event)


class Stage:
    """Answers for any host, with a certificate of a throwaway CA, whoever logs in with the password.

    `pages` maps (host, path) to a raw response, or to what is done with the connection instead; a path without a query
    answers for any query. A connection ends with its answer, if that does not say `Connection: keep-alive`.
    """

    def __init__(self, ca_file: Path) -> None:
        self._ca = trustme.CA()
        self._ca.cert_pem.write_to_path(str(ca_file))
        self.ca_file = str(ca_file)
        self.pages: dict[tuple[str, str], bytes | Fault] = {}
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.connections: list[Connection] = []
        self.handshakes_refused = 0
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._context = self._certified("localhost", "127.0.0.1")
        self._context.sni_callback = self._named
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def proxy(self) -> str:
        return self.way("user")

    @property
    def guard(self) -> str:
        return f"127.0.0.1:{self.port}"

    def way(self, user: str, password: str = "secret") -> str:
        """The proxy's URL for a user."""
        return f"socks5h://{user}:{password}@{self.guard}"

    def page(self, url: str, body: str | bytes, status: str = "200 OK", *headers: str, keep: bool = False) -> None:
        host, _, path = url.partition("://")[2].partition("/")
        data = body.encode() if isinstance(body, str) else body
        after = "keep-alive" if keep else "close"
        head = [f"HTTP/1.1 {status}", f"Content-Length: {len(data)}", f"Connection: {after}", *headers, "", ""]
        self.pages[host, f"/{path}"] = "\r\n".join(head).encode() + data

    def talk(self, url: str, *messages: str) -> None:
        """Answer by a websocket, which says something, and nothing more until the client ends it (RFC 6455)."""

        def answer(client: socket.socket) -> None:
            key = self.seen[-1][2]["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            accepted = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
            head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
            client.sendall("\r\n".join([*head, f"Sec-WebSocket-Accept: {accepted}", "", ""]).encode())
            for message in messages:
                client.sendall(bytes([0x81, len(message)]) + message.encode())
            while client.recv(4096):
                pass

        host, _, path = url.partition("://")[2].partition("/")
        self.pages[host, f"/{path}"] = answer

    def close(self) -> None:
        self._listener.close()

    def _certified(self, *names: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*names).configure_cert(context)
        return context

    def _named(self, connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        if name and name != "localhost":
            if name not in self._contexts:
                self._contexts[name] = self._certified(name)
            connection.context = self._contexts[name]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            client.settimeout(30)
            with contextlib.suppress(OSError):
                self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        connection = take(client)
        if connection is None:
            return
        self.connections.append(connection)
        try:
            self._connected(client, connection)
        finally:
            connection.ended.set()

    def _connected(self, client: socket.socket, connection: Connection) -> None:
        # A TLS handshake begins with 0x16.
        if client.recv(1, socket.MSG_PEEK) != b"\x16":
            self._fetched(client, connection)
            return
        try:
            secure = self._context.wrap_socket(client, server_side=True)
        except ssl.SSLError:
            self.handshakes_refused += 1
            return
        connection.resumed = bool(secure.session_reused)
        with secure:
            self._fetched(secure, connection)

    def _fetched(self, client: socket.socket, connection: Connection) -> None:
        host, going = connection.host, True
        while going:
            path, method, headers = self._request(client)
            connection.paths.append(path)
            self.seen.append((host, path, headers))
            answer = self.pages.get((host, path)) or self.pages.get((host, path.partition("?")[0]), NOTHING)
            if callable(answer):
                answer(client)
                return
            head = answer.split(b"\r\n\r\n")[0] + b"\r\n\r\n"
            client.sendall(head if method == "HEAD" else answer)
            going = b"Connection: keep-alive" in head

    @staticmethod
    def _request(client: socket.socket) -> tuple[str, str, dict[str, str]]:
        data = b""
        while b"\r\n\r\n" not in data:
            part = client.recv(4096)
            if not part:
                raise OSError("closed")
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        # A body left unread would make the close a reset.
        missing = int(headers.get("content-length", 0)) - len(body)
        while missing > 0 and (part := client.recv(4096)):
            missing -= len(part)
        return target, method, headers


def take(client: socket.socket) -> Connection | None:
    """Let a client log in, and agree to what it asks for (RFC 1928, RFC 1929); none: it has another password."""
    user, password = log_in(client)
    if password != "secret":
        client.sendall(b"\x01\x01")
        return None
    client.sendall(b"\x01\x00")
    connection = asked(client, user)
    client.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
    return connection


def log_in(client: socket.socket) -> tuple[str, str]:
    """Read greeting and login, and answer the first."""
    version, count = exactly(client, 2)
    assert version == 5
    assert 2 in exactly(client, count)
    client.sendall(b"\x05\x02")
    (version,) = exactly(client, 1)
    assert version == 1
    user, password = (exactly(client, exactly(client, 1)[0]).decode() for _ in range(2))
    return user, password


def asked(client: socket.socket, user: str) -> Connection:
    """Read what a client asks for."""
    version, command, _, kind = exactly(client, 4)
    assert (version, command) == (5, 1)
    if kind == 3:
        host = exactly(client, exactly(client, 1)[0]).decode()
    else:
        family, length = {1: (socket.AF_INET, 4), 4: (socket.AF_INET6, 16)}[kind]
        host = socket.inet_ntop(family, exactly(client, length))
    return Connection(user, kind, host, int.from_bytes(exactly(client, 2), "big"))


def exactly(client: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = client.recv(length - len(data))
        if not part:
            raise OSError("closed")
        data += part
    return data
