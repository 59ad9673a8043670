"""The server and what stands in front of it: real programs, each in a folder of its own."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import trustme
from cdn import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
DOC = ROOT / "docs/proxies.md"
NAME = "video.example.org"
"""The name in the configuration that docs/proxies.md shows."""

KEY = "a key that the tests of fronts share"
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
"""Debian has nginx where a user's PATH may not lead."""


class Program:
    """A running program; its lines of output are there to wait for. It ends with `close`, or with this process."""

    def __init__(self, command: Sequence[str | Path], settings: Mapping[str, str]) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.folder = Path(self._folder.name)
        self.child = subprocess.Popen(
            [
                "setpriv",
                "--pdeathsig",
                "TERM",
                "--",
                *(str(part).replace("{folder}", str(self.folder)) for part in command),
            ],
            env={"PATH": PATH, "HOME": str(self.folder), **settings},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            with self._changed:
                self._lines.append(line.rstrip())
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for(self, *texts: str) -> str:
        """Return the first line of output that holds all of these."""

        def found() -> str | None:
            return next((line for line in self._lines if all(text in line for text in texts)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() or self._ended, PATIENCE)
            line = found()
            assert line is not None, f"no {texts} in\n" + "\n".join(self._lines[-20:])
            return line

    def close(self) -> None:
        """End it."""
        self.child.terminate()
        self.child.wait(PATIENCE)
        self._folder.cleanup()


class Sluice(Program):
    """The server, behind a proxy that it trusts."""

    def __init__(self) -> None:
        settings = {"HOST": "127.0.0.1", "PORT": "0", "LOG": "info", "LOG_FORMAT": "json", "ENCRYPTION_KEY": KEY}
        settings |= {"PYENV_DIR": str(ROOT / "pyenv"), "ALLOW_PRIVATE_ADDRESSES": "127.0.0.1/32"}
        name, _, proxies = _block("sh").strip().partition("=")
        settings |= {name: proxies, "DRAIN_TIMEOUT": "0"}
        super().__init__([ROOT / "target/release/sluice"], settings)
        self.port = int(self.wait_for("listening on http://").split("http://")[1].split(":")[1].split('"')[0])
        self.wait_for("ready in ")

    def line_of(self, request_id: str) -> dict[str, object]:
        """Return what the log says of a request that is over."""
        line: dict[str, object] = json.loads(self.wait_for(request_id, '"answered"'))
        return line


class Front(Program):
    """A proxy. `ca`: a file with the root of its certificate."""

    ca: Path
    port: int

    def wait_until_open(self) -> None:
        """Return as soon as it takes connections."""
        while self.child.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()
            except ConnectionRefusedError:
                continue
            return
        self.wait_for("(it has ended)")

    def pids(self) -> list[int]:
        """The process and its children."""
        pid = self.child.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def temporary_files(self) -> list[str]:
        """Files below its folder that it has open, though they are deleted, as nginx's temporary ones are."""
        links = [link for pid in self.pids() for link in Path(f"/proc/{pid}/fd").iterdir()]
        targets = [os.readlink(link) for link in links]
        return [target for target in targets if target.startswith(str(self.folder)) and target.endswith("(deleted)")]


class Nginx(Front):
    """nginx with the block of docs/proxies.md, in which `without` is left out."""

    def __init__(self, upstream: int, without: Sequence[str] = ()) -> None:
        self.port = free_port()
        site = _block("nginx")
        for line in without:
            site = replaced(site, line, "")
        site = replaced(site, "127.0.0.1:3021", f"127.0.0.1:{upstream}")
        site = replaced(site, "listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl")
        site = replaced(site, "listen [::]:443 ssl http2;", "")
        certificates = Path(tempfile.mkdtemp())
        self._certificates, self.ca = certificates, certificates / "ca.pem"
        site = replaced(site, f"/etc/letsencrypt/live/{NAME}/", f"{certificates}/")
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca))
        own = authority.issue_cert(NAME)
        own.private_key_pem.write_to_path(str(certificates / "privkey.pem"))
        for blob in own.cert_chain_pems:
            blob.write_to_path(str(certificates / "fullchain.pem"), append=True)
        (certificates / "site.conf").write_text(site)
        config = f"""
            {"user root;" if os.geteuid() == 0 else ""}
            daemon off;
            pid nginx.pid;
            error_log stderr;
            events {{ }}
            http {{
                access_log off;
                client_body_temp_path body;
                proxy_temp_path proxy;
                fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi;
                scgi_temp_path scgi;
                include {certificates}/site.conf;
            }}
        """
        (certificates / "nginx.conf").write_text(config)
        command: list[str | Path] = ["nginx", "-e", "stderr", "-p", "{folder}", "-c", certificates / "nginx.conf"]
        super().__init__(command, {})
        self.wait_until_open()

    def close(self) -> None:
        """End it."""
        super().close()
        shutil.rmtree(self._certificates)


class Caddy(Front):
    """Caddy with the block of docs/proxies.md, in which `without` is left out. Its certificates are its own."""

    def __init__(self, upstream: int, without: Sequence[str] = ()) -> None:
        self.port = free_port()
        site = replaced(_block("caddy"), "127.0.0.1:3021", f"127.0.0.1:{upstream}")
        for line in without:
            site = replaced(site, line, "")
        options = f"admin off\nlocal_certs\nskip_install_trust\nhttps_port {self.port}\nauto_https disable_redirects"
        self._home = Path(tempfile.mkdtemp())
        (self._home / "Caddyfile").write_text(f"{{\n{options}\ndefault_bind 127.0.0.1\n}}\n{site}")
        self.ca = self._home / "caddy/pki/authorities/local/root.crt"
        command: list[str | Path] = ["caddy", "run", "--adapter", "caddyfile", "--config", self._home / "Caddyfile"]
        super().__init__(command, {"XDG_DATA_HOME": str(self._home), "XDG_CONFIG_HOME": str(self._home)})
        self.wait_for("certificate obtained successfully")
        self.wait_until_open()

    def close(self) -> None:
        """End it."""
        super().close()
        shutil.rmtree(self._home)


def token(url: str) -> str:
    """Return the path and query of a link to a URL, as the server would seal it."""
    example = ROOT / "target/release/examples/token"
    made = subprocess.run([example, url], env={"ENCRYPTION_KEY": KEY}, check=True, capture_output=True, text=True)
    return f"/stream?data={made.stdout.strip()}"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def replaced(text: str, old: str, new: str) -> str:
    """Replace what must be there."""
    assert old in text, f"{DOC.name} has no {old!r}"
    return text.replace(old, new)


def _block(language: str) -> str:
    """Return the one block of a language in the document."""
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", DOC.read_text(), re.DOTALL | re.MULTILINE)
    assert len(found) == 1, f"{DOC.name} has {len(found)} blocks of {language}"
    return found[0]
