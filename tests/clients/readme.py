"""Runs README's examples, as they stand there, against `scripts/serve --demo`.

Only the port is another: 3021 may be taken. Each example must leave one file with the SHA-256 that the demo announces.
"""

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 600  # seconds for the demo to be set up and to serve
ONE_EXAMPLE = 60  # seconds


def main() -> int:
    """Run every example; return the number that failed."""
    readme = (ROOT / "README.md").read_text()
    node_modules = install_axios()
    port = free_port()
    with tempfile.TemporaryDirectory() as home:
        demo = start_demo(port, home)
        try:
            curl, sha256 = announced(demo)
            examples = {
                "one request": ("sh", block(readme, "Use it", "sh")),
                "curl": ("sh", block(readme, "curl", "sh")),
                "Python": ("python", block(readme, "Python", "python")),
                "Node": ("js", block(readme, "Node", "js")),
            }
            shown = block(readme, "Use it", "sh").strip()
            if shown.replace("3021", str(port)) != curl:
                print(f"the demo prints {curl}\nREADME shows     {shown}")
                return 1
            wait_ready(port)
            failed = [name for name, it in examples.items() if not run(name, *it, port, sha256, node_modules)]
        finally:
            os.killpg(demo.pid, signal.SIGTERM)
            demo.wait(PATIENCE)
    print(f"{len(examples) - len(failed)} passed, {len(failed)} failed")
    return len(failed)


def install_axios() -> Path:
    """Install the locked packages that README's Node example imports; return the folder."""
    folder = ROOT / "tests/clients"
    subprocess.run(["npm", "ci", "--silent"], cwd=folder, check=True, timeout=PATIENCE)
    return folder / "node_modules"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def start_demo(port: int, home: str) -> subprocess.Popen[str]:
    """Start `scripts/serve --demo` in a process group of its own."""
    return subprocess.Popen(
        [ROOT / "scripts/serve", "--demo"],
        env={**os.environ, "PORT": str(port), "STATE_DIR": home},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def announced(demo: subprocess.Popen[str]) -> tuple[str, str]:
    """Return the curl line and the SHA-256 that the demo prints."""
    assert demo.stdout is not None
    curl = None
    for line in demo.stdout:
        if line.startswith("  curl "):
            curl = line.strip()
        found = re.search(r"SHA-256 is ([0-9a-f]{64})", line)
        if found and curl:
            return curl, found[1]
    raise SystemExit(f"the demo ended with {demo.wait()}")


def wait_ready(port: int) -> None:
    """Wait until the server answers; curl does the waiting."""
    url = f"http://localhost:{port}/ready"
    command = ["curl", "-sSf", "-o", "/dev/null", "--retry", "100", "--retry-delay", "1", "--retry-all-errors", url]
    subprocess.run(command, check=True, timeout=PATIENCE, stderr=subprocess.DEVNULL)


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


if __name__ == "__main__":
    sys.exit(main())
