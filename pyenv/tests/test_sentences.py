"""Every sentence of the table is in an error call of its extractor, in the pinned release."""

import ast
import functools
import importlib
import itertools
from pathlib import Path

import pytest
from yt_dlp.extractor import gen_extractor_classes
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import ExtractorError

from sluice.errors import classify
from sluice.sentences import PASSED_ON, SAID

CODES = {"not_found", "private", "login_required", "geo_restricted", "age_restricted", "not_live", "upstream_blocked"}
CALLS = {"ExtractorError", "raise_no_formats"}
ROWS = [(name, said, kind) for kind, rows in SAID.items() for name, said in rows]


@functools.cache
def extractors():
    """By IE_NAME; the release's list holds stand-ins that load the real class when they are used."""
    return {ie.IE_NAME: ie for ie in gen_extractor_classes()}


def real(ie):
    return getattr(importlib.import_module(ie._module), ie.__name__) if hasattr(ie, "_module") else ie


@functools.cache
def classes(module):
    # The classes of a package (youtube) say that they are of it, and stand in its files.
    file = Path(importlib.import_module(module).__file__)
    files = file.parent.glob("*.py") if file.stem == "__init__" else [file]
    nodes = [node for source in files for node in ast.parse(source.read_text()).body]
    return {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}


def called(node):
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)


def assigned(scope):
    """What each name of a function, or of a class's body, may hold."""
    found = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.NamedExpr):
            pairs = [(node.target, node.value)]
        elif isinstance(node, ast.For):
            targets = node.target.elts if isinstance(node.target, ast.Tuple) else [node.target]
            pairs = [(target, node.iter) for target in targets]
        else:
            continue
        for target, value in pairs:
            found.setdefault(getattr(target, "id", None), []).append(value)
    return found


def sentences(node, local, attributes, seen=()):
    """The texts that an expression may be, `{}` for what is not constant in them."""
    if isinstance(node, ast.Constant):
        return {node.value} if isinstance(node.value, str) else set()
    if isinstance(node, ast.JoinedStr):
        return {"".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)}
    again = functools.partial(sentences, local=local, attributes=attributes, seen=(*seen, node))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return {said.replace("%s", "{}") for said in again(node.left)}
    if isinstance(node, ast.Name):
        parts = local.get(node.id, []) if len(seen) < 8 else []
    elif isinstance(node, ast.Attribute) and getattr(node.value, "id", None) in ("self", "cls"):
        parts = attributes.get(node.attr, [])
    elif isinstance(node, ast.Attribute | ast.Subscript | ast.NamedExpr):
        parts = [node.value]
    elif isinstance(node, ast.Call):
        # ERRORS.items(), traverse_obj(self._ERROR_MAP, ...): never patterns, notes and keys.
        parts = [node.func, *(part for part in node.args if isinstance(part, ast.Attribute))]
    elif isinstance(node, ast.IfExp):
        parts = [node.body, node.orelse]
    elif isinstance(node, ast.Dict | ast.BoolOp):
        parts = node.values
    elif isinstance(node, ast.Tuple | ast.List):
        parts = node.elts
    else:
        parts = []
    return set().union(*map(again, parts))


@functools.cache
def raised(ie):
    """Every sentence in an error call of a class or its bases, but for the base of all."""
    found = set()
    for base in ie.__mro__:
        if base is InfoExtractor or not base.__module__.startswith("yt_dlp.extractor"):
            continue
        tree = classes(base.__module__)[base.__name__]
        attributes = assigned(ast.Module([node for node in tree.body if isinstance(node, ast.Assign)], []))
        for method in ast.walk(tree):
            if not isinstance(method, ast.FunctionDef):
                continue
            local = assigned(method)
            for node in ast.walk(method):
                if isinstance(node, ast.Call) and called(node) in CALLS and node.args:
                    found |= sentences(node.args[0], local, attributes)
    return found


@pytest.mark.parametrize(("name", "said", "kind"), ROWS)
def test_a_sentence_is_in_the_release(name, said, kind):
    assert kind in CODES
    assert said in raised(real(extractors()[name]))


@pytest.mark.parametrize(
    ("name", "said", "kind"), [*ROWS, *((name, said, kind) for kind, rows in PASSED_ON.items() for name, said in rows)]
)
def test_a_sentence_is_classified_whole_and_for_its_extractor(name, said, kind):
    assert said.count("{}") <= 1
    told = said.replace("{}", "x1")
    assert classify(ExtractorError(told, ie=name, video_id="1"))["kind"] == kind
    assert classify(ExtractorError(told, ie="Other"))["kind"] == "extraction_failed"
    if not said.endswith("{}"):
        assert classify(ExtractorError(told + " today", ie=name))["kind"] == "extraction_failed"
    if not said.startswith("{}"):
        assert classify(ExtractorError("Not: " + told, ie=name))["kind"] == "extraction_failed"


def test_no_sentence_stands_twice():
    keys = [row for table in (SAID, PASSED_ON) for rows in table.values() for row in rows]
    assert len(keys) == len(set(keys))
    assert all(list(rows) == sorted(rows, key=lambda row: (row[0].lower(), row[1])) for rows in SAID.values())
    # A sentence of the table does not fit another one's gap.
    for (name, said), (other, whole) in itertools.permutations(keys, 2):
        before, gap, after = said.partition("{}")
        assert name != other or not gap or not (whole.startswith(before) and whole.endswith(after))


def test_a_changed_sentence_would_be_noticed():
    found = raised(real(extractors()["vk"]))
    assert "Access denied to video {}." in found
    assert "Access denied to video." not in found
    # A text that is only shown is not one that is raised.
    assert "Downloading webpage" not in found
