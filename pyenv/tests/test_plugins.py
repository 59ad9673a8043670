"""Plugins come from the runtime's own folder alone, and ours takes its place in the list without a trace."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

PYTHON = Path(__file__).parent.parent / "python"

DECOY = """
import pathlib
from yt_dlp.extractor.common import InfoExtractor
pathlib.Path({trace!r}).touch()


class DecoyIE(InfoExtractor):
    _VALID_URL = r"https?://.*"
"""

LIST = """
import json, os, sys
sys.path[:0] = json.loads(os.environ["DECOYS"])
seen = os.fdopen(os.dup(1), "w")
from yt_dlp.extractor.extractors import _CLASS_LOOKUP
stock = [name.removesuffix("IE") for name in _CLASS_LOOKUP]
from sluice import extractors
extractors.prepare()
extractors.prepare()
from yt_dlp import globals as state
from yt_dlp.extractor import gen_extractor_classes, get_info_extractor
photo = "https://www.tiktok.com/@a/photo/1"
listed = next(ie for ie in gen_extractor_classes() if ie.suitable(photo))
made = get_info_extractor("TikTok")()
json.dump({
    "same_order": [ie.ie_key() for ie in gen_extractor_classes()] == stock,
    "listed": [listed.ie_key(), listed.IE_NAME, listed.__module__],
    "made": [made.ie_key(), made.IE_NAME, type(made).__module__, made.suitable(photo)],
    "one_class": type(made) is listed,
    "overrides": [ie.__module__ for several in state.plugin_ies_overrides.value.values() for ie in several],
    "added": [*state.plugin_ies.value, *state.plugin_pps.value],
}, seen)
"""


def listed(cwd, decoys=(), **env):
    env = {"PATH": os.environ["PATH"], "DECOYS": json.dumps([str(path) for path in decoys]), **env}
    command = [str(PYTHON), "-c", LIST]
    return json.loads(subprocess.run(command, cwd=cwd, env=env, check=True, stdout=subprocess.PIPE).stdout)


@pytest.mark.parametrize("env", [{}, {"YTDLP_NO_LAZY_EXTRACTORS": "1"}, {"YTDLP_NO_PLUGINS": "1"}])
def test_ours_is_in_its_place(tmp_path, env):
    ours = "yt_dlp_plugins.extractor.tiktok"
    assert listed(tmp_path, **env) == {
        "same_order": True,
        "listed": ["TikTok", "TikTok", ours],
        "made": ["TikTok", "TikTok", ours, True],
        "one_class": True,
        "overrides": [ours],
        "added": [],
    }


def test_no_other_is_loaded(tmp_path):
    home, cwd, on_path = (tmp_path / name for name in ("home", "cwd", "path"))
    roots = [
        home / ".config/yt-dlp/plugins/decoy",
        home / ".config/yt-dlp-plugins/decoy",
        home / ".yt-dlp/plugins/decoy",
        home / "yt-dlp-plugins/decoy",
        cwd,
        cwd / "yt-dlp-plugins/decoy",
        on_path,
    ]
    traces = [tmp_path / f"trace{n}" for n in range(len(roots) + 1)]
    for root, trace in zip(roots, traces, strict=False):
        for package in ("yt_dlp_plugins", "ytdlp_plugins"):
            folder = root / package / "extractor"
            folder.mkdir(parents=True)
            (folder / f"decoy{roots.index(root)}.py").write_text(DECOY.format(trace=str(trace)))
            (folder / "__init__.py").write_text(DECOY.format(trace=str(traces[-1])))
    archive = home / ".config/yt-dlp/plugins/packed"
    shutil.make_archive(str(archive), "zip", on_path)
    got = listed(cwd, [on_path, cwd, f"{archive}.zip"], HOME=str(home), XDG_CONFIG_HOME=str(home / ".config"))
    assert (got["same_order"], got["added"]) == (True, [])
    assert got["overrides"] == ["yt_dlp_plugins.extractor.tiktok"]
    assert not [trace for trace in traces if trace.exists()]


def test_the_decoys_would_be_loaded_by_yt_dlp_itself(tmp_path):
    """Positive control: with its own settings yt-dlp takes one from the same folder."""
    folder = tmp_path / "yt-dlp/plugins/decoy/yt_dlp_plugins/extractor"
    folder.mkdir(parents=True)
    trace = tmp_path / "trace"
    (folder / "decoy.py").write_text(DECOY.format(trace=str(trace)))
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    script = "from yt_dlp import plugins, extractor; plugins.load_all_plugins()"
    subprocess.run([str(PYTHON), "-c", script], cwd=tmp_path, env=env, check=True)
    assert trace.exists()
