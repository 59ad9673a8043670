"""Runs README's examples, as they stand there, against `scripts/serve --demo`.

Only the port is another: 3021 may be taken. Each example must leave one file with the SHA-256 that the demo announces.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from demo import PATIENCE, ROOT, Demo

ONE_EXAMPLE = 60  # seconds


def check(server: Demo) -> bool:
    """Run every example; tell whether all are right."""
    readme = (ROOT / "README.md").read_text()
    node_modules = install_axios()
    examples = {
        "one request": ("sh", block(readme, "Use it", "sh")),
        "curl": ("sh", block(readme, "curl", "sh")),
        "Python": ("python", block(readme, "Python", "python")),
        "Node": ("js", block(readme, "Node", "js")),
    }
    shown = block(readme, "Use it", "sh").strip()
    if shown.replace("3021", str(server.port)) != server.curl:
        print(f"the demo prints {server.curl}\nREADME shows     {shown}")
        return False
    # All of them, whatever comes of one.
    fine = [run(name, *it, server.port, server.sha256, node_modules) for name, it in examples.items()]
    return all(fine)


def install_axios() -> Path:
    """Install the locked packages that README's Node example imports; return the folder."""
    folder = ROOT / "tests/clients"
    subprocess.run(["npm", "ci", "--silent"], cwd=folder, check=True, timeout=PATIENCE)
    return folder / "node_modules"


def block(readme: str, heading: str, language: str) -> str:
    """Return the first code block of a language under a heading."""
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", readme, re.DOTALL | re.MULTILINE)
    found = section and re.search(rf"^```{language}\n(.*?)^```$", section[1], re.DOTALL | re.MULTILINE)
    if not found:
        raise SystemExit(f"README has no {language} block under {heading!r}")
    return found[1]


def run(name: str, language: str, code: str, port: int, sha256: str, node_modules: Path) -> bool:
    """Run one example in an empty folder; tell whether it left the one right file."""
    code = code.replace("localhost:3021", f"localhost:{port}")
    with tempfile.TemporaryDirectory() as folder:
        command = {
            "sh": ["sh", "-eu", "-c", code],
            "python": [sys.executable, "-c", code],
            "js": ["node", "--input-type=module", "-e", code],
        }[language]
        if language == "js":
            Path(folder, "node_modules").symlink_to(node_modules)
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=ONE_EXAMPLE, check=False)
        files = [file for file in Path(folder).iterdir() if file.is_file()]
        sums = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
        fine = ended.returncode == 0 and sums == [sha256]
        print(f"README, {name}: {'ok' if fine else 'FAILED'} ({', '.join(file.name for file in files)})")
        if not fine:
            print(f"exit code {ended.returncode}, SHA-256 {sums}, expected {sha256}\n{ended.stdout}{ended.stderr}")
        return fine
