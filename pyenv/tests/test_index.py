"""The index must answer as asking every extractor in order does, for any URL."""

import dataclasses
import itertools
import json
import random
import re
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from conftest import VIDEO
from yt_dlp.extractor import _extractors as real
from yt_dlp.extractor.common import InfoExtractor, UnsupportedURLIE

from sluice import extractors as ours
from sluice import index, index_build
from sluice.index import Index, fold

VARIED = 5_000
"""URLs made from those of the extractors' own tests, to ask all 1,750 extractors about."""


@pytest.fixture(scope="module")
def extractors():
    return (*ours._extractors(), UnsupportedURLIE)


@pytest.fixture(scope="module")
def table():
    table = index.load()
    assert table is not None, "run pyenv/build"
    return table


@pytest.fixture(scope="module")
def urls():
    """Every URL of the tests that yt-dlp's extractors come with."""
    found = {}
    for name in dir(real):
        cls = getattr(real, name)
        if isinstance(cls, type) and issubclass(cls, InfoExtractor):
            for case in itertools.chain(cls.get_testcases(include_onlymatching=True), cls.get_webpage_testcases()):
                found.setdefault(case["url"])
    return list(found)


def check(wanted, extractors, url):
    """All that take it are candidates, so that the first of them is found, whatever the order."""
    try:
        takers = [cls for cls in extractors if cls.suitable(url)]
    except ValueError:  # a malformed URL
        with pytest.raises(ValueError):  # noqa: PT011  the same one, from the same place
            wanted.find(url)
        return
    candidates = wanted.candidates(url)
    assert set(takers) <= set(candidates), url
    assert wanted.find(url) is takers[0], url


def test_answers_as_the_full_scan_does(extractors, table, urls):
    wanted = Index(extractors, table)
    assert len(urls) > 4_000
    asked = sum(len(wanted.candidates(url)) for url in urls)
    assert asked < 40 * len(urls)
    for url in urls:
        check(wanted, extractors, url)


def _varied(url, other, chance):
    """Something near `url`, as clients, pages and attackers write it."""
    scheme, colon, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    way = chance.randrange(14)
    if way == 0:
        return ("http" if scheme == "https" else "https") + colon + rest
    if way == 1:
        return scheme + colon + host.upper() + slash + path
    if way == 2:
        return url.upper()
    if way == 3:
        host = host.removeprefix("www.") if host.startswith("www.") else f"www.{host}"
        return scheme + colon + host + slash + path
    if way == 4:
        return scheme + colon + other.partition("://")[2].partition("/")[0] + slash + path
    if way == 5:
        return f"{scheme}://example.org/{host}/{path}"
    if way == 6:
        return f"https://example.org/?u={url}#{other}"
    if way == 7:
        # Characters that some patterns take for these letters.
        swap = {"s": "\u017f", "k": "\u212a", "i": chance.choice("\u0131\u0130")}
        return "".join(swap.get(char, char) if chance.random() < 0.5 else char for char in url)
    if way == 8:
        return url + chance.choice(["\n", " ", "/", "?", "#", "\u2028", "%0A", "\0", "é", "\udc80"])
    if way == 9:
        return chance.choice([" ", "\n", "//", "x", "view-source:", "https://", "\ufeff", "http:"]) + url
    if way == 10:
        return rest
    if way == 11:
        return scheme + colon + host + slash + path.swapcase() + other
    if way == 12:
        return url[: chance.randrange(1, len(url) + 1)]
    at = chance.randrange(len(url))
    return url[:at] + chance.choice("/.?=&[]@:-é\u017f") + url[at + 1 :]


def test_answers_as_the_full_scan_does_for_variations(extractors, table, urls):
    wanted = Index(extractors, table)
    chance = random.Random(20)
    for url in chance.sample(urls, min(VARIED, len(urls))):
        check(wanted, extractors, _varied(url, chance.choice(urls), chance))


def test_whatever_a_pattern_matches_has_all_that_it_requires(urls):
    """Not only the needles that were chosen; on what was made from the pattern's own URLs, which is likely to match."""
    chance = random.Random(21)
    matched = 0
    for name in dir(real):
        cls = getattr(real, name)
        if not (isinstance(cls, type) and issubclass(cls, InfoExtractor)) or name == "GenericIE":
            continue
        patterns = cls._VALID_URL if isinstance(cls._VALID_URL, list | tuple) else [cls._VALID_URL]
        known = [(re.compile(one), index_build.requirements(one)) for one in patterns if isinstance(one, str)]
        for case in cls.get_testcases(include_onlymatching=True):
            for text in {_varied(case["url"], chance.choice(urls), chance) for _ in range(6)}:
                for pattern, needs in known:
                    if pattern.match(text):
                        matched += 1
                        assert all(any(one in fold(text) for one in each) for each in needs), (pattern, text)
    assert matched > 8_000


