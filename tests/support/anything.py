#!/usr/bin/python3
"""Takes QuickJS's place, and runs Python: a runtime without walls of its own, so that tests meet the kernel's."""

import sys

if "--help" in sys.argv:
    sys.stdout.write("QuickJS version 2025-09-13\n")
else:
    with open("/dev/stdin") as file:
        script = file.read()
    # What the server asks a runtime at its start is JavaScript.
    exec('print("works")' if script.startswith("console.log") else script)  # noqa: S102
