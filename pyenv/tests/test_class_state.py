"""What an extractor keeps beyond one extraction is found in its text."""

from pathlib import Path

from sluice import class_state, index

SOURCE = """
import functools

SEEN = []
NAMES = {"a": 1}

def remember(name):
    SEEN.append(name)
    local = []
    local.append(name)

class OtherBaseIE(InfoExtractor):
    _HEADERS = {}
    _SHARED = list()
    _OWN = {}
    _ALIAS = {}
    _FIXED = {"a": 1}

class OneIE(OtherBaseIE):
    _TOKEN = None

    def __init_subclass__(cls):
        cls.ie_key = None

    def _real_initialize(self):
        OneIE._TOKEN = self._own
        self._token = 1
        self._HEADERS["Authorization"] = "x"
        self._SHARED += [1]
        self._OWN = {}
        self._OWN["a"] = 1
        headers = self._ALIAS
        headers.update(a=1)
        copy = dict(self._FIXED)
        copy["a"] = self._FIXED["a"]
        setattr(type(self), "named", 1)

    @classmethod
    def _real_extract(cls, url):
        cls._SEEN, (cls._PAIR, _) = 1, (2, 3)
        del type(cls).nothing
        NAMES = {}
        NAMES["b"] = 2

    @functools.lru_cache(maxsize=None)
    def _cached(self):
        global COUNT
        COUNT = 1
"""


def test_every_kind_is_found(tmp_path):
    Path(tmp_path, "youtube").mkdir()
    Path(tmp_path, "youtube", "one.py").write_text(SOURCE)
    Path(tmp_path, "lazy_extractors.py").write_text("not read(")
    assert class_state.find(tmp_path) == {
        "assigned": {f"youtube.one:OneIE.{name}" for name in ("_TOKEN", "_SEEN", "_PAIR", "named")},
        "changed": {f"youtube.one:OtherBaseIE.{name}" for name in ("_HEADERS", "_SHARED", "_ALIAS")},
        "cached": {"youtube.one:OneIE._cached"},
        "module": {"youtube.one:SEEN", "youtube.one:COUNT"},
    }


def test_the_table_names_them():
    table = index.load()
    assert table is not None, "run pyenv/build"
    assert {"cybrary:CybraryBaseIE._TOKEN", "abematv:AbemaTVBaseIE._USERTOKEN"} <= set(table.stateful)
    assert {"soundcloud:SoundcloudBaseIE._HEADERS", "zdf:ZDFBaseIE._token_cache"} <= set(table.changed)
    assert not any(name.startswith("common:") for name in (*table.stateful, *table.changed))
