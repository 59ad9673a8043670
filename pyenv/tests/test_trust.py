"""Each handler trusts CA_FILE, and none trusts the same site without it. Real TLS, on loopback."""

import re
import ssl
import subprocess
import threading
from pathlib import Path

import certifi
import pytest
import requests.certs
from websockets.sync.server import serve
from yt_dlp.networking import Request
from yt_dlp.networking.exceptions import CertificateVerifyError, HTTPError, RequestError, SSLError
from yt_dlp.networking.impersonate import ImpersonateTarget
from yt_dlp.utils.networking import HTTPHeaderDict

from sluice import engine, trust

BUILD = Path(__file__).parents[1]

EXTENSIONS = {"requests": {}, "curl_cffi": {"impersonate": ImpersonateTarget("chrome")}}


def fetch(settings, url, **request):
    with engine.Ydl(settings) as ydl:
        response = ydl.urlopen(Request(url, **request))
        try:
            return response.status, response.read() if not url.startswith("wss") else response.recv()
        finally:
            response.close()


@pytest.mark.parametrize("handler", EXTENSIONS)
@pytest.mark.parametrize("proxied", [True, False])
def test_http_handlers(start, stage, handler, proxied):
    start()
    stage.page("https://localhost/" if not proxied else "https://www.example.org/", "hello")
    url = "https://www.example.org/" if proxied else f"https://localhost:{stage.port}/"
    settings = engine.Settings(stage.proxy if proxied else None, 5)
    assert fetch(settings, url, extensions=EXTENSIONS[handler]) == (200, b"hello")
    trust.install(None)
    with pytest.raises((CertificateVerifyError, SSLError)):
        fetch(settings, url, extensions=EXTENSIONS[handler])
    assert len(stage.seen) == 1


def test_the_handler_of_an_impersonated_request_is_curl(start, stage):
    start()
    stage.page("https://www.example.org/", "hello")
    settings = engine.Settings(stage.proxy, 5)
    for extensions in EXTENSIONS.values():
        fetch(settings, "https://www.example.org/", extensions=extensions)
    # Only a browser says this of itself.
    assert ["sec-ch-ua" in headers for _, _, headers in stage.seen] == [False, True]


def test_websockets(start, stage):
    start()
    with serve(lambda ws: ws.send("hello"), "127.0.0.1", 0, ssl=stage._context) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            settings = engine.Settings(None, 5)
            url = f"wss://localhost:{server.socket.getsockname()[1]}/"
            assert fetch(settings, url)[1] == "hello"
            trust.install(None)
            with pytest.raises(CertificateVerifyError):
                fetch(settings, url)
            # An HTTP proxy can't carry it: refused, not sent around the proxy.
            trust.install(stage.ca_file)
            with pytest.raises(RequestError, match="WebSocket"):
                fetch(engine.Settings(stage.proxy, 5), url)
        finally:
            server.shutdown()
            thread.join()


def test_the_bundle_holds_both_and_no_disk(start, stage):
    own = trust.where()
    assert own == trust._own
    start()
    assert trust.where().startswith("/proc/self/fd/")
    assert certifi.where() == certifi.core.where() == requests.certs.where() == trust.where()
    with_ca = ssl.create_default_context(cafile=trust.where()).cert_store_stats()["x509"]
    without = ssl.create_default_context(cafile=own).cert_store_stats()["x509"]
    assert with_ca == without + 1


def test_no_urllib_and_no_way_past_the_proxy(start, stage, monkeypatch):
    start()
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "*")
    stage.page("https://www.example.org/", "hello")
    settings = engine.Settings(stage.proxy, 5)
    with engine.Ydl(settings) as ydl:
        assert sorted(ydl._request_director.handlers) == ["CurlCFFI", "Requests", "Websockets"]
    for url in ("ftp://localhost/x", "file:///etc/passwd", "data:text/plain,x"):
        with pytest.raises(RequestError):
            fetch(settings, url)
    for extensions in EXTENSIONS.values():
        past = {"headers": HTTPHeaderDict({"Ytdl-request-proxy": "__noproxy__"}), "extensions": extensions}
        assert fetch(settings, "https://www.example.org/", **past)[0] == 200
        past = {"proxies": {"all": None, "https": None}, "extensions": extensions}
        assert fetch(settings, "https://www.example.org/", **past)[0] == 200
        # And without one, the environment's is not taken.
        with pytest.raises(HTTPError):
            fetch(engine.Settings(None, 5), f"https://localhost:{stage.port}/", extensions=extensions)
    assert [host for host, _, _ in stage.seen].count("www.example.org") == 4


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
    settings = engine.Settings(stage.proxy, 5)
    start(ca_file=None)
    with pytest.raises((CertificateVerifyError, SSLError)):
        fetch(settings, "https://www.example.org/", extensions=EXTENSIONS["curl_cffi"])
    one = trust.beside_folder()
    monkeypatch.setattr(trust, "FOLDER", str(tmp_path / "certs"))
    monkeypatch.setattr(trust, "beside_folder", lambda: one)
    got = fetch(settings, "https://www.example.org/", extensions=EXTENSIONS["curl_cffi"])
    assert got == (200, b"hello")