@pytest.mark.parametrize("url", ["", "\n", "https://", "https://[", "https://www.youtube.com]/watch?v=x", "a" * 9_000])
def test_odd_urls(extractors, table, url):
    check(Index(extractors, table), extractors, url)


def test_the_derived_index_is_the_built_one(table):
    assert index_build.derive() == table


@pytest.mark.parametrize(
    "change",
    [{"digest": "0" * 64}, {"version": 2}, None, {"digest": None}],
    ids=["another yt-dlp", "another shape", "not a table", "no digest"],
)
def test_a_table_that_does_not_fit_is_not_used(table, tmp_path, change):
    path = tmp_path / "extractors.json"
    assert index.load(path) is None
    content = dataclasses.asdict(table)
    path.write_text(json.dumps(content))
    assert index.load(path) == table
    path.write_text(json.dumps(content | change if change else [1]))
    assert index.load(path) is None
    path.write_text(json.dumps(content)[:-10])
    assert index.load(path) is None


def test_the_digest_tells_version_order_patterns_and_who_overrides_what(monkeypatch):
    classes = index.stock()
    digests = {index.digest(classes), index.digest(classes[::-1]), index.digest(classes[1:])}
    changed = classes[100]
    with monkeypatch.context() as patch:
        patch.setattr(changed, "_VALID_URL", "https://other")
        digests.add(index.digest(classes))
        assert index.load() is None
    with monkeypatch.context() as patch:
        patch.setattr(changed, "suitable", classmethod(lambda cls, url: True))
        digests.add(index.digest(classes))
    with monkeypatch.context() as patch:
        patch.setattr(index, "__version__", "2020.01.01")
        digests.add(index.digest(classes))
        assert index.load() is None
    assert len(digests) == 6
    assert index.load() is not None


def test_a_plugin_s_class_is_asked_in_its_place(extractors, table):
    class PluginIE(real.TikTokIE):
        _VALID_URL = r"https?://(?:www\.)?(?:tiktok\.com/@[\w.-]+/(?:video|photo)|pictures\.invalid)/(?P<id>\d+)"

    at = next(place for place, cls in enumerate(extractors) if cls.ie_key() == "TikTok")
    changed = (*extractors[:at], PluginIE, *extractors[at + 1 :])
    wanted = Index(changed, table)
    for url in (VIDEO, "https://www.tiktok.com/@someone/photo/7", "https://pictures.invalid/7"):
        assert wanted.find(url) is PluginIE
    assert wanted.candidates("https://example.org/").count(PluginIE) == 1
    first = Index((PluginIE, *extractors), table)
    assert first.candidates(VIDEO)[0] is PluginIE
    assert first.find("https://vimeo.com/56015672").__name__ == "VimeoIE"


def test_extractors_that_are_left_out_are_not_found(table):
    left = [cls for cls in index.stock() if cls.__name__ != "VimeoIE"]
    assert Index(left, table).find("https://vimeo.com/56015672").__name__ == "GenericIE"
    assert Index(left[:-1], table).find("https://vimeo.com/56015672") is None


def test_few_patterns_are_compiled():
    code = """if True:
        import json, sys, sluice
        from sluice import extractors
        sluice.start(json.dumps({"guard": None, "ca_file": None, "cookies_path": None, "socket_timeout": 1}))
        session = sluice.Session()
        session.warm()
        for number in range(100):
            found = extractors.index().find(f"https://www.tiktok.com/@someone/video/{number}")
        compiled = sum("_VALID_URL_RE" in vars(cls) for cls in extractors._extractors())
        sys.__stdout__.write(f"{found.ie_key()} {extractors._table().digest} {compiled}")
    """
    run = subprocess.run([sys.executable, "-s", "-S", "-P", "-c", code], capture_output=True, text=True, check=True)
    key, digest, compiled = run.stdout.split()
    assert (key, digest) == ("TikTok", index.load().digest)
    assert int(compiled) < 100


# The derivation itself.


@pytest.mark.parametrize(
    ("pattern", "needs"),
    [
        (r"https?://(?:www\.)?example\.org/video/(?P<id>\d+)", [{"example.org/video/"}]),
        (r"https?://exam(?:ple\.org|ining\.net)/", [{"://exam"}, {"ple.org", "ining.net"}]),
        (r"(?:first|\w+)/second", [{"/second"}]),
        (r"(?:first|second)?", []),
        (r"(?:first){0,3}(?:second)*(?:third)*?", []),
        (r"(?:first)+second", [{"first"}, {"second"}]),
        (r"(?:first){1}second", [{"firstsecond"}]),
        (r"(?!never)(?<!never)(?=perhaps)first\b(?P<name>second)", [{"firstsecond"}]),
        ("(?i)FIRST(?-i:SECOND)\u017fthird\u212afourth", [{"firstsecond"}, {"third"}, {"fourth"}]),
        (r"(?x) fir st  # comment", [{"first"}]),
        (r"(a)?(?(1)first|second)third", [{"third"}]),
        (r"(?P<a>first)second(?P=a)third", [{"firstsecond"}, {"third"}]),
        (r"(?>first|second)", [{"first", "second"}]),
        (r"https?://(?:www\.)?(abcd)?", []),
        (r"abc", []),
        (r"first[x]second[xy]third", [{"firstxsecond"}, {"third"}]),
        (r"first(?!)|second", [{"first", "second"}]),
        (r".*", []),
    ],
)
def test_requirements(pattern, needs):
    assert index_build.requirements(pattern) == [frozenset(one) for one in needs]


