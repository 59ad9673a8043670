"""Each handler trusts CA_FILE, and none trusts the same site without it. Real TLS, on loopback."""

import re
import ssl
import subprocess
from pathlib import Path

import certifi
import pytest
import requests.certs
from yt_dlp.networking import Request
from yt_dlp.networking.exceptions import CertificateVerifyError, RequestError, SSLError
from yt_dlp.networking.impersonate import ImpersonateTarget

from sluice import engine, trust
from sluice.log import Log

BUILD = Path(__file__).parents[1]

EXTENSIONS = {"requests": {}, "curl_cffi": {"impersonate": ImpersonateTarget("chrome")}}


def fetch(proxy, url, **request):
    with engine.Ydl(engine.Settings(5)) as ydl:
        ydl.begin(engine.Job((), Log(), proxy=proxy))
        response = ydl.urlopen(Request(url, **request))
        try:
            return response.status, response.read() if not url.startswith("wss") else response.recv()
        finally:
            response.close()


@pytest.mark.parametrize("handler", EXTENSIONS)
def test_http_handlers(start, stage, handler):
    start()
    stage.page("https://www.example.org/", "hello")
    assert fetch(stage.proxy, "https://www.example.org/", extensions=EXTENSIONS[handler]) == (200, b"hello")
    trust.install(None)
    with pytest.raises((CertificateVerifyError, SSLError)):
        fetch(stage.proxy, "https://www.example.org/", extensions=EXTENSIONS[handler])
    assert len(stage.seen) == 1


def test_the_handler_of_an_impersonated_request_is_curl(start, stage):
    start()
    stage.page("https://www.example.org/", "hello")
    for extensions in EXTENSIONS.values():
        fetch(stage.proxy, "https://www.example.org/", extensions=extensions)
    # Only a browser says this of itself.
    assert ["sec-ch-ua" in headers for _, _, headers in stage.seen] == [False, True]


def test_websockets(start, stage):
    start()
    stage.talk("wss://www.example.org/", "hello")
    assert fetch(stage.proxy, "wss://www.example.org/") == (101, "hello")
    trust.install(None)
    with pytest.raises(CertificateVerifyError):
        fetch(stage.proxy, "wss://www.example.org/")
    assert len(stage.seen) == 1


def test_the_bundle_holds_both_and_no_disk(start, stage):
    own = trust.where()
    assert own == trust._own
    start()
    assert trust.where().startswith("/proc/self/fd/")
    assert certifi.where() == certifi.core.where() == requests.certs.where() == trust.where()
    with_ca = ssl.create_default_context(cafile=trust.where()).cert_store_stats()["x509"]
    without = ssl.create_default_context(cafile=own).cert_store_stats()["x509"]
    assert with_ca == without + 1


def test_no_urllib(start, stage):
    start()
    with engine.Ydl(engine.Settings(5)) as ydl:
        assert sorted(ydl._request_director.handlers) == ["CurlCFFI", "Requests", "Websockets"]
    for url in ("ftp://localhost/x", "file:///etc/passwd", "data:text/plain,x"):
        with pytest.raises(RequestError):
            fetch(stage.proxy, url)
    assert not stage.connections


def test_the_folder_holds_certifis_roots_and_no_others():
    def der(text):
        return sorted(map(ssl.PEM_cert_to_DER_cert, re.findall("-----BEGIN.*?END CERTIFICATE-----", text, re.DOTALL)))

    files = sorted(Path(trust.FOLDER).iterdir())
    assert der(Path(certifi.core.__file__).with_name("cacert.pem").read_text()) == der(
        "".join(file.read_text() for file in files)
    )
    # One that is not where its hash leads to would not be found.
    for file in files:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(file)
        assert len(context.get_ca_certs()) == 1


def test_curl_finds_a_root_in_the_folder(stage, start, tmp_path, monkeypatch):
    run = [BUILD / "roots", stage.ca_file, tmp_path / "certs"]
    subprocess.run(["/usr/bin/python3", *run], check=True)
    stage.page("https://www.example.org/", "hello")
    start(ca_file=None)
    with pytest.raises((CertificateVerifyError, SSLError)):
        fetch(stage.proxy, "https://www.example.org/", extensions=EXTENSIONS["curl_cffi"])
    one = trust.beside_folder()
    monkeypatch.setattr(trust, "FOLDER", str(tmp_path / "certs"))
    monkeypatch.setattr(trust, "beside_folder", lambda: one)
    got = fetch(stage.proxy, "https://www.example.org/", extensions=EXTENSIONS["curl_cffi"])
    assert got == (200, b"hello")
