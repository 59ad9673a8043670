"""What `relay`, `memory` and `formats` measure: an origin over TLS, and servers that pass its bytes on in plain HTTP.

Origin and rival are both nginx, from Debian's package, with everything that they write in a temporary folder. TLS is
1.3 with `TLS_AES_256_GCM_SHA384`, which the origin allows alone. Whoever writes a log line per request writes it to a
file. Nothing tells one relay's requests from another's.
"""

import base64
import http.client
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import common
from process import running

GIB = 1 << 30
SMALL = 640_000
"""Bytes of the object that requests per second are counted with."""

LARGE = 64 << 20
"""Bytes of the object whose readers stop."""

PACE = 50_000
"""Bytes a second of a file below `/paced/`."""

KEY = "a key for benchmarks only"
TOKEN = common.ROOT / "target/release/examples/token"
NGINX = "/usr/sbin/nginx"
WORKERS = 2  # of each nginx
FILES = 16_384  # open files of an nginx worker

BUFFERS = {
    "nginx": "proxy_buffers 8 64k; proxy_buffer_size 64k; proxy_busy_buffers_size 128k;",
    "nginx-default": "",
}
"""nginx's default buffers are 8 of 4k for a response, and one of 4k for its head."""

SIDES = {
    "sluice": "Sluice",
    "nginx": "nginx, 8 x 64k",
    "nginx-default": "nginx, default buffers",
    "seed": "seed's design",
    "other": "other build",
}
"""Relays, and what tables call them."""

DEFAULT_SIDES = "sluice,nginx,nginx-default,seed"

COMMON = """
daemon off;
worker_processes {workers};
worker_rlimit_nofile {files};
pid {folder}/pid;
error_log stderr;
{user}
events {{ worker_connections {connections}; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 10000000;
    send_timeout 600s;  # blocked clients are meant to be there
    {http}
}}
"""

ORIGIN = """
    access_log off;
    open_file_cache max=16;
    output_buffers 2 128k;
    ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384;
    ssl_certificate {folder}/leaf.pem;
    ssl_certificate_key {folder}/leaf.key;
    ssl_session_cache shared:tls:4m;
    server {{
        listen 127.0.0.1:{port} ssl backlog=4096;
        root {folder}/files;
        location /paced/ {{
            alias {folder}/files/;
            limit_rate {pace};
        }}
    }}
"""

RIVAL = """
    access_log {folder}/access.log;
    upstream origin {{
        server 127.0.0.1:{origin};
        keepalive 64;
        keepalive_requests 10000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass https://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host localhost;
            proxy_ssl_protocols TLSv1.3;
            proxy_ssl_server_name on;
            proxy_ssl_name localhost;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate {ca};
            proxy_read_timeout 600s;
            proxy_max_temp_file_size 0;
            {buffers}
        }}
    }}
"""


@dataclass(frozen=True)
class Origin:
    """Where the bytes come from. `folder`: for whatever is to be gone afterwards; `large`: bytes of `/huge`."""

    folder: Path
    port: int
    ca: Path
    huge: int

    def url(self, name: str) -> str:
        """Address of a file: `huge`, `large` or `small`; with `paced/` before it, at that pace."""
        return f"https://localhost:{self.port}/{name}"


@dataclass(frozen=True)
class Relay:
    """A relay that runs. `path`: gives the target of a request for one of the origin's files."""

    process: common.Process
    path: Callable[[str], str]

    def url(self, name: str) -> str:
        """Address of a file of the origin, at this relay."""
        return f"http://127.0.0.1:{self.process.port}{self.path(name)}"


