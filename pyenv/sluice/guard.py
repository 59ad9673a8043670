"""The way to the guard: the SOCKS5 proxy inside this process through which alone jobs reach the network.

It reads a greeting, a login and a request one after the other, so they are sent at once (RFC 1928, RFC 1929); and it
looks names up itself, so they are sent as they are. curl_cffi has a client of its own; this one is for requests and
websockets, in the place of yt-dlp's, which takes three round trips and has errors that nobody expects.
"""

import socket
import struct
import time
from typing import Any

from yt_dlp.networking import _requests, _websockets
from yt_dlp.socks import ProxyError, Socks5Error

_MAX_NAME = 255
"""Bytes of what has its length in one byte: a name, a user, a password."""

_VERSION, _LOGIN, _CONNECT = 5, 1, 1
_BY_PASSWORD = 2  # of the ways to log in
_V4, _NAME, _V6 = 1, 3, 4  # kinds of address


def connect(
    target: tuple[str, int],
    proxy: dict[str, Any],
    resolved: tuple[Any, ...],
    timeout: Any,
    _source_address: tuple[str, int] | None = None,
) -> socket.socket:
    """Connect to `target` through a SOCKS proxy; takes what yt-dlp's `create_socks_proxy_socket` does.

    `resolved`: where the proxy is, as socket.getaddrinfo tells it; `proxy`: its "username" and "password"; `timeout`:
    seconds for all of it, None for no end. Raises TimeoutError, and OSError: ProxyError where the proxy refuses
    (Socks5Error has RFC 1928's code, section 6), hangs up or says what is no SOCKS.
    """
    asked = _greeting(proxy) + _request(*target)
    end = time.monotonic() + timeout if isinstance(timeout, int | float) else None
    family, kind, protocol, _, address = resolved
    sock = socket.socket(family, kind, protocol)
    try:
        # As urllib3 would: a request's head and body are written one after the other.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _wait_until(sock, end)
        sock.connect(address)
        sock.sendall(asked)
        _check(sock, end)
        sock.settimeout(None if end is None else timeout)
    except BaseException:
        sock.close()
        raise
    return sock


def _greeting(proxy: dict[str, Any]) -> bytes:
    """Offer to log in, and do so (RFC 1929, section 2)."""
    login = b"".join(_counted(str(proxy.get(name) or "").encode()) for name in ("username", "password"))
    return bytes([_VERSION, 1, _BY_PASSWORD, _LOGIN]) + login


def _request(host: str, port: int) -> bytes:
    host = host.removeprefix("[").removesuffix("]")
    try:
        where = bytes([_V6]) + socket.inet_pton(socket.AF_INET6, host)
    except (OSError, ValueError):
        where = bytes([_NAME]) + _counted(host.encode("utf-8", "replace"))
    return bytes([_VERSION, _CONNECT, 0]) + where + struct.pack("!H", port)


def _counted(text: bytes) -> bytes:
    if not 0 < len(text) <= _MAX_NAME:
        raise ProxyError(msg="a name that SOCKS can't carry")
    return bytes([len(text)]) + text


def _check(sock: socket.socket, end: float | None) -> None:
    """Read the three replies, and nothing of what follows them."""
    if _take(sock, 2, end) != bytes([_VERSION, _BY_PASSWORD]):
        raise ProxyError(msg="the proxy takes no user and password")
    if _take(sock, 2, end) != bytes([_LOGIN, 0]):
        raise ProxyError(msg="the proxy does not know this user")
    version, code, _, kind = _take(sock, 4, end)
    if version != _VERSION:
        raise ProxyError(msg="the proxy speaks no SOCKS5")
    if code:
        raise Socks5Error(code)
    # Where the connection was made from, and the port: of no use.
    lengths = {_V4: 4, _V6: 16}
    _take(sock, (lengths[kind] if kind in lengths else _take(sock, 1, end)[0]) + 2, end)


def _take(sock: socket.socket, length: int, end: float | None) -> bytes:
    data = b""
    while len(data) < length:
        _wait_until(sock, end)
        piece = sock.recv(length - len(data))
        if not piece:
            raise ProxyError(msg="the proxy hung up")
        data += piece
    return data


def _wait_until(sock: socket.socket, end: float | None) -> None:
    left = None if end is None else end - time.monotonic()
    if left is not None and left <= 0:
        raise TimeoutError
    sock.settimeout(left)


def install() -> None:
    """Have yt-dlp connect by this, which both handlers look up for every connection."""
    _requests.create_socks_proxy_socket = connect
    _websockets.create_socks_proxy_socket = connect
