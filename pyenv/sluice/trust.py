"""One bundle of trusted roots for every HTTP library: certifi's and the operator's CA_FILE.

`requests` and `websockets` (through yt-dlp) ask `certifi.where()`; curl_cffi is told what to trust with each request
(see handlers.py), because it would otherwise decide by environment variables and OpenSSL's defaults. It is given
certifi's roots as a folder, of which it reads the one that it needs: the whole bundle costs it 3 ms and 0.8 MB for each
worker.

Bundles live in memory (memfd_create(2)), so that nothing is written to disk.
"""

import fcntl
import functools
import os
import ssl
import sys

import certifi
import certifi.core

FOLDER = os.path.join(sys.prefix, "certs")
"""certifi's roots, each in a file named for its hash (pyenv/roots)."""

_own: str = certifi.where()
_bundle: str = _own
_extra: str | None = None
_memory: list[int] = []


def where() -> str:
    """Return the path of the bundle; certifi's own file until `install` was given another root."""
    return _bundle


def beside_folder() -> str:
    """Return the path of a bundle to be trusted beside FOLDER: CA_FILE's roots; without any, one of the folder's.

    There must be one: libcurl takes the system's if it is told none.
    """
    return _extra or os.path.join(FOLDER, min(os.listdir(FOLDER)))


# By its public name, before the libraries take a copy of the function (`from certifi import where`).
certifi.where = certifi.core.where = where


def install(ca_file: str | None) -> None:
    """Trust certifi's roots and those of `ca_file` (PEM), and nothing else.

    Raises ValueError, with a sentence for the operator, when the file can't be read or holds no certificate.
    """
    global _bundle, _extra
    while _memory:
        os.close(_memory.pop())
    _bundle, _extra = _own, None
    context.cache_clear()
    if ca_file is None:
        return
    try:
        with open(ca_file, "rb") as file:
            extra = file.read()
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=extra.decode("ascii"))
    except (OSError, ValueError, ssl.SSLError) as error:
        raise ValueError(f"CA_FILE: no certificates in PEM form could be read from {ca_file}: {error}") from error
    with open(_own, "rb") as file:
        _bundle = _in_memory(file.read() + b"\n" + extra)
    _extra = _in_memory(extra)


def _in_memory(content: bytes) -> str:
    memory = os.memfd_create("trusted-roots", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    _memory.append(memory)
    with open(memory, "wb", closefd=False) as file:
        file.write(content)
    # Helpers share it, and none may choose whom the next one trusts: not even memory can be made of it to write to.
    fcntl.fcntl(
        memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
    )
    # Opening this path opens the file anew, from its start, also from C.
    return f"/proc/self/fd/{memory}"


@functools.cache
def context(legacy: bool) -> ssl.SSLContext:
    """Return yt-dlp's TLS settings with these roots; `legacy` allows what old servers need.

    One for all sessions: the parsed roots are a megabyte. Threads may share a context (Python's documentation of ssl).
    """
    # Not above: it takes a copy of certifi's name.
    from yt_dlp.networking._helper import make_ssl_context

    return make_ssl_context(verify=True, legacy_support=legacy, use_certifi=True)