@contextmanager
def origin(options: common.Options, huge: int = LARGE) -> Iterator[Origin]:
    """Start the origin. Its large files are holes: they take no disk, and TLS reads them like any other."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = folder / "files"
        files.mkdir()
        for file, size in (("huge", huge), ("large", LARGE)):
            with (files / file).open("w+b") as hole:
                hole.truncate(size)
                # Into the page cache, before anybody waits for it.
                while hole.read(1 << 20):
                    pass
        (files / "small").write_bytes(os.urandom(SMALL))
        _certificates(folder)
        port = _free_port()
        with _nginx(folder, "origin", ORIGIN.format(folder=folder, port=port, pace=PACE), port, options.cores[1]):
            yield Origin(folder, port, folder / "ca.pem", huge)


def start(side: str, source: Origin, options: common.Options) -> AbstractContextManager[Relay]:
    """Start one of `SIDES`, idle, on its cores; it has passed on no byte yet."""
    if side == "sluice":
        return _sluice(source, options)
    if side == "other" and options.other:
        return _sluice(source, replace(options, binary=options.other, settings={}))
    if side == "seed":
        return _seed(source, options)
    return _rival(source, BUFFERS[side], options)


@contextmanager
def _sluice(source: Origin, options: common.Options) -> Iterator[Relay]:
    settings = {"CA_FILE": str(source.ca), "ENCRYPTION_KEY": KEY, "ALLOW_PRIVATE_ADDRESSES": "127.0.0.0/8,::1/128"}
    log = source.folder / "sluice.log"
    with common.sluice(options, settings, log=log, cores=options.cores[0]) as process:
        common.wait_until_warm(process)
        yield Relay(process, lambda name: f"/stream?data={token(source.url(name))}")


def token(url: str) -> str:
    """Seal a link to that address for a Sluice whose key is `KEY`."""
    made = subprocess.run([TOKEN, url], env={"ENCRYPTION_KEY": KEY}, capture_output=True, text=True, check=True)
    return made.stdout.strip()


@contextmanager
def _seed(source: Origin, options: common.Options) -> Iterator[Relay]:
    def path(name: str) -> str:
        link = {"url": source.url(name), "headers": {}, "cookies": {}}
        return f"/stream?data={base64.urlsafe_b64encode(json.dumps(link).encode()).decode()}"

    with common.baseline(str(source.ca), log=source.folder / "seed.log", cores=options.cores[0]) as process:
        yield Relay(process, path)


@contextmanager
def _rival(source: Origin, buffers: str, options: common.Options) -> Iterator[Relay]:
    with tempfile.TemporaryDirectory(dir=source.folder) as folder:
        port = _free_port()
        http_part = RIVAL.format(folder=folder, port=port, origin=source.port, ca=source.ca, buffers=buffers)
        with _nginx(Path(folder), "rival", http_part, port, options.cores[0]) as process:
            yield Relay(process, lambda name: f"/{name}")


@contextmanager
def _nginx(folder: Path, name: str, http_part: str, port: int, cores: str) -> Iterator[common.Process]:
    """Start an nginx with `WORKERS` workers that writes nowhere but in `folder`."""
    config = folder / f"{name}.conf"
    text = COMMON.format(
        workers=WORKERS,
        files=FILES,
        connections=FILES // 2,
        folder=folder,
        # Workers that may read the folder. Anybody but root has no choice.
        user="user root;" if os.getuid() == 0 else "",
        http=http_part,
    )
    config.write_text(text)
    command = [NGINX, "-e", "stderr", "-p", str(folder), "-c", str(config)]
    # Workers outlive a master that is killed.
    with running(command, {}, log=folder / f"{name}.log", cores=cores, end="TERM") as process:
        process.port = port
        process.wait_until_open()
        yield process


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _certificates(folder: Path) -> None:
    """Make a CA and a leaf for localhost, for a day."""

    def make(name: str, subject: str, extensions: Sequence[str], signer: Sequence[str | Path]) -> None:
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-days", "1", "-subj", subject, "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem"]
        command += [part for extension in extensions for part in ("-addext", extension)]
        # -config: the system's own adds extensions.
        subprocess.run([*command, "-config", config, *signer], check=True, capture_output=True)

    config = folder / "openssl.conf"
    config.write_text("[req]\ndistinguished_name = name\n[name]\n")
    make("ca", "/CN=bench CA", ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"], [])
    leaf = ["basicConstraints=critical,CA:FALSE", "subjectAltName=DNS:localhost", "extendedKeyUsage=serverAuth"]
    make("leaf", "/CN=localhost", leaf, ["-CA", folder / "ca.pem", "-CAkey", folder / "ca.key"])


def check(relay: Relay, source: Origin) -> None:
    """Have the small file through the relay, whole and unchanged; connects it to the origin, too."""
    connection = http.client.HTTPConnection("127.0.0.1", relay.process.port, timeout=common.PATIENCE)
    try:
        connection.request("GET", relay.path("small"))
        if common.body(connection.getresponse()) != (source.folder / "files/small").read_bytes():
            raise common.BenchError(f"{relay.process.name} changed the bytes")
    finally:
        connection.close()
