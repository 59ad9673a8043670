"""Has schemathesis hold a running server to its own /openapi.json.

Whatever is asked, an answer has a status, a type and a shape that the description has. Errors of the sites' are among
them (502 to 504), so that not every one of 5xx is a fault; 500 is.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import demo

EXAMPLES = 60
"""Of each operation and phase."""

CHECKS = ("status_code_conformance", "content_type_conformance", "response_schema_conformance",
          "response_headers_conformance", "unsupported_method")  # fmt: skip


def check(server: demo.Demo) -> bool:
    """Tell whether nothing was found."""
    tool = demo.ROOT / "pyenv/dev/bin/schemathesis"
    base = f"http://localhost:{server.port}"
    command: list[str | Path] = [sys.executable, tool, "run", f"{base}/openapi.json", "--url", base]
    command += ["--checks", ",".join(CHECKS), "--max-examples", str(EXAMPLES), "--seed", "1"]
    # Two threads that parse Python at once trip over a counter that CPython 3.11.2 has for both (its issue 106905).
    command += ["--workers", "1"]
    command += ["--phases", "examples,coverage,fuzzing", "--request-timeout", "60", "--no-color"]
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(command, cwd=folder, timeout=demo.PATIENCE, check=False).returncode == 0