def test_fold_turns_whatever_matches_an_ascii_character_into_it():
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    for char in map(chr, range(32, 127)):
        for found in re.findall(re.escape(char), everything, re.IGNORECASE):
            assert fold(found) == fold(char)
            assert fold(f"É{found}\u03a3{found}É").encode("ascii", "ignore").decode() == fold(char) * 2


class _Regex:
    """Random patterns, each with a text that it is made to match."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.groups = 0

    def make(self, depth=3):
        parts = [self.part(depth) for _ in range(self.chance.randrange(1, 4))]
        return "".join(part for part, _ in parts), "".join(text for _, text in parts)

    def part(self, depth):
        way = self.chance.randrange(12 if depth else 4)
        if way < 3:
            word = "".join(self.chance.choice("aiksAIKS.-/é") for _ in range(self.chance.randrange(1, 6)))
            return re.escape(word), word
        if way == 3:
            return self.chance.choice([(r"\w", "x"), (".", "i"), ("[a-s]", "k"), (r"\b", ""), ("[s]", "s")])
        pattern, text = self.make(depth - 1)
        if way < 6:
            other, others = self.make(depth - 1)
            chosen = self.chance.choice([text, others])
            return f"(?:{pattern}|{other})", chosen
        if way < 9:
            least = self.chance.randrange(3)
            most = self.chance.randrange(max(least, 1), 4)
            times = self.chance.randrange(least, most + 1)
            return f"(?:{pattern}){{{least},{most}}}{self.chance.choice(['', '?'])}", text * times
        if way == 9:
            return f"(?i:{pattern})", "".join(self.twin(char) for char in text)
        if way == 10:
            return f"(?={pattern}){pattern}", text
        return f"(?>{pattern})", text

    def twin(self, char):
        """A character that may pass for another where case does not count."""
        twins = {"s": "sS\u017f", "k": "kK\u212a", "i": "iI\u0131\u0130"}
        return self.chance.choice(twins.get(char.lower(), char.lower() + char.upper()))


def test_what_matches_gets_through():
    matched = needles = 0
    for seed in range(6_000):
        regex = _Regex(seed)
        pattern, text = regex.make()
        needs = index_build.requirements(pattern)
        compiled = re.compile(pattern)
        for one in (text, text.swapcase(), text + "x", text[1:], text[::-1], "".join(map(regex.twin, text))):
            if compiled.match(one):
                matched += 1
                needles += len(needs)
                assert all(any(needle in fold(one) for needle in each) for each in needs), (pattern, one)
    assert matched > 5_000
    assert needles > 2_000


# Which `suitable` of its own an extractor may have and still be asked only where its pattern can match.


@pytest.mark.parametrize(
    ("body", "narrows"),
    [
        ("return False if A.suitable(url) else super().suitable(url)", True),
        ("return not A.suitable(url) and super().suitable(url)", True),
        ("return cls._match_valid_url(url) and not A.suitable(url)", True),
        ("return super(B, cls).suitable(url) and x(url)", True),
        ("return True if A.suitable(url) else super().suitable(url)", False),
        ("return A.suitable(url) or super().suitable(url)", False),
        ("return not super().suitable(url)", False),
        ("return super().suitable(url + 'x')", False),
        ("return super().suitable((url := 'x'))", False),
        ("return (url := 'x') and super().suitable(url)", False),
        ("url = 'x'; return super().suitable(url)", False),
        ("return A.suitable(url)", False),
        ("return A.suitable(url) and B.suitable(url)", False),
        ("return False if A.suitable(url) else B.suitable(url)", False),
        ("return", False),
        ("pass", False),
    ],
)
def test_narrowing(body, narrows):
    assert index_build._narrows(f"def suitable(cls, url):\n    {body}\n") is narrows


def test_hardly_anybody_is_asked_always(table):
    always = [index.stock()[number].__name__ for number in table.always]
    assert "YoutubeIE" in always
    assert len(always) < 20
    assert all(index.stock()[number]._VALID_URL is False for number in table.never)


def test_same_host_in_capitals(extractors, table):
    # Patterns are case-sensitive about hosts; the index must not be cleverer.
    url = VIDEO.replace("www.tiktok.com", urlsplit(VIDEO).netloc.upper())
    assert Index(extractors, table).find(url) is UnsupportedURLIE
